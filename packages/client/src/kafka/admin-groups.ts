/** The consumer groups of a cluster. Each is asked for at its coordinator, with all others that it has. */
import { ConnectionError, GroupActiveError, kafka, UnsupportedVersionError } from '@kaska/protocol'
import type {
  AdminSeams,
  CommittedOffset,
  DescribedGroup,
  DescribedMember,
  ListedGroup,
} from './admin-types.ts'
import type { BrokerConnection } from './broker-connection.ts'
import type { KnownTopic } from './cluster.ts'
import { fetchVersionMax, fetchVersionMin, isOther } from './group-offsets.ts'
import { errorOfCode, isMoved, Moved } from './kafka-errors.ts'
import { settled } from './settled.ts'

/** Kinds of groups whose commits anybody may read (KIP-848). */
const types = ['classic', 'consumer']
/** The first version that takes them. */
const typesVersionMin = 5
/** Groups in one request. */
const atOnce = 500

const { errorCode } = kafka

/** What became of a group in a request. */
type Answer<T> = { readonly value: T } | { readonly code: number; readonly text?: string | null }

export class AdminGroups {
  readonly #seams: AdminSeams

  constructor(seams: AdminSeams) {
    this.#seams = seams
  }

  async list(): Promise<ListedGroup[]> {
    const { cluster } = this.#seams
    const groups = new Map<string, ListedGroup>()
    await this.#settled(async () => {
      groups.clear()
      // Who is there now.
      await cluster.byName([])
      const listed = await allOf([...cluster.brokers.keys()], (node) => this.#listAt(node))
      for (const group of listed.flat()) groups.set(group.name, group)
    })
    return [...groups.values()].sort((one, other) => (one.name < other.name ? -1 : 1))
  }

  async describe(names: readonly string[]): Promise<(DescribedGroup | undefined)[]> {
    const found = await this.#ask(names, describeClassic)
    const others = names.filter((name) => found.get(name) === undefined)
    const newer = await this.#ask(others, describeConsumer)
    return names.map((name) => found.get(name) ?? newer.get(name))
  }

  async committed(names: readonly string[]): Promise<CommittedOffset[][]> {
    const found = await this.#ask(names, fetchOffsets)
    const topicNames = new Set<string>()
    for (const rows of found.values()) for (const { name } of rows) topicNames.add(name)
    const topics = new Map<string, KnownTopic>()
    for (const topic of await this.#seams.cluster.byName([...topicNames])) {
      if (topic !== undefined && !topic.isInternal) topics.set(topic.name, topic)
    }
    return names.map((group) => {
      const offsets: CommittedOffset[] = []
      for (const { name, partition, offset, metadata } of found.get(group) ?? []) {
        const topic = topics.get(name)
        if (topic === undefined || isOther(metadata, topic)) continue
        const text = metadata === topic.id ? '' : (metadata ?? '')
        const { id, partitions } = topic
        offsets.push({ topic: { name, id, partitions }, partition, offset, metadata: text })
      }
      return offsets
    })
  }

  async delete(name: string): Promise<boolean> {
    const { cluster } = this.#seams
    return await this.#settled(async () => {
      const connection = await cluster.coordinators.connection(name).catch((error) => {
        cluster.coordinators.forget(name)
        throw movedOr(error)
      })
      const { results } = await connection.request(
        kafka.deleteGroupsRequest,
        kafka.deleteGroupsResponse,
        { groupsNames: [name] },
      )
      const code = results[0]?.errorCode ?? errorCode.COORDINATOR_NOT_AVAILABLE
      if (code === errorCode.GROUP_ID_NOT_FOUND) return false
      if (code === errorCode.NON_EMPTY_GROUP) {
        throw new GroupActiveError(`'${name}' has members: stop them`)
      }
      if (code !== 0) throw this.#refused(name, code)
      return true
    })
  }

  async #listAt(node: number): Promise<ListedGroup[]> {
    try {
      const connection = await this.#seams.cluster.connection(node, 'work')
      const version = connection.versionOf(kafka.listGroupsRequest)
      const answer = await connection.request(kafka.listGroupsRequest, kafka.listGroupsResponse, {
        typesFilter: version < typesVersionMin ? [] : types,
      })
      if (answer.errorCode !== 0) {
        const error = errorOfCode(answer.errorCode, 'the groups cannot be listed')
        throw isMoved(answer.errorCode) ? new Moved(error) : error
      }
      return answer.groups.map(({ groupId: name, groupState: state, protocolType }) => {
        return { name, state, protocolType }
      })
    } catch (error) {
      throw movedOr(error)
    }
  }

  /** Asks each group's coordinator until all have answered; without those that there are none of. */
  async #ask<T>(
    names: readonly string[],
    request: (
      connection: BrokerConnection,
      some: readonly string[],
    ) => Promise<Map<string, Answer<T>>>,
  ): Promise<Map<string, T>> {
    const { cluster } = this.#seams
    const found = new Map<string, T>()
    const askAt = async ([node, some]: readonly [number, readonly string[]]) => {
      const left: string[] = []
      try {
        const answers = await request(await cluster.connection(node, 'work'), some)
        for (const name of some) {
          const answer = answers.get(name) ?? { code: errorCode.COORDINATOR_NOT_AVAILABLE }
          if ('value' in answer) found.set(name, answer.value)
          else if (isMoved(answer.code)) left.push(name)
          else if (answer.code !== errorCode.GROUP_ID_NOT_FOUND) {
            throw errorOfCode(answer.code, `the group '${name}' cannot be read`, answer.text)
          }
        }
      } catch (error) {
        if (!(error instanceof ConnectionError)) throw error
        left.push(...some)
      }
      for (const name of left) cluster.coordinators.forget(name)
      return left
    }
    for (let start = 0; start < names.length; start += atOnce) {
      let waiting: readonly string[] = names.slice(start, start + atOnce)
      await this.#settled(async () => {
        const { byNode, unknown } = await cluster.coordinators.of(waiting)
        waiting = [...unknown, ...(await allOf([...byNode], askAt)).flat()]
        if (waiting.length === 0) return
        const what = `nobody answers for the group '${waiting[0]}' now`
        throw new Moved(new ConnectionError(what))
      })
    }
    return found
  }

  #refused(name: string, code: number): Error {
    const error = errorOfCode(code, `the group '${name}' cannot be changed`)
    if (!isMoved(code)) return error
    this.#seams.cluster.coordinators.forget(name)
    return new Moved(error)
  }

  #settled<T>(attempt: () => Promise<T>): Promise<T> {
    const { cluster, clock } = this.#seams
    return settled(attempt, clock, cluster.closing.signal)
  }
}

