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
  /** By their names with `_` for each `.`: topics that have either. Made when it is first asked for. */
  #byCollision: Map<string, Set<Topic>> | undefined = undefined
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

  /** Another topic with this name, but for dots in the place of underscores, or the other way round. */
  colliding(name: string): Topic | undefined {
    if (!collisionPattern.test(name)) return undefined
    if (this.#byCollision === undefined) {
      this.#byCollision = new Map()
      for (const topic of this.#byName.values()) addCollision(this.#byCollision, topic)
    }
    for (const topic of this.#byCollision.get(collisionKey(name)) ?? []) {
      if (topic.name !== name) return topic
    }
    return undefined
  }

  /** Adds a topic, whose name and id are new and whose creation number is the largest so far. */
  add(topic: Topic): void {
    this.#byName.set(topic.name, topic)
    this.#byId.set(topic.id, topic)
    this.#order.push(topic)
    if (this.#byCollision !== undefined) addCollision(this.#byCollision, topic)
  }

  /** Removes a topic, and marks it as deleted. */
  remove(topic: Topic): void {
    topic.state = 'deleted'
    this.#byName.delete(topic.name)
    this.#byId.delete(topic.id)
    if (this.#byCollision !== undefined) removeCollision(this.#byCollision, topic)
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

const collisionPattern = /[._]/

function collisionKey(name: string): string {
  return name.replaceAll('.', '_')
}

function addCollision(byCollision: Map<string, Set<Topic>>, topic: Topic): void {
  if (!collisionPattern.test(topic.name)) return
  const key = collisionKey(topic.name)
  const same = byCollision.get(key)
  if (same === undefined) byCollision.set(key, new Set([topic]))
  else same.add(topic)
}

function removeCollision(byCollision: Map<string, Set<Topic>>, topic: Topic): void {
  const key = collisionKey(topic.name)
  const same = byCollision.get(key)
  same?.delete(topic)
  if (same?.size === 0) byCollision.delete(key)
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
