/**
 * A `Transport` over an accepted WebSocket. The views of what is written leave by identity, each as a
 * fragment of one message, in one gathered write. A message's boundaries mean nothing to the receiver.
 */
import type { Duplex } from 'node:stream'
import type { Chunks, Receiver, Transport } from '@kaska/protocol'
import type { RawData, WebSocket } from 'ws'

export interface WebSocketAddresses {
  /** `127.0.0.1:51234` */
  readonly remoteAddress: string
  readonly localAddress: { readonly host: string; readonly port: number } | undefined
}

export class WebSocketTransport implements Transport {
  readonly remoteAddress: string
  readonly localAddress: { readonly host: string; readonly port: number } | undefined
  readonly #webSocket: WebSocket
  readonly #socket: Duplex

  constructor(webSocket: WebSocket, socket: Duplex, addresses: WebSocketAddresses) {
    this.#webSocket = webSocket
    this.#socket = socket
    this.remoteAddress = addresses.remoteAddress
    this.localAddress = addresses.localAddress
    webSocket.binaryType = 'fragments'
  }

  /** From now on the receiver is told of everything. To be called once, before bytes arrive. */
  attach(receiver: Receiver): void {
    const webSocket = this.#webSocket
    let failure: Error | undefined
    webSocket.on('message', (data: RawData, isBinary) => {
      // Of a connection that was refused nothing counts any more.
      if (webSocket.readyState !== webSocket.OPEN) return
      // 1003: text is not of this protocol.
      if (!isBinary) webSocket.close(1003, 'binary messages only')
      else for (const chunk of data as Buffer[]) if (chunk.length > 0) receiver.received(chunk)
    })
    webSocket.on('error', (error) => {
      failure = error
    })
    webSocket.on('close', () => receiver.closed(failure))
  }

  get unsentBytes(): number {
    return this.#webSocket.bufferedAmount
  }

  write(chunks: Chunks, sent?: () => void): void {
    const webSocket = this.#webSocket
    const last = chunks.length - 1
    const { length } = chunks
    if (length === 0 || webSocket.readyState !== webSocket.OPEN) {
      if (sent !== undefined) queueMicrotask(sent)
      return
    }
    this.#socket.cork()
    for (const [index, chunk] of chunks.entries()) {
      const isLast = index === last
      const done = isLast && sent !== undefined ? () => sent() : undefined
      webSocket.send(chunk, { binary: true, fin: isLast }, done)
    }
    this.#socket.uncork()
  }

  pause(): void {
    this.#webSocket.pause()
  }

  resume(): void {
    this.#webSocket.resume()
  }

  end(): void {
    this.#webSocket.close()
  }

  destroy(): void {
    this.#webSocket.terminate()
  }
}
