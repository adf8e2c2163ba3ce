/**
 * The native protocol's side of the broker: makes a session for each connection, ends it with the
 * connection, and watches over all of them with one timer.
 *
 * This file is the interface; what it guarantees is being written.
 */
import type { Clock, Engine, native, Receiver, Transport } from '@kaska/protocol'
import type { NativeLimits } from './native-limits.ts'

/** What the sessions need of the broker's byte budget (`MemoryBudget` is one). */
export interface ByteBudget {
  readonly total: number
  readonly used: number
  tryReserve(bytes: number): boolean
  reserve(bytes: number, signal?: AbortSignal): Promise<void>
  release(bytes: number): void
  /** Counts a buffer, once however many hold it. */
  retain(buffer: ArrayBufferLike): void
  releaseBuffer(buffer: ArrayBufferLike): void
}

export interface NativeProtocolOptions {
  readonly engine: Engine
  readonly clock: Clock
  readonly budget: ByteBudget
  /** `defaultLimits(budget.total)` unless given. */
  readonly limits?: Partial<NativeLimits>
  readonly identity: { readonly software: string; readonly clusterId: string }
  /** What a person who runs the broker should hear of: one line of text each. */
  readonly report: (line: string) => void
}

/** Counts since the protocol was made, but for `connections` and `requestsInFlight`: now. */
export interface NativeCounters {
  connections: number
  requestsInFlight: number
  connectionsAccepted: number
  requests: number
  /** Requests that were answered with an error. */
  failures: number
  /** Connections closed for what they sent. */
  refused: number
  /** Connections closed for lack of progress, or of any sign of life. */
  stalled: number
  /** Mistakes of our own that were answered with InternalError. */
  internalErrors: number
}

export interface NativeProtocol {
  readonly name: 'native'
  readonly limits: NativeLimits
  readonly counters: Readonly<NativeCounters>
  /** Does a connection that begins with this byte speak it? */
  matches(firstByte: number): boolean
  /** Makes the connection's session: the receiver of all its bytes, from the first on. */
  accept(transport: Transport): Receiver
  /** Takes no more requests, waits a little for the answers under way, and ends all sessions. */
  close(): Promise<void>
}

export function createNativeProtocol(_options: NativeProtocolOptions): NativeProtocol {
  throw new Error('not built yet')
}

/** The identity that `identify` answers with. */
export type NativeIdentity = native.BrokerIdentity
