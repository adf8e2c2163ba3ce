/**
 * One port for all protocols: the first byte of a connection tells which it speaks.
 *
 * This file is the interface; what it guarantees is being written.
 */
import type { Socket } from 'node:net'
import type { Clock, Receiver, Transport } from '@kaska/protocol'

/** A row of the listener's table. */
export interface SocketProtocol {
  readonly name: string
  /** Does a connection that begins with this byte speak it? */
  matches(firstByte: number): boolean
  /** Takes the socket over, with what was already read from it. */
  accept(socket: Socket, firstBytes: Uint8Array): void
}

export interface ListenerOptions {
  readonly host: string
  /** 0 takes a free one. */
  readonly port: number
  /** Asked in their order; a connection that nobody matches is closed. */
  readonly protocols: readonly SocketProtocol[]
  readonly clock: Clock
  readonly report: (line: string) => void
  /** A connection that has not sent a byte after this time is closed; 30 s unless given. */
  readonly firstByteMs?: number
}

export interface Listener {
  readonly host: string
  readonly port: number
  /** Takes no more connections. Those handed to a protocol are the protocol's to end. */
  close(): Promise<void>
}

/** Rejects with AddressInUseError, which names the port and the way out. */
export function listen(_options: ListenerOptions): Promise<Listener> {
  throw new Error('not built yet')
}

/** A protocol that wants a `Transport`, as a row of the table: the native one. */
export function overSockets(_protocol: {
  readonly name: string
  matches(firstByte: number): boolean
  accept(transport: Transport): Receiver
}): SocketProtocol {
  throw new Error('not built yet')
}
