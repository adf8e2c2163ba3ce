/**
 * Whether a connection goes on. Looked at now and then, it says when something has not moved for too
 * long; it reads no clock and starts no timer of its own.
 *
 *   what                                    must within                 else
 *   a frame (or the preamble) under way     stallMs bring 1/64 of it    refuse
 *   an unsent answer                        stallMs leave by 1/64       destroy
 *   a frame that waits for the budget       3 stallMs be granted        overloaded
 *   silence, nothing under way              idleMs end                  ping
 *   silence after the ping                  pingMs end                  destroy
 *
 * The fraction is what makes a drip of single bytes no progress: a frame takes at most 64 times
 * `stallMs`, however long it is. While this side takes nothing on, the other cannot be blamed: then
 * only its unsent answers are watched.
 */

/** The times of the table above, in milliseconds. */
export interface ProgressLimits {
  readonly stallMs: number
  readonly idleMs: number
  readonly pingMs: number
}

/** How a connection stands. */
export interface ConnectionState {
  readonly receivedBytes: number
  /** Frames received whole. */
  readonly frameCount: number
  /** The length of the frame under way; 0 where it is not known. */
  readonly frameLength: number
  /** Is a frame, or the preamble, under way? */
  readonly isExpecting: boolean
  /** Does this side wait for memory before it reads on? */
  readonly isWaiting: boolean
  /** Does this side take no frames because too much is under way? */
  readonly isHeldBack: boolean
  readonly writtenBytes: number
  readonly unsentBytes: number
}

export interface Verdict {
  readonly action: 'ping' | 'refuse' | 'overloaded' | 'destroy'
  readonly reason: string
}

const fraction = 64
const waitsMax = 3
const never = -1

export class ProgressWatch {
  readonly #limits: ProgressLimits
  /** When the frame under way last made progress, and how far it was. */
  #inputSince = never
  #inputBytes = 0
  #inputFrame = 0
  #outputSince = never
  #outputBytes = 0
  #outputDue = 0
  #waitingSince = never
  #heardSince: number
  #heardBytes = 0
  #isPinged = false

  constructor(limits: ProgressLimits, now: number) {
    this.#limits = limits
    this.#heardSince = Math.floor(now)
  }

  /** What is to be done with the connection; undefined while it goes on. */
  check(time: number, state: ConnectionState): Verdict | undefined {
    // Whole milliseconds are small integers, which a session holds at no cost.
    const now = Math.floor(time)
    return this.#checkOutput(now, state) ?? this.#checkInput(now, state) ?? this.#hear(now, state)
  }

  #checkOutput(now: number, state: ConnectionState): Verdict | undefined {
    if (state.unsentBytes === 0) {
      this.#outputSince = never
      return undefined
    }
    const sent = state.writtenBytes - state.unsentBytes
    if (this.#outputSince === never || sent - this.#outputBytes >= this.#outputDue) {
      this.#outputSince = now
      this.#outputBytes = sent
      this.#outputDue = Math.max(1, Math.floor(state.unsentBytes / fraction))
      return undefined
    }
    if (now - this.#outputSince < this.#limits.stallMs) return undefined
    return { action: 'destroy', reason: `it did not take its answers, ${state.unsentBytes} bytes` }
  }

  #checkInput(now: number, state: ConnectionState): Verdict | undefined {
    if (!state.isWaiting) this.#waitingSince = never
    else if (this.#waitingSince === never) this.#waitingSince = now
    else if (now - this.#waitingSince >= this.#limits.stallMs * waitsMax) {
      return { action: 'overloaded', reason: 'the broker has no memory free for its frame' }
    }
    if (!state.isExpecting || state.isWaiting || state.isHeldBack) {
      this.#inputSince = never
      return undefined
    }
    const due = Math.max(1, Math.floor(state.frameLength / fraction))
    const isNew = this.#inputSince === never || state.frameCount !== this.#inputFrame
    if (isNew || state.receivedBytes - this.#inputBytes >= due) {
      this.#inputSince = now
      this.#inputBytes = state.receivedBytes
      this.#inputFrame = state.frameCount
      return undefined
    }
    if (now - this.#inputSince < this.#limits.stallMs) return undefined
    return { action: 'refuse', reason: 'a frame under way made no progress' }
  }

  #hear(now: number, state: ConnectionState): Verdict | undefined {
    const isHeard = state.receivedBytes !== this.#heardBytes
    if (isHeard || state.isWaiting || state.isHeldBack || state.unsentBytes > 0) {
      this.#heardSince = now
      this.#heardBytes = state.receivedBytes
      this.#isPinged = false
      return undefined
    }
    const silence = now - this.#heardSince
    const { idleMs, pingMs } = this.#limits
    if (silence >= idleMs + pingMs && this.#isPinged) {
      return { action: 'destroy', reason: 'it did not answer a ping' }
    }
    if (silence < idleMs || this.#isPinged) return undefined
    this.#isPinged = true
    return { action: 'ping', reason: 'it was silent' }
  }
}
