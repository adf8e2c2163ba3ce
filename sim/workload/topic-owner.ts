/**
 * Creates topics of its own, sends to them, deletes them, creates them again by the same names, and
 * looks at the listing. Nobody else uses them, so what exists is known.
 */
import { type Client, UnknownTopicError } from '@kaska/client'
import type { TopicChecker } from '../checkers/topic-checker.ts'
import { Violation } from '../checkers/violation.ts'
import type { SeededRandom } from '../seeded-random.ts'
import type { Sleeper } from './sleeper.ts'

export interface TopicOwnerOptions {
  readonly name: string
  readonly client: Client
  readonly clock: Sleeper
  readonly random: SeededRandom
  readonly topics: TopicChecker
  readonly isExpected: (error: unknown) => boolean
  readonly isOver: () => boolean
}

export class TopicOwner {
  readonly #options: TopicOwnerOptions
  /** How many messages of each topic were acknowledged, in its present life. */
  readonly #sent = new Map<string, number>()

  constructor(options: TopicOwnerOptions) {
    this.#options = options
  }

  async run(): Promise<void> {
    const { clock, isExpected, isOver, random, topics } = this.#options
    const names = Array.from({ length: 3 }, (_, index) => `${this.#options.name}-${index}`)
    while (!isOver()) {
      const name = random.pick(names)
      try {
        if (random.chance(0.1)) await this.list()
        else if (topics.exists(name) === false) await this.#create(name)
        else if (topics.exists(name) === undefined || random.chance(0.3)) await this.#delete(name)
        else await this.#use(name)
      } catch (error) {
        if (!isExpected(error)) throw error
        await clock.sleep(100)
      }
      await clock.sleep(random.spread(0, 500))
    }
  }

  /** Every topic that is known to exist is listed, no other one of this owner's is. */
  async list(): Promise<void> {
    const { client, name, topics } = this.#options
    const listed = await client.topics()
    topics.listed(listed.filter((topic) => topic.name.startsWith(name)))
  }

  async #create(name: string): Promise<void> {
    const { client, random, topics } = this.#options
    topics.changing(name)
    const { id } = await client.createTopic(name, { partitions: random.between(1, 3) })
    topics.created(name, id)
    this.#sent.set(name, 0)
  }

  /** Also what clears up what became of a creation or deletion that failed. */
  async #delete(name: string): Promise<void> {
    const { client, topics } = this.#options
    const isKnown = topics.exists(name) !== undefined
    topics.changing(name)
    this.#sent.delete(name)
    try {
      await client.deleteTopic(name)
    } catch (error) {
      if (isKnown || !(error instanceof UnknownTopicError)) throw error
    }
    topics.deleted(name)
  }

  async #use(name: string): Promise<void> {
    const { client } = this.#options
    const sent = this.#sent.get(name)
    // Unknown from the first send on whose fate is unknown.
    this.#sent.delete(name)
    try {
      const { offset } = await client.send(name, { value: name, partition: 0 })
      if (sent === undefined) return
      if (offset !== sent) throw new Violation(`message ${sent} of ${name} is at ${offset}`)
      this.#sent.set(name, sent + 1)
    } catch (error) {
      if (error instanceof UnknownTopicError) {
        throw new Violation(`the topic ${name} was created, and is unknown`)
      }
      throw error
    }
  }
}
