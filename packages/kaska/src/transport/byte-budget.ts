/**
 * What a session needs of the broker's byte budget; the log's `MemoryBudget` is one.
 *
 * Bytes that are to come are reserved. Bytes that are there are counted by their backing ArrayBuffer,
 * once however many hold it: so a message is counted once while its frame, the log's queue and the
 * log's tail all hold views of the same buffer.
 */
export interface ByteBudget {
  /** To be entered by large frames, with their length, before any of it is reserved; FIFO. */
  readonly largeFrames: {
    tryEnter(bytes: number): boolean
    /** Rejects with the signal's reason. */
    enter(bytes: number, signal?: AbortSignal): Promise<void>
    leave(bytes: number): void
  }
  /** Bytes that may be in use. */
  readonly total: number
  /** Bytes reserved or kept now. */
  readonly used: number
  /** Takes the bytes if they are free, without waiting. */
  tryReserve(bytes: number): boolean
  /** Waits for the bytes in the order of the calls; rejects with the signal's reason. */
  reserve(bytes: number, signal?: AbortSignal): Promise<void>
  /** Gives reserved bytes back. */
  release(bytes: number): void
  /** Counts a buffer that is kept; never refused. `isOwned`: it may be freed when nobody is counted
   * any more, since nobody else refers to it. Said the first time. */
  retain(buffer: ArrayBufferLike, isOwned?: boolean): void
  /** The opposite of one `retain`. */
  releaseBuffer(buffer: ArrayBufferLike): void
}
