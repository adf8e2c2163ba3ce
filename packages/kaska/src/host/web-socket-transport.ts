/**
 * A `Transport` over an accepted WebSocket. The views of what is written leave by identity, each as a
 * fragment of one message, in one gathered write. A message's boundaries mean nothing to the receiver.
 * The socket is given so much at a time that what is left tells whether the other side reads.
 */
import type { Duplex } from 'node:stream'
import { type Chunks, chunksLength, type Receiver, type Transport } from '@kaska/protocol'
import { type RawData, WebSocket } from 'ws'

export interface WebSocketAddresses {
  /** `127.0.0.1:51234` */
  readonly remoteAddress: string
  readonly localAddress: { readonly host: string; readonly port: number } | undefined
}

/** A view that waits to be sent. */
interface Part {
  readonly part: Uint8Array
  /** Does it end a message? */
  readonly isLast: boolean
  readonly sent: (() => void) | undefined
}

/** What the socket is given at a time. */
const partBytes = 128 * 1024

export class WebSocketTransport implements Transport {
  readonly remoteAddress: string
  readonly localAddress: { readonly host: string; readonly port: number } | undefined
  readonly #webSocket: WebSocket
  readonly #socket: Duplex
  readonly #queue: Part[] = []
  #queuedBytes = 0
  #isEnding = false

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
    webSocket.on('close', () => {
      this.#drop()
      receiver.closed(failure)
    })
  }

  get unsentBytes(): number {
    return this.#queuedBytes + this.#webSocket.bufferedAmount
  }

  write(chunks: Chunks, sent?: () => void): void {
    const length = chunksLength(chunks)
    if (length === 0 || this.#isEnding || this.#webSocket.readyState !== WebSocket.OPEN) {
      if (sent !== undefined) queueMicrotask(sent)
      return
    }
    let left = length
    for (const chunk of chunks) {
      for (let start = 0; start < chunk.length; start += partBytes) {
        const part = chunk.subarray(start, start + partBytes)
        left -= part.length
        this.#queue.push({ part, isLast: left === 0, sent: left === 0 ? sent : undefined })
      }
    }
    this.#queuedBytes += length
    this.#pump()
  }

  #pump(): void {
    const webSocket = this.#webSocket
    this.#socket.cork()
    while (webSocket.readyState === webSocket.OPEN && webSocket.bufferedAmount < partBytes) {
      const next = this.#queue.shift()
      if (next === undefined) break
      const { part, isLast, sent } = next
      this.#queuedBytes -= part.length
      webSocket.send(part, { binary: true, fin: isLast }, () => {
        sent?.()
        if (this.#queuedBytes > 0) this.#pump()
      })
    }
    this.#socket.uncork()
    if (this.#isEnding && this.#queuedBytes === 0) webSocket.close()
  }

  /** Nothing leaves any more. */
  #drop(): void {
    this.#queuedBytes = 0
    for (const { sent } of this.#queue.splice(0)) sent?.()
  }

  pause(): void {
    this.#webSocket.pause()
  }

  resume(): void {
    this.#webSocket.resume()
  }

  end(): void {
    this.#isEnding = true
    if (this.#queuedBytes === 0) this.#webSocket.close()
  }

  destroy(): void {
    this.#isEnding = true
    this.#webSocket.terminate()
  }
}
