/** Long work in slices, so that it does not hold the event loop (some 10 ms at most, with what else a
 * turn does): look at `isDue` in each round of a loop, and `pause` when it is. */
import type { Clock } from '@kaska/protocol'

const sliceMs = 4
/** The clock is looked at each time that so many rounds are done. */
const roundsPerLook = 64

export class Slices {
  readonly #clock: Clock
  #start: number
  #rounds = 0

  constructor(clock: Clock) {
    this.#clock = clock
    this.#start = clock.monotonic()
  }

  get isDue(): boolean {
    return this.isDueAfter(1)
  }

  /** The same where a round is as much work as so many. */
  isDueAfter(rounds: number): boolean {
    this.#rounds += rounds
    if (this.#rounds < roundsPerLook) return false
    this.#rounds = 0
    return this.#clock.monotonic() - this.#start >= sliceMs
  }

  /** Gives the others a turn. */
  async pause(): Promise<void> {
    await this.#clock.yield()
    this.#start = this.#clock.monotonic()
  }
}
