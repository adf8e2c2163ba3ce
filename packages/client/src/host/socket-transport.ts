/** A socket of Node as a `Transport`, over TCP or TLS. */
import net from 'node:net'
import tls from 'node:tls'
import type { BufferReceiver, Chunks, Transport } from '@kaska/protocol'
import type { Dialer } from '../seams.ts'

export interface SocketAddress {
  readonly host: string
  readonly port: number
}

/** What can be set of Node's TLS. Spelled out, so that the declarations need no types of Node. */
export interface TlsOptions {
  /** Whom to trust, instead of those whom Node trusts: certificates as PEM. */
  readonly ca?: string | string[]
  /** The client's own certificate and its key, as PEM. */
  readonly cert?: string
  readonly key?: string
  readonly passphrase?: string
  /** The name that the broker's certificate has to have; the URL's host unless said. */
  readonly servername?: string
  /** False trusts anybody. */
  readonly rejectUnauthorized?: boolean
  readonly minVersion?: 'TLSv1.2' | 'TLSv1.3'
}

/** Connections over TCP. The receiver says where the bytes land (contract 11). */
export function createTcpDialer({ host, port }: SocketAddress): Dialer {
  return {
    address: formatAddress(host, port),
    dial: (receiver, signal) => {
      const socket = net.connect({
        host,
        port,
        noDelay: true,
        keepAlive: true,
        onread: {
          buffer: () => receiver.buffer(),
          callback: (length) => {
            receiver.filled(length)
            return true
          },
        },
      })
      return opened(socket, 'connect', receiver, signal)
    },
  }
}

/** Connections over TLS; its own copy out of the encrypted bytes is the exception of contract 11. */
export function createTlsDialer({ host, port }: SocketAddress, options: TlsOptions): Dialer {
  return {
    address: formatAddress(host, port),
    dial: (receiver, signal) => {
      const servername = net.isIP(host) === 0 ? host : ''
      const socket = tls.connect({ servername, ...options, host, port })
      socket.setNoDelay(true)
      socket.setKeepAlive(true)
      socket.on('data', (chunk: Uint8Array) => fill(receiver, chunk))
      return opened(socket, 'secureConnect', receiver, signal)
    },
  }
}

function opened(
  socket: net.Socket,
  event: 'connect' | 'secureConnect',
  receiver: BufferReceiver,
  signal: AbortSignal,
): Promise<Transport> {
  return new Promise((resolve, reject) => {
    let lastError: Error | undefined
    let isOpen = false
    const abort = () => {
      reject(signal.reason)
      socket.destroy()
    }
    signal.addEventListener('abort', abort, { once: true })
    socket.on('error', (error) => {
      lastError = plainError(error)
    })
    socket.on('close', () => {
      signal.removeEventListener('abort', abort)
      if (isOpen) receiver.closed(lastError)
      else reject(lastError ?? new Error('the connection was closed at once'))
    })
    socket.once(event, () => {
      signal.removeEventListener('abort', abort)
      isOpen = true
      resolve(new SocketTransport(socket))
    })
    if (signal.aborted) abort()
  })
}

/** Tries of several addresses of one name end in an error without a text of its own. */
function plainError(error: Error): Error {
  if (error.message !== '' || !(error instanceof AggregateError)) return error
  const [first] = error.errors
  return first instanceof Error ? first : error
}

/** Copies a chunk to where the receiver wants it. */
function fill(receiver: BufferReceiver, chunk: Uint8Array): void {
  for (let position = 0; position < chunk.length; ) {
    const buffer = receiver.buffer()
    const part = chunk.subarray(position, position + buffer.length)
    buffer.set(part)
    receiver.filled(part.length)
    position += part.length
  }
}

class SocketTransport implements Transport {
  readonly remoteAddress: string
  readonly #socket: net.Socket

  constructor(socket: net.Socket) {
    this.#socket = socket
    this.remoteAddress = formatAddress(socket.remoteAddress ?? '', socket.remotePort ?? 0)
  }

  get unsentBytes(): number {
    return this.#socket.writableLength
  }

  write(chunks: Chunks, sent?: () => void): void {
    const socket = this.#socket
    const last = chunks.length - 1
    if (last < 0 || !socket.writable) {
      if (sent !== undefined) queueMicrotask(sent)
      return
    }
    if (last === 0) {
      socket.write(chunks[0] as Uint8Array, sent)
      return
    }
    // One writev for all of it (contract 12).
    socket.cork()
    for (let index = 0; index < last; index++) socket.write(chunks[index] as Uint8Array)
    socket.write(chunks[last] as Uint8Array, sent)
    socket.uncork()
  }

  pause(): void {
    this.#socket.pause()
  }

  resume(): void {
    this.#socket.resume()
  }

  end(): void {
    this.#socket.end()
  }

  destroy(reason?: Error): void {
    this.#socket.destroy(reason)
  }
}

function formatAddress(host: string, port: number): string {
  return host.includes(':') ? `[${host}]:${port}` : `${host}:${port}`
}
