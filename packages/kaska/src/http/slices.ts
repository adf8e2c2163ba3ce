/** Long work in slices: others have a turn after each, so that none holds the event loop. */
import type { Clock } from '@kaska/protocol'

const sliceMs = 4

export class Slices {
  readonly #clock: Clock
  #start: number

  constructor(clock: Clock) {
    this.#clock = clock
    this.#start = clock.monotonic()
  }

  /** To be awaited in each round of a loop: gives others a turn when it is time. */
  async round(): Promise<void> {
    if (this.#clock.monotonic() - this.#start < sliceMs) return
    await this.#clock.yield()
    this.#start = this.#clock.monotonic()
  }
}