async function describeClassic(
  connection: BrokerConnection,
  names: readonly string[],
): Promise<Map<string, Answer<DescribedGroup>>> {
  const { groups } = await connection.request(
    kafka.describeGroupsRequest,
    kafka.describeGroupsResponse,
    { groups: [...names] },
  )
  const answers = new Map<string, Answer<DescribedGroup>>()
  for (const group of groups) {
    const { groupId: name, groupState: state, protocolType, protocolData, members } = group
    const code = state === 'Dead' ? errorCode.GROUP_ID_NOT_FOUND : group.errorCode
    if (code !== 0) {
      answers.set(name, { code, text: group.errorMessage })
      continue
    }
    const described = members.map((member): DescribedMember => {
      const { memberId, groupInstanceId, clientId, clientHost, memberAssignment } = member
      const assignment =
        protocolType === 'consumer' ? kafka.assignedPartitionsOf(memberAssignment) : []
      return { memberId, groupInstanceId, clientId, clientHost: plain(clientHost), assignment }
    })
    const value = { name, state, protocolType, protocolName: protocolData, members: described }
    answers.set(name, { value })
  }
  return answers
}

/** Of the newer protocol; where a broker does not know it, there are none. */
async function describeConsumer(
  connection: BrokerConnection,
  names: readonly string[],
): Promise<Map<string, Answer<DescribedGroup>>> {
  const answers = new Map<string, Answer<DescribedGroup>>()
  for (const name of names) answers.set(name, { code: errorCode.GROUP_ID_NOT_FOUND })
  if (!isKnown(connection)) return answers
  const { groups } = await connection.request(
    kafka.consumerGroupDescribeRequest,
    kafka.consumerGroupDescribeResponse,
    { groupIds: [...names] },
  )
  for (const group of groups) {
    const { groupId: name, groupState: state, assignorName, members } = group
    if (group.errorCode !== 0) {
      answers.set(name, { code: group.errorCode, text: group.errorMessage })
      continue
    }
    const described = members.map((member): DescribedMember => {
      const { memberId, instanceId, clientId, clientHost } = member
      const assignment = member.assignment.topicPartitions.map(({ topicName, partitions }) => {
        return { topic: topicName, partitions }
      })
      const host = plain(clientHost)
      return { memberId, groupInstanceId: instanceId, clientId, clientHost: host, assignment }
    })
    const rest = { protocolType: 'consumer', protocolName: assignorName, members: described }
    answers.set(name, { value: { name, state, ...rest } })
  }
  return answers
}

function isKnown(connection: BrokerConnection): boolean {
  try {
    connection.versionOf(kafka.consumerGroupDescribeRequest)
    return true
  } catch (error) {
    if (error instanceof UnsupportedVersionError) return false
    throw error
  }
}

interface FetchedOffset {
  readonly name: string
  readonly partition: number
  readonly offset: number
  readonly metadata: string | null
}

async function fetchOffsets(
  connection: BrokerConnection,
  names: readonly string[],
): Promise<Map<string, Answer<FetchedOffset[]>>> {
  const version = connection.versionOf(kafka.offsetFetchRequest, fetchVersionMax)
  if (version < fetchVersionMin) {
    throw new UnsupportedVersionError('the cluster is too old: the first that will do is 3.1')
  }
  const { groups } = await connection.request(
    kafka.offsetFetchRequest,
    kafka.offsetFetchResponse,
    // All of each.
    { groupId: '', topics: null, groups: names.map((groupId) => ({ groupId, topics: null })) },
    { version },
  )
  const answers = new Map<string, Answer<FetchedOffset[]>>()
  for (const { groupId, errorCode: code, topics } of groups) {
    if (code !== 0) {
      answers.set(groupId, { code })
      continue
    }
    const value: FetchedOffset[] = []
    for (const { name, partitions } of topics) {
      for (const { partitionIndex: partition, committedOffset: offset, metadata } of partitions) {
        if (offset >= 0) value.push({ name, partition, offset, metadata })
      }
    }
    answers.set(groupId, { value })
  }
  return answers
}

/** Kafka prints addresses as Java does: `/127.0.0.1`. */
function plain(clientHost: string): string {
  return clientHost.startsWith('/') ? clientHost.slice(1) : clientHost
}

/** Asking again is safe, whatever became of the question. */
function movedOr(error: unknown): unknown {
  return error instanceof ConnectionError ? new Moved(error) : error
}

/** Rejects as the first of them that does, when all are over. */
async function allOf<Item, T>(
  items: readonly Item[],
  ask: (item: Item) => Promise<T>,
): Promise<T[]> {
  const asked = items.map(ask)
  await Promise.allSettled(asked)
  return await Promise.all(asked)
}
