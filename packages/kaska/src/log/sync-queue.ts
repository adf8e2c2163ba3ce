/**
 * The syncs of all logs of a broker, a limited number at a time, so that reads keep threads of the
 * pool for themselves. First come, first served: a log that is written all the time gets its next
 * sync behind everybody else's.
 */
import type { Clock } from '@kaska/protocol'
import { AppendQueue } from './append-queue.ts'

export class SyncQueue {
  readonly #parallelMax: number
  readonly #waiting = new AppendQueue<() => Promise<unknown>>()
  readonly #clock: Clock
  #running = 0
  #count = 0
  #runMs = 0

  constructor(parallelMax: number, clock: Clock) {
    this.#parallelMax = parallelMax
    this.#clock = clock
  }

  /** How many at a time. */
  get parallelMax(): number {
    return this.#parallelMax
  }

  /** Jobs that have ended. */
  get count(): number {
    return this.#count
  }

  /** The time of these, added up, each from its turn to its end. */
  get runMs(): number {
    return this.#runMs
  }

  /** Runs the job when it is its turn; settles as the job does. */
  run<T>(job: () => Promise<T>): Promise<T> {
    return new Promise<T>((resolve, reject) => {
      this.#waiting.push(() => job().then(resolve, reject))
      this.#next()
    })
  }

  #next(): void {
    while (this.#running < this.#parallelMax) {
      const job = this.#waiting.shift()
      if (job === undefined) return
      this.#running++
      const startedAt = this.#clock.monotonic()
      void job().then(() => {
        this.#running--
        this.#count++
        this.#runMs += this.#clock.monotonic() - startedAt
        this.#next()
      })
    }
  }
}
