/**
 * Two transports in memory, each the other's far end: for clients and brokers in one process, for
 * tests and for the simulation.
 *
 * The views that one side writes are the views that the other side receives, by identity, in order.
 * Nothing is delivered within a call of `write`: deliveries run in a later microtask (or wherever
 * `schedule` puts them), and one delivery brings all that was written before it. There is no buffer
 * between the sides: what a paused side has not received counts as unsent at the other.
 */
import { type Chunks, chunksLength } from './bytes.ts'
import type { Receiver, Transport } from './seams.ts'

export interface TransportPairOptions {
  /** Runs the callback soon, but not at once; `queueMicrotask` unless given. */
  readonly schedule?: (callback: () => void) => void
  /** What each side says of the other: 'memory' unless given. */
  readonly remoteAddresses?: readonly [string, string]
}

/** One side of a pair. Bytes that arrive before `attach` wait. */
export interface MemoryTransport extends Transport {
  attach(receiver: Receiver): void
}

/** Makes both sides. */
export function createTransportPair(
  options: TransportPairOptions = {},
): readonly [MemoryTransport, MemoryTransport] {
  const schedule = options.schedule ?? queueMicrotask
  const [leftPeer, rightPeer] = options.remoteAddresses ?? ['memory', 'memory']
  const left = new Side(leftPeer, schedule)
  const right = new Side(rightPeer, schedule)
  left.connectTo(right)
  right.connectTo(left)
  return [left, right]
}

interface PendingWrite {
  readonly chunks: Chunks
  readonly sent: (() => void) | undefined
}

class Side implements MemoryTransport {
  readonly remoteAddress: string
  readonly #schedule: (callback: () => void) => void
  #peer: Side | undefined
  #receiver: Receiver | undefined
  #isPaused = false
  #isEnding = false
  #isClosed = false
  #isScheduled = false
  /** What this side wrote and the peer has not received; the first `#chunksSent` chunks of the
   * first write are already there. */
  readonly #unsent: PendingWrite[] = []
  #chunksSent = 0
  #unsentBytes = 0

  constructor(remoteAddress: string, schedule: (callback: () => void) => void) {
    this.remoteAddress = remoteAddress
    this.#schedule = schedule
  }

  connectTo(peer: Side): void {
    this.#peer = peer
  }

  get unsentBytes(): number {
    return this.#unsentBytes
  }

  attach(receiver: Receiver): void {
    this.#receiver = receiver
    this.#peer?.deliverSoon()
  }

  write(chunks: Chunks, sent?: () => void): void {
    if (this.#isClosed || this.#isEnding) {
      if (sent !== undefined) this.#schedule(sent)
      return
    }
    this.#unsent.push({ chunks, sent })
    this.#unsentBytes += chunksLength(chunks)
    this.deliverSoon()
  }

  pause(): void {
    this.#isPaused = true
  }

  resume(): void {
    if (!this.#isPaused) return
    this.#isPaused = false
    this.#peer?.deliverSoon()
  }

  end(): void {
    this.#isEnding = true
    this.deliverSoon()
  }

  destroy(reason?: Error): void {
    if (this.#isClosed) return
    this.#schedule(() => {
      this.close(reason)
      this.#peer?.close(undefined)
    })
  }

  deliverSoon(): void {
    if (this.#isScheduled || this.#isClosed) return
    this.#isScheduled = true
    this.#schedule(() => {
      this.#isScheduled = false
      this.#deliver()
    })
  }

  #deliver(): void {
    const peer = this.#peer
    if (peer === undefined) return
    const receiver = peer.#receiver
    if (receiver === undefined) return
    // The receiver may pause, end or destroy in any call: so each step looks again.
    for (;;) {
      const write = this.#unsent[0]
      if (write === undefined || this.#isClosed || peer.#isPaused) break
      const chunk = write.chunks[this.#chunksSent]
      if (chunk === undefined) {
        this.#unsent.shift()
        this.#chunksSent = 0
        write.sent?.()
        continue
      }
      this.#chunksSent++
      this.#unsentBytes -= chunk.length
      if (chunk.length > 0) receiver.received(chunk)
    }
    if (this.#isEnding && this.#unsent.length === 0 && !this.#isClosed) {
      this.close(undefined)
      peer.close(undefined)
    }
  }

  close(error: Error | undefined): void {
    if (this.#isClosed) return
    this.#isClosed = true
    this.#unsentBytes = 0
    this.#receiver?.closed(error)
    for (const { sent } of this.#unsent.splice(0)) sent?.()
  }
}
