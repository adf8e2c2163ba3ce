/**
 * The connections that speak HTTP, as others see them: found by the address that they come from, until they
 * end or become a WebSocket.
 */
import type { Socket } from 'node:net'
import type { Connection, ConnectionLog } from '../figures/connection-log.ts'
import { formatAddress } from './socket-transport.ts'

export class HttpConnections {
  readonly #log: ConnectionLog
  readonly #byAddress = new Map<string, Connection>()

  constructor(log: ConnectionLog) {
    this.#log = log
  }

  /** A connection that was accepted. */
  opened(socket: Socket): void {
    // One that was reset at once has no address any more.
    if (socket.destroyed || socket.remoteAddress === undefined) return
    const address = formatAddress(socket.remoteAddress, socket.remotePort)
    const connection = this.#log.open({
      protocol: 'http',
      address,
      isTls: (socket as { readonly encrypted?: boolean }).encrypted === true,
      bytes: new SocketBytes(socket),
    })
    this.#byAddress.set(address, connection)
    socket.on('close', () => this.#forget(address, connection))
  }

  /** The connection from this address. */
  of(address: string): Connection | undefined {
    return this.#byAddress.get(address)
  }

  /** It goes on as a WebSocket; returns what was known of it. */
  upgraded(address: string): { readonly software: string; readonly isTls: boolean } {
    const connection = this.#byAddress.get(address)
    if (connection === undefined) return { software: '', isTls: false }
    this.#forget(address, connection)
    const { software, isTls } = connection
    return { software, isTls }
  }

  #forget(address: string, connection: Connection): void {
    this.#log.close(connection)
    if (this.#byAddress.get(address) === connection) this.#byAddress.delete(address)
  }
}

class SocketBytes {
  readonly #socket: Socket

  constructor(socket: Socket) {
    this.#socket = socket
  }

  get bytesIn(): number {
    return this.#socket.bytesRead
  }

  get bytesOut(): number {
    return this.#socket.bytesWritten
  }
}
