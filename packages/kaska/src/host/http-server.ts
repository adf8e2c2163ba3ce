/**
 * HTTP and WebSocket on the broker's one port: a row of the listener's table over Node's HTTP server, which
 * never listens itself. Requests go to one function as the web's `Request`, and come back as `Response`;
 * a WebSocket becomes a `Transport` of the native protocol.
 *
 * Node's server ends connections that are slow to send their head or body, once it believes that it
 * listens, and those that do not read. All else that may wait here is bounded by `HttpLimits`. Requests
 * that come on one connection before its last one was answered wait for their turn, and not many of them: so a
 * connection has no more than one answer in memory.
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
  /** One whose answer nobody reads is closed after this; longer than any answer waits to begin. */
  readonly stuckMs: number
  /** Beyond so many connections those without a request are closed, and where there are none, new ones. */
  readonly connectionsMax: number
  /** A connection on which more requests than this wait for the answers before theirs is closed. */
  readonly waitingMax: number
  /** The longest head of a request. */
  readonly headBytesMax: number
  /** The longest WebSocket message that is taken. */
  readonly messageBytesMax: number
}

export const httpLimits: HttpLimits = {
  headMs: 10_000,
  requestMs: 120_000,
  idleMs: 60_000,
  stuckMs: 150_000,
  connectionsMax: 10_000,
  waitingMax: 100,
  headBytesMax: 16 * 1024,
  messageBytesMax: 1024 * 1024,
}

export interface HttpServerOptions {
  /** `ended` takes what is to be called when the answer was sent, or never will be. */
  fetch(
    request: Request,
    peer: HttpPeer,
    ended: (callback: () => void) => void,
  ): Response | Promise<Response>
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
/** How long `close` waits for answers under way, and a WebSocket for the other side's goodbye. */
const closeMs = 2000
/** How long the other side of a connection that is refused may go on. */
const refusedMs = 1000

export function createHttpServer(options: HttpServerOptions): HttpServer {
  const limits = { ...httpLimits, ...options.limits }
  const { headMs } = limits
  const listener = getRequestListener(
    (request, { incoming, outgoing }) =>
      options.fetch(request, peerOf(incoming.socket as Socket), (callback) =>
        // Who asks may have gone before.
        outgoing.closed ? callback() : outgoing.once('close', callback),
      ),
    { overrideGlobalObjects: false },
  )
  const server = createServer({
    headersTimeout: headMs,
    requestTimeout: limits.requestMs,
    keepAliveTimeout: limits.idleMs,
    connectionsCheckingInterval: Math.min(headMs, 5000),
    maxHeaderSize: limits.headBytesMax,
    // An upgrade to anything else is not wanted, and the request is one like any other.
    shouldUpgradeCallback: ({ headers }) => headers.upgrade?.toLowerCase() === 'websocket',
  })
  server.timeout = limits.stuckMs
  const webSocketOptions = {
    noServer: true,
    maxPayload: limits.messageBytesMax,
    perMessageDeflate: false,
    // Of one that was told to go: what its types do not know.
    closeTimeout: closeMs,
    handleProtocols: (offered: ReadonlySet<string>) =>
      offered.has(subprotocol) ? subprotocol : false,
  }
  const webSockets = new WebSocketServer(webSocketOptions)
  /** Of each connection the requests that are not answered: how many, and the end of the last one. */
  const answering = new Map<Duplex, { count: number; last: Promise<void> }>()
  server.on('request', (incoming, outgoing) => {
    const { socket } = incoming
    if (socket.destroyed) return
    const before = answering.get(socket)
    if (before !== undefined && before.count > limits.waitingMax) {
      const { address } = peerOf(socket)
      options.report(`http ${address}: closed: more than ${limits.waitingMax} requests wait on it`)
      socket.destroy()
      return
    }
    const answered = new Promise<void>((resolve) => {
      outgoing.once('close', () => {
        const line = answering.get(socket)
        if (line !== undefined && --line.count === 0) answering.delete(socket)
        resolve()
      })
    })
    answering.set(socket, { count: (before?.count ?? 0) + 1, last: answered })
    if (before === undefined) void listener(incoming, outgoing)
    else void before.last.then(() => (socket.destroyed ? undefined : listener(incoming, outgoing)))
  })
  server.on('upgrade', (incoming, socket, head) => {
    // Nothing may be said between the parts of another answer.
    if (answering.has(socket)) {
      socket.destroy()
      return
    }
    const refusal = refusalOf(incoming, socket as Socket, options)
    if (refusal !== undefined) {
      refuseSocket(socket, refusal)
      return
    }
    webSockets.handleUpgrade(incoming, socket, head, (webSocket) => {
      forget(socket)
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
    const isAnswering = answering.has(socket)
    if (error.code === 'ECONNRESET' || !socket.writable || isAnswering) socket.destroy()
    else refuseSocket(socket, new Response(null, { status: statusOf(error) }))
  })
  // It looks after its connections' time-outs from here on.
  server.emit('listening')
  /** Those that have not become a WebSocket. */
  const sockets = new Set<Duplex>()
  let whenEmpty: (() => void) | undefined
  const forget = (socket: Duplex) => {
    answering.delete(socket)
    sockets.delete(socket)
    if (sockets.size === 0) whenEmpty?.()
  }
  const isFull = () => {
    if (sockets.size < limits.connectionsMax) return false
    server.closeIdleConnections()
    let open = 0
    for (const socket of sockets) if (!socket.destroyed) open++
    return open >= limits.connectionsMax
  }
  return {
    name: 'http',
    matches: isHttp,
    accept(socket, firstBytes) {
      if (isFull()) {
        const { address } = peerOf(socket)
        options.report(`http ${address}: closed: there are ${limits.connectionsMax} connections`)
        socket.destroy()
        return
      }
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

/** Answers on a socket that Node's server has let go of, and ends it. */
function refuseSocket(socket: Duplex, response: Response): void {
  // A reset concerns nobody.
  socket.on('error', () => {})
  void response.text().then((text) => {
    const { status, headers } = response
    let head = `HTTP/1.1 ${status} ${STATUS_CODES[status] ?? ''}\r\nConnection: close\r\n`
    for (const [name, value] of headers) head += `${name}: ${value}\r\n`
    socket.end(`${head}Content-Length: ${Buffer.byteLength(text)}\r\n\r\n${text}`)
    // What still comes is thrown away, but not for long: a reset could take the answer with it.
    socket.resume()
    const timer = setTimeout(() => socket.destroy(), refusedMs)
    socket.once('close', () => clearTimeout(timer))
  })
}

function statusOf({ code }: NodeJS.ErrnoException): number {
  if (code === 'HPE_HEADER_OVERFLOW') return 431
  return code === 'ERR_HTTP_REQUEST_TIMEOUT' ? 408 : 400
}
