/**
 * The seams through which code that is not a pure function reaches the world. Each is given to what
 * needs it when that is made: Node's implementations live in the `host/` folders, manual and
 * simulated ones beside the tests and in `sim/`. A lint rule keeps everything else from reaching
 * around them.
 */
import type { Chunks } from './bytes.ts'

/** A timer that was started. */
export interface Timer {
  cancel(): void
}

export interface Clock {
  /** Milliseconds since 1970. May jump either way: for stamps and retention only. */
  now(): number
  /** Milliseconds since some moment, never going back: for every time-out. */
  monotonic(): number
  /** Calls back once after `delayMs`. A timer never keeps a process alive by itself. */
  after(delayMs: number, callback: () => void): Timer
  /** Resolves in a later turn of the event loop, after the I/O that is ready. */
  yield(): Promise<void>
}

export interface Random {
  /** Bytes that nobody can guess. */
  bytes(length: number): Uint8Array
}

/** CRC-32C (Castagnoli) of the bytes, going on from the CRC of what lies before them (0 at first). */
export type Crc32c = (bytes: Uint8Array, previous: number) => number

/**
 * One side of a duplex stream of bytes: TCP, TLS, WebSocket, or a pair in memory. Whoever opens or
 * accepts it attaches a receiver before the first byte arrives.
 */
export interface Transport {
  /** Who is at the other end: `127.0.0.1:51234`. */
  readonly remoteAddress: string
  /** The address of this side, as the other one reached it; undefined where there is none. */
  readonly localAddress?: { readonly host: string; readonly port: number } | undefined
  /** Is it encrypted? False unless said. */
  readonly isSecure?: boolean
  /** Bytes given to `write` that have not left yet. */
  readonly unsentBytes: number
  /**
   * Does nobody but the receiver refer to the buffers of the chunks that it is given? Then it may free
   * those that hold nothing but a chunk. False unless said: the other side of a pair in memory gives
   * away views of what it keeps.
   */
  readonly givesBuffers?: boolean
  /**
   * Sends all the views, in order, as one gathered write (contract 12). They must not change until
   * `sent` is called. After the end of the connection it does nothing, and calls `sent` all the same.
   */
  write(chunks: Chunks, sent?: () => void): void
  /** Stops and resumes the reading: what the peer sends meanwhile waits with the peer. */
  pause(): void
  resume(): void
  /** Sends what was written, then ends the connection. */
  end(): void
  /** Ends the connection at once. */
  destroy(reason?: Error): void
}

/** What a transport reports. Nothing is called after `closed`. */
export interface Receiver {
  /** Bytes as they came; the view is the receiver's from now on. */
  received(chunk: Uint8Array): void
  /** The connection has ended, by the peer, by an error or by `destroy`. */
  closed(error: Error | undefined): void
}

/**
 * A receiver that says where the next bytes are to be stored, so that a frame's body lands in one
 * buffer of its size. Transports that cannot read into a buffer (WebSocket) call `received` instead.
 */
export interface BufferReceiver extends Receiver {
  /** Where to put the next bytes; at least one byte long. */
  buffer(): Uint8Array
  /** The first `length` bytes of the buffer that was last given are filled. */
  filled(length: number): void
}
