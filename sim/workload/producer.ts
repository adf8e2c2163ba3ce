/**
 * A producer: sends as fast as it feels like, several messages at a time, and tells the checker what
 * it was told. Retries are the client library's: nothing is sent a second time from here.
 */
import { type Client, MessageTooLargeError, SendBatchError, type SendResult } from '@kaska/client'
import { type MessageChecker, type MessageId, messageBytes } from '../checkers/message-checker.ts'
import type { PlannedTopic } from '../plan.ts'
import type { SeededRandom } from '../seeded-random.ts'
import type { Sleeper } from './sleeper.ts'

export interface ProducerOptions {
  readonly name: string
  readonly client: Client
  readonly clock: Sleeper
  readonly random: SeededRandom
  readonly topics: readonly PlannedTopic[]
  readonly checker: MessageChecker
  readonly messageBytesMax: number
  readonly pauseMsMax: number
  /** The errors that a send may end with, and still the run is sound. */
  readonly isExpected: (error: unknown) => boolean
  readonly isOver: () => boolean
}

const underWayMax = 40

export class Producer {
  readonly #options: ProducerOptions
  #number = 0
  #underWay = 0
  #failure: unknown

  constructor(options: ProducerOptions) {
    this.#options = options
  }

  /** Resolves when the run is over and every send has ended. */
  async run(): Promise<void> {
    const { clock, isOver, pauseMsMax, random } = this.#options
    while (!isOver() && this.#failure === undefined) {
      if (this.#underWay < underWayMax) {
        if (random.chance(0.2)) this.#sendBatch()
        else for (let count = random.spread(1, 12); count > 0; count--) this.#send()
      }
      await clock.sleep(random.between(0, pauseMsMax))
    }
    while (this.#underWay > 0 && this.#failure === undefined) await clock.sleep(20)
    if (this.#failure !== undefined) throw this.#failure
  }

  #send(): void {
    const { client, checker, random, topics } = this.#options
    const topic = random.pick(topics)
    const { id, message } = this.#message(topic)
    const acknowledge = ({ partition, offset }: SendResult): void => {
      checker.acknowledged(id, { topic: topic.name, partition, offset })
    }
    this.#track(client.send(topic.name, message).then(acknowledge), [id])
  }

  #sendBatch(): void {
    const { client, checker, random, topics } = this.#options
    const topic = random.pick(topics)
    const batch = Array.from({ length: random.spread(1, 20) }, () => this.#message(topic))
    const acknowledge = (results: readonly SendResult[]): void => {
      for (const [index, { id }] of batch.entries()) {
        const { partition, offset } = results[index] as SendResult
        checker.acknowledged(id, { topic: topic.name, partition, offset })
      }
    }
    const sent = client.sendBatch(
      topic.name,
      batch.map(({ message }) => message),
    )
    this.#track(
      sent.then(acknowledge, (error: unknown) => {
        if (!(error instanceof SendBatchError)) throw error
        // Some partitions took their part.
        for (const [index, { id }] of batch.entries()) {
          const result = error.results[index]
          if (result === undefined || 'error' in result) this.#failed(id, result?.error ?? error)
          else checker.acknowledged(id, { topic: topic.name, ...result })
        }
      }),
      batch.map(({ id }) => id),
    )
  }

  #message(topic: PlannedTopic) {
    const { checker, messageBytesMax, name, random } = this.#options
    const id: MessageId = { sender: name, number: this.#number++ }
    const value = messageBytes(id, random.spread(0, messageBytesMax))
    const isPlaced = random.chance(0.3)
    const partition = isPlaced ? random.between(0, topic.partitions - 1) : undefined
    checker.sending(id, topic.name, partition, value)
    if (partition === undefined && random.chance(0.5)) return { id, message: value }
    const key = random.chance(0.5) ? `key-${random.between(0, 5)}` : null
    return { id, message: { value, key, partition, headers: { from: name } } }
  }

  #track(sent: Promise<void>, ids: readonly MessageId[]): void {
    this.#underWay += ids.length
    void sent
      .catch((error: unknown) => {
        for (const id of ids) this.#failed(id, error)
      })
      .catch((error: unknown) => {
        this.#failure ??= error
      })
      .then(() => {
        this.#underWay -= ids.length
      })
  }

  #failed(id: MessageId, error: unknown): void {
    if (!this.#options.isExpected(error)) throw error
    this.#options.checker.failed(id, error instanceof MessageTooLargeError)
  }
}
