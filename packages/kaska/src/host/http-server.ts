/**
 * HTTP and WebSocket on the broker's one port: a row of the listener's table over Node's HTTP server, which
 * never listens itself. Requests go to one function as the web's `Request`, and come back as `Response`;
 * a WebSocket becomes a `Transport` of the native protocol.
 *
 * Node's server ends connections that are slow to send their head or body, once it believes that it
 * listens. All else that may wait here is bounded by `HttpLimits`.
 */
import { createServer, type IncomingMessage, STATUS_CODES } from 'node:http'
import type { Socket } from 'node:net'
import type { Duplex } from 'node:stream'
import { TLSSocket } from 'node:tls'
import { getRequestListener } from '@hono/node-server'
import type { Receiver, Transport } from '@kaska/protocol'
import { WebSocketServer } from 'ws'
import { isHttp } from './http-byte.ts'
import type { SocketProtocol } from './listener.ts'
import { formatAddress, plainAddress } from './socket-transport.ts'
import { WebSocketTransport } from './web-socket-transport.ts'

/** Who asks. */
export interface HttpPeer {
  /** `127.0.0.1:51234` */
  readonly address: string
  readonly isTls: boolean
}

export interface HttpLimits {
  /** Until a request's head is there. */
  readonly headMs: number
  /** Until a request is there with its body. */
  readonly requestMs: number
  /** A connection without a request is closed after this. */
  readonly idleMs: number
  /** The longest WebSocket message that is taken. */
  readonly messageBytesMax: number
}

export const httpLimits: HttpLimits = {
  headMs: 10_000,
  requestMs: 120_000,
  idleMs: 60_000,
  messageBytesMax: 1024 * 1024,
}

export interface HttpServerOptions {
  fetch(request: Request, peer: HttpPeer): Response | Promise<Response>
  /** A response that refuses to open a WebSocket; undefined where it may be opened. */
  refuseUpgrade(request: Request, peer: HttpPeer): Response | undefined
  /** Takes over a connection that was opened as a WebSocket. */
  accept(transport: Transport): Receiver
  readonly limits?: Partial<HttpLimits>
  readonly report: (line: string) => void
}

export interface HttpServer extends SocketProtocol {
  /** Ends the connections that wait for a request at once, and all others a little later. */
  close(): Promise<void>
}

const subprotocol = 'kaska'
/** How long `close` waits for answers under way. */
const closeMs = 2000

export function createHttpServer(options: HttpServerOptions): HttpServer {
  const { headMs, requestMs, idleMs, messageBytesMax } = { ...httpLimits, ...options.limits }
  const listener = getRequestListener(
    (request, { incoming }) => options.fetch(request, peerOf(incoming.socket as Socket)),
    { overrideGlobalObjects: false },
  )
  const server = createServer({
    headersTimeout: headMs,
    requestTimeout: requestMs,
    keepAliveTimeout: idleMs,
    connectionsCheckingInterval: Math.min(headMs, 5000),
  })
  const webSockets = new WebSocketServer({
    noServer: true,
    maxPayload: messageBytesMax,
    perMessageDeflate: false,
    handleProtocols: (offered) => (offered.has(subprotocol) ? subprotocol : false),
  })
  server.on('request', (incoming, outgoing) => void listener(incoming, outgoing))
  server.on('upgrade', (incoming, socket, head) => {
    const refusal = refusalOf(incoming, socket as Socket, options)
    if (refusal !== undefined) {
      refuseSocket(socket, refusal)
      return
    }
    webSockets.handleUpgrade(incoming, socket, head, (webSocket) => {
      const { localAddress: host, localPort: port } = socket as Socket
      const transport = new WebSocketTransport(webSocket, socket, {
        remoteAddress: peerOf(socket as Socket).address,
        localAddress:
          host === undefined || port === undefined ? undefined : { host: plainAddress(host), port },
      })
      transport.attach(options.accept(transport))
    })
  })
  server.on('clientError', (error: NodeJS.ErrnoException, socket) => {
    if (error.code === 'ECONNRESET' || !socket.writable) socket.destroy()
    else refuseSocket(socket, new Response(null, { status: statusOf(error) }))
  })
  // It looks after its connections' time-outs from here on.
  server.emit('listening')
  /** Those that have not become a WebSocket. */
  const sockets = new Set<Duplex>()
  let whenEmpty: (() => void) | undefined
  const forget = (socket: Duplex) => {
    sockets.delete(socket)
    if (sockets.size === 0) whenEmpty?.()
  }
  server.on('upgrade', (_incoming, socket) => forget(socket))
  return {
    name: 'http',
    matches: isHttp,
    accept(socket, firstBytes) {
      sockets.add(socket)
      socket.on('close', () => forget(socket))
      socket.unshift(firstBytes)
      server.emit('connection', socket)
    },
    async close() {
      // Ends those that wait for a request, and the timer.
      server.close()
      if (sockets.size === 0) return
      await new Promise<void>((resolve) => {
        whenEmpty = resolve
        setTimeout(() => {
          for (const socket of sockets) socket.destroy()
        }, closeMs).unref()
      })
    },
  }
}

function peerOf(socket: Socket): HttpPeer {
  return {
    address: formatAddress(socket.remoteAddress, socket.remotePort),
    isTls: socket instanceof TLSSocket,
  }
}

function refusalOf(
  incoming: IncomingMessage,
  socket: Socket,
  options: HttpServerOptions,
): Response | undefined {
  try {
    const { url = '/', method = 'GET' } = incoming
    const headers = new Headers()
    for (let index = 0; index + 1 < incoming.rawHeaders.length; index += 2) {
      headers.append(incoming.rawHeaders[index] as string, incoming.rawHeaders[index + 1] as string)
    }
    // Its host is in the field of that name: this one only makes the path absolute.
    const request = new Request(new URL(url, 'http://kaska.invalid'), { method, headers })
    return options.refuseUpgrade(request, peerOf(socket))
  } catch {
    return new Response(null, { status: 400 })
  }
}

function refuseSocket(socket: Duplex, response: Response): void {
  const { status, headers } = response
  const type = headers.get('content-type')
  void response.text().then((text) => {
    socket.end(
      `HTTP/1.1 ${status} ${STATUS_CODES[status] ?? ''}\r\nConnection: close\r\n` +
        `${type === null ? '' : `Content-Type: ${type}\r\n`}` +
        `Content-Length: ${Buffer.byteLength(text)}\r\n\r\n${text}`,
    )
  })
}

function statusOf({ code }: NodeJS.ErrnoException): number {
  if (code === 'HPE_HEADER_OVERFLOW') return 431
  return code === 'ERR_HTTP_REQUEST_TIMEOUT' ? 408 : 400
}
