/** The memory of an answer that may be many times as long as its request: reserved while it is made. */
import { OverloadedError } from '@kaska/protocol'
import type { KafkaContext } from './handler.ts'

/** A small answer costs nothing. */
const freeBytes = 64 * 1024

export class AnswerMemory {
  readonly #context: KafkaContext
  #bytes = 0
  #reserved = 0

  constructor(context: KafkaContext) {
    this.#context = context
  }

  /** Counts bytes of the answer: given back when it has left. Throws OverloadedError. */
  take(bytes: number): void {
    const { broker, afterSent } = this.#context
    const more = this.#bytes + bytes - freeBytes - this.#reserved
    if (more > 0) {
      if (!broker.budget.tryReserve(more)) {
        throw new OverloadedError('the broker has no memory free for so large an answer')
      }
      if (this.#reserved === 0) afterSent(() => broker.budget.release(this.#reserved))
      this.#reserved += more
    }
    this.#bytes += bytes
  }
}
