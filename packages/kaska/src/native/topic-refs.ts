/**
 * The numbers that one connection has for topics: 1, 2, 3, ... in the order in which they were first
 * resolved. A number belongs to one topic id for as long as the connection lasts: it is never given
 * to another, and a topic that is made again under an old name has a number of its own.
 *
 * The table is bounded by `refsMax`, and paid for from the byte budget beyond its first few entries:
 * a connection that names a hundred thousand topics holds some ten megabytes of the broker's.
 */
import { InvalidArgumentError, OverloadedError, ProtocolError, type TopicId } from '@kaska/protocol'
import type { ByteBudget } from '../transport/byte-budget.ts'

/** An entry of the map and one of the list, as Node 24 needs for them. */
const refBytes = 96
/** So many at a time are paid for; the first ones are on the house. */
const refsPaidAtOnce = 512
const refsFree = 64

export class TopicRefs {
  readonly #budget: ByteBudget
  readonly #refsMax: number
  readonly #refs = new Map<TopicId, number>()
  readonly #topics: TopicId[] = []
  #refsPaid = refsFree

  constructor(budget: ByteBudget, refsMax: number) {
    this.#budget = budget
    this.#refsMax = refsMax
  }

  /** The topic's number, a new one if it has none. Throws InvalidArgumentError, OverloadedError. */
  refOf(topic: TopicId): number {
    const known = this.#refs.get(topic)
    if (known !== undefined) return known
    if (this.#topics.length >= this.#refsMax) {
      throw new InvalidArgumentError(
        `this connection has numbers for ${this.#refsMax} topics, the most there are`,
      )
    }
    if (this.#topics.length >= this.#refsPaid) {
      if (!this.#budget.tryReserve(refsPaidAtOnce * refBytes)) {
        throw new OverloadedError('the broker has no memory free for more topic numbers')
      }
      this.#refsPaid += refsPaidAtOnce
    }
    this.#topics.push(topic)
    this.#refs.set(topic, this.#topics.length)
    return this.#topics.length
  }

  /** The topic of a number that a client used. Throws ProtocolError where none was given. */
  topicOf(ref: number): TopicId {
    const topic = this.#topics[ref - 1]
    if (topic === undefined) {
      throw new ProtocolError(`topic number ${ref} was not given on this connection`)
    }
    return topic
  }

  /** Gives back what was paid. */
  close(): void {
    this.#budget.release((this.#refsPaid - refsFree) * refBytes)
    this.#refsPaid = refsFree
  }
}
