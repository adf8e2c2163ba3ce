/**
 * One port for all protocols: the first byte of a connection tells which it speaks. TLS is one of them,
 * within which the first byte tells again.
 *
 *   first byte --> 0x16: TLS handshake --> first byte --+
 *              --> any other: plain, where it may be ---+--> the protocol's from now on
 *
 * A connection is handed to the protocol of its first byte, with what was read; from then on it is
 * the protocol's, and so is its end. One that says nothing for a while, or begins with a byte that
 * nobody knows, is closed, and that is reported. Nothing that a connection does reaches the others; nor
 * do many of them together take the files away that the logs have to open.
 */
import { createServer, type Server, type Socket } from 'node:net'
import {
  AddressInUseError,
  type Clock,
  InvalidArgumentError,
  type Receiver,
  type Transport,
} from '@kaska/protocol'
import { openFilesLimit } from './open-files-limit.ts'
import { formatAddress, isLoopback, SocketTransport } from './socket-transport.ts'
import type { TlsPort } from './tls-port.ts'

/** A row of the listener's table. */
export interface SocketProtocol {
  readonly name: string
  /** Does a connection that begins with this byte speak it? */
  matches(firstByte: number): boolean
  /** Takes the socket over, with what was already read from it. */
  accept(socket: Socket, firstBytes: Uint8Array): void
}

/** One that a port has made for itself, and ends. */
export interface PortProtocol extends SocketProtocol {
  close(): Promise<void>
}

export interface ListenerOptions {
  readonly host: string
  /** 0 takes a free one. */
  readonly port: number
  /** Asked in their order; a connection that nobody matches is closed. */
  readonly protocols: readonly SocketProtocol[]
  /** What takes TLS; without it none is taken. With it connections from elsewhere are TLS, unless
   * `allowsPlain`; those from this machine may be plain. */
  readonly tls?: TlsPort | undefined
  readonly allowsPlain?: boolean
  readonly clock: Clock
  /** What a person who runs the broker should hear of: one line of text each. */
  readonly report: (line: string) => void
  /** Told why a connection was closed before a protocol had it. */
  readonly refused?: (address: string, reason: string) => void
  /** A connection that has not sent a byte after this time is closed; 30 s unless given. */
  readonly firstByteMs?: number
  /** More are closed at once. As many unless given as leave a quarter of the open files to the logs. */
  readonly connectionsMax?: number | undefined
}

export interface Listener {
  readonly host: string
  readonly port: number
  /** Takes no more connections. Those handed to a protocol are the protocol's to end. */
  close(): Promise<void>
}

const firstByteMsDefault = 30_000
/** What a process has open beside connections and the files of its logs. */
const otherFiles = 64
const backlog = 1024
/** With what a TLS connection begins: the record of a handshake. */
const tlsFirstByte = 0x16

/** Listens. Rejects with AddressInUseError, which names the port and the way out, and with
 * InvalidArgumentError for an address that this machine cannot listen on. */
export async function listen(options: ListenerOptions): Promise<Listener> {
  const { host, port, report, connectionsMax = connectionsMaxDefault() } = options
  const undecided = new Set<Socket>()
  const server = createServer({ noDelay: true }, (socket) => decide(socket, undecided, options))
  await new Promise<void>((resolve, reject) => {
    server.once('error', (error) => reject(listenError(error, host, port)))
    server.listen({ host, port, backlog }, () => {
      server.removeAllListeners('error')
      resolve()
    })
  })
  // A connection that could not be accepted, for want of a file descriptor for instance.
  server.on('error', (error) => report(`listener ${host}:${port}: ${error.message}`))
  if (connectionsMax !== undefined) {
    server.maxConnections = connectionsMax
    server.on('drop', (dropped) => {
      const from = formatAddress(dropped?.remoteAddress, dropped?.remotePort)
      const reason = `there are ${connectionsMax} connections; more need a larger limit of open files (ulimit -n)`
      report(`connection ${from}: closed: ${reason}`)
      options.refused?.(from, reason)
    })
  }
  const address = server.address()
  const bound = typeof address === 'object' && address !== null ? address.port : port
  return { host, port: bound, close: () => close(server, undecided) }
}

