/** The messages of a subscription as an async iterator, read ahead while there is a reader. */
import type { Message } from './message.ts'
import type { Subscription } from './subscription.ts'

type Result = IteratorResult<Message, undefined>

export class MessageStream implements AsyncIterableIterator<Message, undefined> {
  readonly #subscriptionOf: () => Subscription
  readonly #signal: AbortSignal | undefined
  #subscription: Subscription | undefined
  #isDone = false

  /** `subscriptionOf` may throw, at the first message. */
  constructor(subscriptionOf: () => Subscription, signal: AbortSignal | undefined) {
    this.#subscriptionOf = subscriptionOf
    this.#signal = signal
  }

  async next(): Promise<Result> {
    if (this.#isDone) return { value: undefined, done: true }
    try {
      this.#signal?.throwIfAborted()
      if (this.#subscription === undefined) {
        this.#subscription = this.#subscriptionOf()
        this.#subscription.addReader(1)
      }
      const message = await this.#subscription.poll(Number.POSITIVE_INFINITY, this.#signal)
      return { value: message as Message, done: false }
    } catch (error) {
      this.#leave()
      throw error
    }
  }

  return(): Promise<Result> {
    this.#leave()
    return Promise.resolve({ value: undefined, done: true })
  }

  [Symbol.asyncIterator](): this {
    return this
  }

  #leave(): void {
    this.#isDone = true
    this.#subscription?.addReader(-1)
    this.#subscription = undefined
  }
}
