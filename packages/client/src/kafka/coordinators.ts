/** Which brokers of a cluster keep the offsets of which groups. */
import { kafka } from '@kaska/protocol'
import type { BrokerConnection } from './broker-connection.ts'
import { errorOfCode, isMoved } from './kafka-errors.ts'
import type { BrokerAddress } from './kafka-link.ts'

/** Groups whose coordinator is remembered. */
const rememberedMax = 10_000

/** What they ask of the cluster. */
interface CoordinatorSeams {
  /** The addresses that are known, by node. */
  readonly brokers: Map<number, BrokerAddress>
  connection(node: number, purpose: 'work'): Promise<BrokerConnection>
  ask<T>(question: (control: BrokerConnection) => Promise<T>): Promise<T>
}

export class Coordinators {
  readonly #cluster: CoordinatorSeams
  readonly #nodes = new Map<string, number>()

  constructor(cluster: CoordinatorSeams) {
    this.#cluster = cluster
  }

  /** The broker that keeps a group's offsets. */
  async connection(group: string): Promise<BrokerConnection> {
    const known = this.#nodes.get(group)
    if (known !== undefined) return await this.#cluster.connection(known, 'work')
    const answer = await this.#cluster.ask((control) =>
      control.request(kafka.findCoordinatorRequest, kafka.findCoordinatorResponse, {
        key: group,
        keyType: 0,
        coordinatorKeys: [group],
      }),
    )
    const found = answer.coordinators[0] ?? answer
    if (found.errorCode !== 0) {
      throw errorOfCode(found.errorCode, `nobody keeps the offsets of '${group}' now`)
    }
    this.#set(group, found)
    return await this.#cluster.connection(found.nodeId, 'work')
  }

  /** The brokers that keep the offsets of groups, and the groups that nobody keeps them of now. */
  async of(groups: readonly string[]): Promise<{
    readonly byNode: ReadonlyMap<number, readonly string[]>
    readonly unknown: readonly string[]
  }> {
    const nodes = new Map(groups.map((group) => [group, this.#nodes.get(group)]))
    const asked = groups.filter((group) => nodes.get(group) === undefined)
    if (asked.length > 0) {
      const answer = await this.#cluster.ask((control) =>
        control.request(kafka.findCoordinatorRequest, kafka.findCoordinatorResponse, {
          key: '',
          keyType: 0,
          coordinatorKeys: asked,
        }),
      )
      for (const found of answer.coordinators) {
        const { key, errorCode: code, nodeId } = found
        if (code === 0) {
          this.#set(key, found)
          nodes.set(key, nodeId)
        } else if (!isMoved(code)) {
          throw errorOfCode(code, `the group '${key}' cannot be found`, found.errorMessage)
        }
      }
    }
    const byNode = new Map<number, string[]>()
    const unknown: string[] = []
    for (const [group, node] of nodes) {
      const some = node === undefined ? unknown : byNode.get(node)
      if (some !== undefined) some.push(group)
      else if (node !== undefined) byNode.set(node, [group])
    }
    return { byNode, unknown }
  }

  /** It has moved, or is gone. */
  forget(group: string): void {
    this.#nodes.delete(group)
  }

  #set(group: string, found: BrokerAddress & { readonly nodeId: number }): void {
    const { nodeId, host, port } = found
    this.#cluster.brokers.set(nodeId, { host, port })
    this.#nodes.set(group, nodeId)
    if (this.#nodes.size <= rememberedMax) return
    for (const [oldest] of this.#nodes) {
      this.#nodes.delete(oldest)
      break
    }
  }
}
