/** A wait for something to happen, for some time, or until the signal is aborted. One at a time. */
import type { Clock } from '@kaska/protocol'

export class WakeUp {
  readonly #clock: Clock
  readonly #signal: AbortSignal | undefined
  #wake: (() => void) | undefined = undefined

  constructor(clock: Clock, signal: AbortSignal | undefined) {
    this.#clock = clock
    this.#signal = signal
  }

  /** Ends the wait, where there is one. */
  wake(): void {
    this.#wake?.()
  }

  /** Resolves after `wake`, or after the time. Rejects with the reason of the signal. */
  wait(leftMs: number): Promise<void> {
    const signal = this.#signal
    return new Promise((resolve, reject) => {
      const end = () => {
        this.#wake = undefined
        timer.cancel()
        signal?.removeEventListener('abort', abort)
      }
      const abort = () => {
        end()
        reject(signal?.reason)
      }
      const timer = this.#clock.after(leftMs, () => this.#wake?.())
      this.#wake = () => {
        end()
        resolve()
      }
      signal?.addEventListener('abort', abort)
    })
  }
}
