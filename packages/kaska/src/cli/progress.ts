/** A line on standard error that says how far long work is, twice a second, where a person sees it. */
import type { Terminal } from '../host/terminal.ts'

const intervalMs = 500

export class Progress {
  readonly #terminal: Terminal
  readonly #what: string
  #shownMs: number

  /** `what` comes behind the number of messages: `sent`. */
  constructor(terminal: Terminal, what: string) {
    this.#terminal = terminal
    this.#what = what
    this.#shownMs = terminal.uptimeMs
  }

  show(messages: number, bytes: number): void {
    const nowMs = this.#terminal.uptimeMs
    if (nowMs - this.#shownMs < intervalMs) return
    this.#shownMs = nowMs
    const megabytes = (bytes / 1e6).toFixed(1)
    this.#terminal.showProgress(`${messages} messages ${this.#what}, ${megabytes} MB`)
  }
}
