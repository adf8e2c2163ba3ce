/**
 * The syncs of all logs of a broker, a limited number at a time, so that reads keep threads of the
 * pool for themselves. First come, first served: a log that is written all the time gets its next
 * sync behind everybody else's.
 */
import { AppendQueue } from './append-queue.ts'

export class SyncQueue {
  readonly #parallelMax: number
  readonly #waiting = new AppendQueue<() => Promise<unknown>>()
  #running = 0

  constructor(parallelMax: number) {
    this.#parallelMax = parallelMax
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
      void job().then(() => {
        this.#running--
        this.#next()
      })
    }
  }
}
