/**
 * The frames of one connection, paid for from the broker's byte budget.
 *
 *   chunk arrives -> reserve it -> count its buffer, give the reservation back -> assemble
 *   frame begun   -> reserve what is missing of it -> each further chunk is paid from that
 *                    (a large one waits for its turn among the large ones first)
 *
 * Where the budget has nothing free the intake waits, and takes nothing on meanwhile: the session
 * pauses its transport. A chunk that arrives all the same is held, uncounted: the one or two that a
 * socket had read before it was paused. A chunk's buffer is counted until the last frame with a part
 * of it was released.
 */
import type { Chunks } from '@kaska/protocol'
import type { ByteBudget } from './byte-budget.ts'
import { FrameAssembler, type LengthForm } from './frame-assembler.ts'

/** A frame beyond this is large: together they may only have a part of the budget. */
const largeFrameBytes = 1024 * 1024

export interface FrameIntakeOptions {
  readonly lengthForm: LengthForm
  readonly frameBytesMax: number
  /** Called when a wait for the budget has ended. */
  readonly granted: () => void
  /** Does nobody else refer to the buffers in which the chunks arrive? */
  readonly ownsChunks: boolean
}

export class FrameIntake {
  readonly #budget: ByteBudget
  readonly #granted: () => void
  readonly #ownsChunks: boolean
  readonly #assembler: FrameAssembler
  /** Chunks that no later frame will have a part of; their count is still to be given back. */
  #consumed: Uint8Array[] = []
  /** Reserved for what is missing of the frame under way. */
  #reserved = 0
  /** The length of the large frame under way, while it is among those let in. */
  #entered = 0
  /** What arrived while the intake waited. */
  #held: Uint8Array[] = []
  #waiting: AbortController | undefined
  #isClosed = false
  /** Bytes that have arrived so far. */
  receivedBytes = 0

  constructor(budget: ByteBudget, options: FrameIntakeOptions) {
    const { lengthForm, frameBytesMax, granted, ownsChunks } = options
    this.#budget = budget
    this.#granted = granted
    this.#ownsChunks = ownsChunks
    const consumed = (chunk: Uint8Array) => void this.#consumed.push(chunk)
    this.#assembler = new FrameAssembler(lengthForm, frameBytesMax, consumed)
  }

  /** Does it wait for the budget? Then the transport is to be paused. */
  get isWaiting(): boolean {
    return this.#waiting !== undefined
  }

  /** Has a part of a frame arrived that `next` has not given? */
  get isPartial(): boolean {
    return this.#assembler.isPartial
  }

  /** The length of the frame under way; 0 where it is not known. */
  get frameLength(): number {
    return this.#assembler.frameLength
  }

  /** Frames given so far. */
  get frameCount(): number {
    return this.#assembler.frameCount
  }

  /** Takes bytes as they came. */
  push(chunk: Uint8Array): void {
    if (chunk.length === 0 || this.#isClosed) return
    this.receivedBytes += chunk.length
    this.#take(chunk)
  }

  /** The next frame; undefined while it is not whole or not paid for. Throws ProtocolError. */
  next(): Chunks | undefined {
    if (this.#waiting !== undefined) return undefined
    const frame = this.#assembler.next()
    const consumed = this.#consumed
    if (frame === undefined) {
      if (consumed.length > 0) this.#giveBack(consumed)
      this.#reserveMissing()
      return undefined
    }
    this.#leave()
    if (frame.length === 1 && consumed.length === 1 && frame[0]?.buffer === consumed[0]?.buffer) {
      // The usual case: the frame takes over what counts its only chunk.
      consumed.length = 0
      return frame
    }
    for (const view of frame) this.#budget.retain(view.buffer)
    if (consumed.length > 0) this.#giveBack(consumed)
    return frame
  }

  /** Says that nobody needs the frame's views any more, but those who count them themselves. */
  release(frame: Chunks): void {
    for (const view of frame) this.#budget.releaseBuffer(view.buffer)
  }

  /** What arrived and is in no frame: for telling what a refused frame was. */
  rest(): Chunks {
    return this.#assembler.rest()
  }

  /** Gives back all but the frames that were given. Later chunks are dropped. */
  close(): void {
    if (this.#isClosed) return
    this.#isClosed = true
    this.#waiting?.abort(new Error('the connection has ended'))
    this.#held = []
    this.#assembler.clear()
    this.#giveBack(this.#consumed)
    this.#budget.release(this.#reserved)
    this.#reserved = 0
    this.#leave()
  }

  #take(chunk: Uint8Array): void {
    if (this.#waiting !== undefined) {
      this.#held.push(chunk)
      return
    }
    const paid = Math.min(chunk.length, this.#reserved)
    const extra = chunk.length - paid
    if (extra > 0 && !this.#budget.tryReserve(extra)) {
      this.#waitForBytes(extra, () => {
        this.#reserved += extra
        this.#take(chunk)
      })
      return
    }
    // Counted before the reservation is given back, so that nobody is granted it in between.
    this.#budget.retain(chunk.buffer, this.#ownsChunks && isWholeBuffer(chunk))
    this.#budget.release(chunk.length)
    this.#reserved -= paid
    this.#assembler.push(chunk)
  }

  #reserveMissing(): void {
    const wanted = this.#assembler.missing - this.#reserved
    if (wanted <= 0) return
    const { largeFrames } = this.#budget
    const length = this.#assembler.frameLength
    if (length > largeFrameBytes && this.#entered === 0 && !largeFrames.tryEnter(length)) {
      this.#wait({
        start: (signal) => largeFrames.enter(length, signal),
        granted: () => {
          this.#entered = length
          this.#reserveMissing()
        },
        tooLate: () => largeFrames.leave(length),
      })
      return
    }
    if (length > largeFrameBytes) this.#entered = length
    if (this.#budget.tryReserve(wanted)) {
      this.#reserved += wanted
      return
    }
    this.#waitForBytes(wanted, () => {
      this.#reserved += wanted
    })
  }

  #leave(): void {
    if (this.#entered === 0) return
    const bytes = this.#entered
    this.#entered = 0
    this.#budget.largeFrames.leave(bytes)
  }

  #waitForBytes(bytes: number, granted: () => void): void {
    this.#wait({
      start: (signal) => this.#budget.reserve(bytes, signal),
      granted,
      tooLate: () => this.#budget.release(bytes),
    })
  }

  #wait(wait: {
    readonly start: (signal: AbortSignal) => Promise<void>
    readonly granted: () => void
    /** It was granted when the connection had ended. */
    readonly tooLate: () => void
  }): void {
    const waiting = new AbortController()
    this.#waiting = waiting
    wait.start(waiting.signal).then(
      () => {
        if (this.#isClosed) {
          wait.tooLate()
          return
        }
        this.#waiting = undefined
        wait.granted()
        for (const chunk of this.#held.splice(0)) this.#take(chunk)
        this.#granted()
      },
      // Only `close` ends the wait, and it has given back everything else.
      () => {},
    )
  }

  #giveBack(chunks: Uint8Array[]): void {
    for (const chunk of chunks) this.#budget.releaseBuffer(chunk.buffer)
    chunks.length = 0
  }
}

/** A small buffer is not worth the call that frees it, nor is one certain to be the chunk's alone. */
const ownedBytesMin = 4096

function isWholeBuffer(chunk: Uint8Array): boolean {
  return chunk.length >= ownedBytesMin && chunk.length === chunk.buffer.byteLength
}
