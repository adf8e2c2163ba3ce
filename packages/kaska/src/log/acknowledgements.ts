/**
 * Who waits for a log to reach an offset: senders for the high watermark, in the order of their batches,
 * and those who flush for the disk. Nobody has to listen: a send may want no answer.
 */
import assert from 'node:assert/strict'
import { AppendQueue } from './append-queue.ts'

interface Waiting {
  readonly endOffset: number
  readonly promise: Promise<void>
  readonly resolve: () => void
  readonly reject: (error: Error) => void
}

export class Acknowledgements {
  /** Ascending by their offsets. */
  readonly #waiting = new AppendQueue<Waiting>()

  /** Resolves when `settle` reaches the offset, which is not below those that wait already. */
  add(endOffset: number): Promise<void> {
    const { promise, resolve, reject } = Promise.withResolvers<void>()
    this.#waiting.push({ endOffset, promise, resolve, reject })
    return promise
  }

  /** The promise that was given for this offset, which was not reached yet. */
  of(endOffset: number): Promise<void> {
    const number = this.#waiting.lastWhere((waiting) => waiting.endOffset <= endOffset)
    const waiting = this.#waiting.at(number)
    assert(waiting?.endOffset === endOffset, 'a batch that is not acknowledged is waited for')
    return waiting.promise
  }

  get length(): number {
    return this.#waiting.length
  }

  /** Everything before `end` is done. */
  settle(end: number): void {
    for (;;) {
      const waiting = this.#waiting.first()
      if (waiting === undefined || waiting.endOffset > end) return
      this.#waiting.shift()
      waiting.resolve()
    }
  }

  /** Refuses those who wait for more than `end`, the last one first. */
  refuseAfter(end: number, error: Error): void {
    for (;;) {
      const waiting = this.#waiting.last()
      if (waiting === undefined || waiting.endOffset <= end) return
      this.#waiting.pop()
      waiting.promise.catch(() => {})
      waiting.reject(error)
    }
  }

  /** Those who wait for more than `end` wait for `end`: there is nothing behind it any more. */
  lower(end: number): void {
    const lowered: Waiting[] = []
    for (;;) {
      const waiting = this.#waiting.last()
      if (waiting === undefined || waiting.endOffset <= end) break
      this.#waiting.pop()
      lowered.push({ ...waiting, endOffset: end })
    }
    for (const waiting of lowered.reverse()) this.#waiting.push(waiting)
  }
}
