/**
 * Commits what `consume --as` has written out, and never more:
 *
 *     take     a message was put into the block
 *     seal     the block is on its way: what was taken up to here belongs to it
 *     left     the operating system has the block: its positions may be committed
 *     finish   the last commit
 *
 * Commits are made one after the other, `intervalMs` apart. One that fails is made again with the next;
 * only the last one's failure is the command's.
 */
import type { Clock, Timer } from '@kaska/protocol'

/** The next offset to read, by topic and partition. */
export type Positions = Map<string, Map<number, number>>

export type Commit = (topic: string, partition: number, offset: number) => Promise<void>

const intervalMs = 1000

export class Committer {
  readonly #clock: Clock
  readonly #commit: Commit
  #taken: Positions = new Map()
  #ready: Positions = new Map()
  #timer: Timer | undefined
  #committing: Promise<void> = Promise.resolve()
  #isFinished = false

  constructor(clock: Clock, commit: Commit) {
    this.#clock = clock
    this.#commit = commit
  }

  take(topic: string, partition: number, offset: number): void {
    set(this.#taken, topic, partition, offset)
  }

  seal(): Positions {
    const sealed = this.#taken
    this.#taken = new Map()
    return sealed
  }

  left(positions: Positions): void {
    merge(this.#ready, positions)
    if (this.#isFinished || this.#ready.size === 0) return
    this.#timer ??= this.#clock.after(intervalMs, () => {
      this.#timer = undefined
      this.#committing = this.#committing.then(() => this.#commitReady()).catch(() => {})
    })
  }

  /** Commits what has left. Rejects if that fails. */
  async finish(): Promise<void> {
    this.#isFinished = true
    this.#timer?.cancel()
    await this.#committing
    await this.#commitReady()
  }

  async #commitReady(): Promise<void> {
    const positions = this.#ready
    this.#ready = new Map()
    try {
      for (const [topic, partitions] of positions) {
        for (const [partition, offset] of partitions) await this.#commit(topic, partition, offset)
      }
    } catch (error) {
      // To be made again, but for what has gone further since.
      merge(positions, this.#ready)
      this.#ready = positions
      throw error
    }
  }
}

function set(positions: Positions, topic: string, partition: number, offset: number): void {
  const partitions = positions.get(topic)
  if (partitions === undefined) positions.set(topic, new Map([[partition, offset]]))
  else partitions.set(partition, offset)
}

function merge(into: Positions, from: Positions): void {
  for (const [topic, partitions] of from) {
    for (const [partition, offset] of partitions) set(into, topic, partition, offset)
  }
}
