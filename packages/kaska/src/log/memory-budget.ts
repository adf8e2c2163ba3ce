/**
 * One byte budget for the broker: received frames, unsent responses, reads under way and the tails
 * of the logs.
 */

/** Something that can give memory back: the tails of the logs. */
export interface Evictable {
  /** Gives back some memory by calling the budget's release; false when there is nothing left. */
  evict(): boolean
}

export class MemoryBudget {
  readonly total: number

  constructor(total: number) {
    this.total = total
  }

  /** Bytes reserved or retained now. */
  get used(): number {
    throw new Error('not built yet')
  }

  /** Takes the bytes if they are free (after evicting what can be), without waiting. */
  tryReserve(_bytes: number): boolean {
    throw new Error('not built yet')
  }

  /**
   * Waits until the bytes are free, in the order of the calls; small requests (16 KiB) have a reserve
   * of their own. A request larger than the budget waits until it is alone. Rejects with the
   * signal's reason.
   */
  reserve(_bytes: number, _signal?: AbortSignal): Promise<void> {
    throw new Error('not built yet')
  }

  /** Gives reserved bytes back. */
  release(_bytes: number): void {
    throw new Error('not built yet')
  }

  /** Counts a buffer that is kept in memory: once, however many hold it. */
  retain(_buffer: ArrayBufferLike): void {
    throw new Error('not built yet')
  }

  /** The opposite of one `retain`. */
  releaseBuffer(_buffer: ArrayBufferLike): void {
    throw new Error('not built yet')
  }

  /** Adds a holder that gives memory back when somebody needs it. */
  addEvictable(_holder: Evictable): void {
    throw new Error('not built yet')
  }
}
