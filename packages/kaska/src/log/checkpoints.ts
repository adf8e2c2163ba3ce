/**
 * The logs that were written since their checkpoint. Every minute each of them is checkpointed, and
 * then only those that were written meanwhile stay here: so a log that is idle costs nothing, no timer
 * runs in an idle broker, and what a start after a crash has to check is what was written in the last
 * minute, or less where a log asks for its checkpoint earlier.
 */
import type { Clock, Timer } from '@kaska/protocol'

/** What `Checkpoints` needs of a log. */
export interface Checkpointed {
  /** Makes durable what was written, and remembers it. Never rejects. */
  checkpoint(): Promise<void>
  /** Was anything written that is in no checkpoint? */
  readonly needsCheckpoint: boolean
}

const intervalMsDefault = 60_000
/** How many logs are checkpointed at the same time. */
const parallelMax = 4

export class Checkpoints {
  readonly #clock: Clock
  readonly #intervalMs: number
  readonly #logs = new Set<Checkpointed>()
  #timer: Timer | undefined
  #running: Promise<void> | undefined
  #closed = false

  constructor(clock: Clock, intervalMs: number = intervalMsDefault) {
    this.#clock = clock
    this.#intervalMs = intervalMs
  }

  /** How many logs were written since their checkpoint. */
  get size(): number {
    return this.#logs.size
  }

  /** The log was written: it is checkpointed within the interval. */
  add(log: Checkpointed): void {
    this.#logs.add(log)
    this.#arm()
  }

  remove(log: Checkpointed): void {
    this.#logs.delete(log)
  }

  /** Checkpoints all logs that are here now. */
  async run(): Promise<void> {
    while (this.#running !== undefined) await this.#running
    this.#running = this.#runAll()
    await this.#running
    this.#running = undefined
    this.#arm()
  }

  /** Stops the timer, and waits for what is under way. */
  async close(): Promise<void> {
    this.#closed = true
    this.#timer?.cancel()
    await this.#running
  }

  #arm(): void {
    if (this.#timer !== undefined || this.#closed || this.#logs.size === 0) return
    this.#timer = this.#clock.after(this.#intervalMs, () => {
      this.#timer = undefined
      void this.run()
    })
  }

  async #runAll(): Promise<void> {
    const logs = [...this.#logs].values()
    const work = async () => {
      for (const log of logs) {
        await log.checkpoint()
        if (!log.needsCheckpoint) this.#logs.delete(log)
      }
    }
    await Promise.all(Array.from({ length: parallelMax }, work))
  }
}
