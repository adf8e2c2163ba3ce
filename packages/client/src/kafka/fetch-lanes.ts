/** The fetches of all polls, by the broker that they go to. */
import type { Clock } from '@kaska/protocol'
import { BrokerFetches, type FetchQuestion } from './broker-fetches.ts'
import type { Cluster } from './cluster.ts'
import type { FetchPart } from './fetch-part.ts'

export class FetchLanes {
  readonly #cluster: Cluster
  readonly #clock: Clock
  readonly #brokers = new Map<number, BrokerFetches>()

  constructor(cluster: Cluster, clock: Clock) {
    this.#cluster = cluster
    this.#clock = clock
  }

  /** Asks one broker; the result is to be called once when the question is no longer of interest. */
  ask(node: number, question: FetchQuestion): () => void {
    let broker = this.#brokers.get(node)
    if (broker === undefined) {
      broker = new BrokerFetches(this.#clock, () => this.#cluster.dialNode(node))
      this.#brokers.set(node, broker)
    }
    return broker.ask(question)
  }

  /** Does a fetch of this part wait there now? Then there was nothing to tell so far. */
  isWaiting(node: number, part: FetchPart): boolean {
    return this.#brokers.get(node)?.isWaiting(part) ?? false
  }

  close(): void {
    for (const broker of this.#brokers.values()) broker.close()
    this.#brokers.clear()
  }
}
