/**
 * What must hold for topics, each with one owner that creates and deletes it: an acknowledged creation
 * is there and an acknowledged deletion is not, after any crash; a name that is created again is
 * another topic; topics are listed in the order of their creation.
 */
import { Violation } from './violation.ts'

interface KnownTopic {
  /** Its id; undefined when it does not exist. */
  id: string | undefined
  /** A creation or deletion whose outcome nobody knows. */
  isUncertain: boolean
}

export class TopicChecker {
  readonly #topics = new Map<string, KnownTopic>()
  /** Ids of topics that are gone for good. */
  readonly #dead = new Set<string>()
  readonly counts = { created: 0, deleted: 0, listed: 0 }

  /** A creation or deletion began: until it is acknowledged nobody knows. */
  changing(name: string): void {
    this.#of(name).isUncertain = true
  }

  created(name: string, id: string): void {
    if (this.#dead.has(id)) throw new Violation(`the topic id ${id} of ${name} was given twice`)
    const topic = this.#of(name)
    if (topic.id !== undefined && topic.id !== id) this.#dead.add(topic.id)
    topic.id = id
    topic.isUncertain = false
    this.counts.created++
  }

  deleted(name: string): void {
    const topic = this.#of(name)
    if (topic.id !== undefined) this.#dead.add(topic.id)
    topic.id = undefined
    topic.isUncertain = false
    this.counts.deleted++
  }

  /** Does it exist? Undefined: nobody knows. */
  exists(name: string): boolean | undefined {
    const topic = this.#of(name)
    return topic.isUncertain ? undefined : topic.id !== undefined
  }

  /** A listing that began and ended while no topic of these names was changed. */
  listed(topics: readonly { readonly name: string; readonly id: string }[]): void {
    this.counts.listed++
    const listed = new Map(topics.map(({ name, id }) => [name, id]))
    if (listed.size !== topics.length) throw new Violation('a topic is listed twice')
    for (const [name, topic] of this.#topics) {
      if (topic.isUncertain) continue
      const id = listed.get(name)
      if (topic.id !== undefined && id === undefined) {
        throw new Violation(`the topic ${name} was created, and is gone`)
      }
      if (topic.id === undefined && id !== undefined) {
        throw new Violation(`the topic ${name} was deleted, and is back`)
      }
      if (topic.id !== id) throw new Violation(`the topic ${name} was ${topic.id}, and is ${id}`)
    }
    for (const [name, id] of listed) {
      if (this.#dead.has(id)) throw new Violation(`the deleted topic ${id} (${name}) is back`)
    }
  }

  #of(name: string): KnownTopic {
    let topic = this.#topics.get(name)
    if (topic === undefined) {
      topic = { id: undefined, isUncertain: false }
      this.#topics.set(name, topic)
    }
    return topic
  }
}
