/**
 * An answer that waits for others: settled once, by its group, or by the end of the connection that
 * waits for it.
 */
export class Waiter<T> {
  readonly answer: Promise<T>
  #settle: (answer: T) => void = () => {}

  /** `gone` is called if the signal is aborted first; it is to settle it. */
  constructor(signal: AbortSignal, gone: (waiter: Waiter<T>) => void) {
    const stop = () => gone(this)
    signal.addEventListener('abort', stop, { once: true })
    this.answer = new Promise((resolve) => {
      this.#settle = (answer) => {
        signal.removeEventListener('abort', stop)
        resolve(answer)
      }
    })
  }

  settle(answer: T): void {
    this.#settle(answer)
  }
}
