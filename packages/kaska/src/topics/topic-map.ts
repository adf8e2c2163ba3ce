/**
 * The iterable map of the topics (contract 14): name to topic, in creation order.
 *
 *   byName   'orders' -> Topic 7      byId   'x2F..' -> Topic 7
 *   order    [ 3, 5, gone, 7, 9 ]     ascending by creation number; holes are closed now and then
 *
 * An iteration, and a cursor of a listing, is a creation number: both stay valid while topics come
 * and go. What is created behind an iteration's place is visited, what is deleted is not.
 */
import type { TopicId } from '@kaska/protocol'
import type { Topic } from './topic.ts'

export class TopicMap implements Iterable<Topic> {
  readonly #byName = new Map<string, Topic>()
  readonly #byId = new Map<TopicId, Topic>()
  #order: Topic[] = []
  /** How many of `#order` are deleted. */
  #holes = 0

  get size(): number {
    return this.#byName.size
  }

  get(name: string): Topic | undefined {
    return this.#byName.get(name)
  }

  byId(id: TopicId): Topic | undefined {
    return this.#byId.get(id)
  }

  /** Adds a topic, whose name and id are new and whose creation number is the largest so far. */
  add(topic: Topic): void {
    this.#byName.set(topic.name, topic)
    this.#byId.set(topic.id, topic)
    this.#order.push(topic)
  }

  /** Removes a topic, and marks it as deleted. */
  remove(topic: Topic): void {
    topic.state = 'deleted'
    this.#byName.delete(topic.name)
    this.#byId.delete(topic.id)
    this.#holes++
    if (this.#holes <= this.#order.length / 2) return
    this.#order = this.#order.filter(({ state }) => state !== 'deleted')
    this.#holes = 0
  }

  [Symbol.iterator](): IterableIterator<Topic> {
    return this.from(0)
  }

  /** The topics whose creation number is `created` or larger. */
  *from(created: number): IterableIterator<Topic> {
    let order = this.#order
    let index = indexOf(order, created)
    for (let next = created; ; index++) {
      if (order !== this.#order) {
        order = this.#order
        index = indexOf(order, next)
      }
      const topic = order[index]
      if (topic === undefined) return
      next = topic.created + 1
      if (topic.state !== 'deleted') yield topic
    }
  }
}

/** The index of the first topic whose creation number is `created` or larger. */
function indexOf(order: readonly Topic[], created: number): number {
  let low = 0
  let high = order.length
  while (low < high) {
    const middle = (low + high) >>> 1
    if ((order[middle] as Topic).created < created) low = middle + 1
    else high = middle
  }
  return low
}
