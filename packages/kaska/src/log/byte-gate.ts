/**
 * A part of the byte budget that one kind of use may have at a time, so that what is slow or large
 * leaves something to the rest. Who enters says how many bytes it will take of the budget, and then
 * reserves them there; those for whom there is no room wait in the order of their calls.
 */
import { AppendQueue } from './append-queue.ts'

interface Waiter {
  readonly bytes: number
  readonly enter: () => void
  isGone: boolean
}

export class ByteGate {
  readonly #bytesMax: number
  #bytes = 0
  readonly #waiters = new AppendQueue<Waiter>()

  constructor(bytesMax: number) {
    this.#bytesMax = bytesMax
  }

  /** Bytes that may still enter. */
  get free(): number {
    return Math.max(0, this.#bytesMax - this.#bytes)
  }

  /** How many wait. */
  get waiting(): number {
    return this.#waiters.length
  }

  /** Enters if there is room, and nobody waits before. */
  tryEnter(bytes: number): boolean {
    return this.#waiters.length === 0 && this.#take(bytes)
  }

  /** Enters when there is room; more than the gate takes enters alone. Rejects with the signal's
   * reason. */
  enter(bytes: number, signal?: AbortSignal): Promise<void> {
    if (signal?.aborted) return Promise.reject(signal.reason)
    if (this.tryEnter(bytes)) return Promise.resolve()
    return new Promise((resolve, reject) => {
      const abort = () => {
        waiter.isGone = true
        reject(signal?.reason)
        this.#admit()
      }
      const enter = () => {
        signal?.removeEventListener('abort', abort)
        resolve()
      }
      const waiter: Waiter = { bytes, enter, isGone: false }
      this.#waiters.push(waiter)
      signal?.addEventListener('abort', abort, { once: true })
    })
  }

  /** Gives back what had entered. */
  leave(bytes: number): void {
    this.#bytes -= bytes
    this.#admit()
  }

  #take(bytes: number): boolean {
    if (this.#bytes > 0 && this.#bytes + bytes > this.#bytesMax) return false
    this.#bytes += bytes
    return true
  }

  #admit(): void {
    for (;;) {
      const waiter = this.#waiters.first()
      if (waiter === undefined) return
      if (!waiter.isGone && !this.#take(waiter.bytes)) return
      this.#waiters.shift()
      if (!waiter.isGone) waiter.enter()
    }
  }
}
