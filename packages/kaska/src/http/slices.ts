/** Long work in slices: others have a turn after each, so that none holds the event loop. */
import type { Clock } from '@kaska/protocol'

const sliceMs = 4
/** The clock is looked at each time that so many rounds are done. */
const roundsPerLook = 16

export class Slices {
  readonly #clock: Clock
  #start: number
  #rounds = 0

  constructor(clock: Clock) {
    this.#clock = clock
    this.#start = clock.monotonic()
  }

  /** To be awaited in each round of a loop, where there is something to wait for: gives others a turn when
   * it is time. */
  round(): Promise<void> | undefined {
    this.#rounds++
    if (this.#rounds % roundsPerLook !== 0) return undefined
    return this.#clock.monotonic() - this.#start < sliceMs ? undefined : this.#pause()
  }

  async #pause(): Promise<void> {
    await this.#clock.yield()
    this.#start = this.#clock.monotonic()
  }
}