/** A protocol that wants a `Transport`, as a row of the table. */
export function overSockets(protocol: {
  readonly name: string
  matches(firstByte: number): boolean
  accept(transport: Transport): Receiver
  close(): Promise<void>
}): PortProtocol {
  return {
    name: protocol.name,
    close: () => protocol.close(),
    matches: (firstByte) => protocol.matches(firstByte),
    accept: (socket, firstBytes) => {
      const transport = new SocketTransport(socket)
      const receiver = protocol.accept(transport)
      transport.attach(receiver)
      receiver.received(firstBytes)
    },
  }
}

function connectionsMaxDefault(): number | undefined {
  const limit = openFilesLimit()
  return limit === undefined ? undefined : Math.max(1, Math.floor((limit * 3) / 4) - otherFiles)
}

/** Waits for a connection's first byte, and hands it to whom it concerns. */
function decide(
  socket: Socket,
  undecided: Set<Socket>,
  options: ListenerOptions,
  isSecure = false,
): void {
  const { clock, report, firstByteMs = firstByteMsDefault } = options
  const address = formatAddress(socket.remoteAddress, socket.remotePort)
  const refuse = (reason: string) => {
    report(`connection ${address}: closed: ${reason}`)
    options.refused?.(address, reason)
    socket.destroy()
  }
  undecided.add(socket)
  const timer = clock.after(firstByteMs, () => refuse('it has sent nothing'))
  const forget = () => {
    timer.cancel()
    undecided.delete(socket)
  }
  // The reset of a connection that nobody has taken yet concerns nobody.
  const ignore = () => {}
  socket.on('error', ignore)
  socket.on('close', forget)
  socket.once('data', (chunk: Uint8Array) => {
    const { tls } = options
    if (tls !== undefined && !isSecure && chunk[0] === tlsFirstByte) {
      timer.cancel()
      tls.accept(socket, chunk, (secure) => {
        forget()
        decide(secure, undecided, options, true)
      })
      return
    }
    const protocol = isSecure ? protocolOf(chunk, options) : plainProtocolOf(socket, chunk, options)
    if (typeof protocol === 'string') {
      refuse(protocol)
      return
    }
    socket.off('close', forget)
    socket.off('error', ignore)
    forget()
    protocol.accept(socket, chunk)
  })
}

/** Who takes a connection that is not TLS, or why nobody does. */
function plainProtocolOf(
  socket: Socket,
  chunk: Uint8Array,
  options: ListenerOptions,
): SocketProtocol | string {
  const { tls, allowsPlain = false } = options
  if (tls === undefined && chunk[0] === tlsFirstByte) {
    return 'it speaks TLS, and the broker has no certificate (--tls-cert, --tls-key)'
  }
  if (tls !== undefined && !allowsPlain && !isLoopback(socket.remoteAddress)) {
    return 'it does not speak TLS: from other machines that is taken with --plaintext alone'
  }
  return protocolOf(chunk, options)
}

function protocolOf(chunk: Uint8Array, { protocols }: ListenerOptions): SocketProtocol | string {
  const firstByte = chunk[0] as number
  const byte = `0x${firstByte.toString(16).padStart(2, '0')}`
  return protocols.find(({ matches }) => matches(firstByte)) ?? `no protocol begins with ${byte}`
}

function close(server: Server, undecided: ReadonlySet<Socket>): Promise<void> {
  for (const socket of undecided) socket.destroy()
  // The server's own `close` event waits for all connections: those are not ours to wait for.
  server.close()
  return Promise.resolve()
}

function listenError(error: NodeJS.ErrnoException, host: string, port: number): Error {
  const where = `${host}:${port}`
  if (error.code === 'EADDRINUSE') {
    return new AddressInUseError(
      `port ${port} on ${host} is in use by another program: stop it, or take another port with --port`,
      { cause: error },
    )
  }
  return new InvalidArgumentError(`cannot listen on ${where}: ${error.message}`, { cause: error })
}
