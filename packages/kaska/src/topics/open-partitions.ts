/**
 * Bounds how many partitions' logs are open: some 4 KiB of memory each. When there are too many, the
 * next opening closes those that nobody uses and that were not used lately (the clock algorithm):
 *
 *   [ P1 used ][ P2 ][ P3 busy ][ P4 used ][ ... ]
 *        ^ hand: a used one gets another round, a busy one is left alone, P2 is closed
 */

/** A partition whose log is open. */
export interface OpenPartition {
  /** Why the partition is no longer there; undefined while it is. */
  readonly ended: Error | undefined
  /** Closes the log if nobody uses it, or has used it since this was asked last. */
  rest(): boolean
}

/** How many partitions the hand passes for one opening. */
const stepsMax = 64

export class OpenPartitions {
  readonly #openMax: number
  readonly #open: OpenPartition[] = []
  #hand = 0

  constructor(openMax: number) {
    this.#openMax = openMax
  }

  get count(): number {
    return this.#open.length
  }

  /** A log was opened. */
  add(partition: OpenPartition): void {
    this.#open.push(partition)
    for (let step = 0; step < stepsMax && this.#open.length > this.#openMax; step++) this.#step()
  }

  /** A log was closed by somebody else, soon after it was opened. */
  remove(partition: OpenPartition): void {
    const index = this.#open.lastIndexOf(partition)
    if (index >= 0) this.#removeAt(index)
  }

  #removeAt(index: number): void {
    const last = this.#open.pop() as OpenPartition
    if (index < this.#open.length) this.#open[index] = last
  }

  #step(): void {
    const open = this.#open
    if (this.#hand >= open.length) this.#hand = 0
    const partition = open[this.#hand] as OpenPartition
    if (partition.ended === undefined && !partition.rest()) {
      this.#hand++
      return
    }
    this.#removeAt(this.#hand)
  }
}
