/**
 * A WebSocket as a `Transport`. What is written at once is one message, or several where it is longer
 * than a broker takes in one; received messages are taken as they come. Joining the views of a message is
 * the copy that contract 11 allows for WebSocket framing.
 */
import {
  type Chunks,
  ConnectionError,
  joinChunks,
  type Receiver,
  type Transport,
} from '@kaska/protocol'

/** What is used of a WebSocket. */
export interface WebSocketLike {
  binaryType: string
  readonly readyState: number
  readonly bufferedAmount: number
  onopen: ((event: never) => void) | null
  onmessage: ((event: never) => void) | null
  onerror: ((event: never) => void) | null
  onclose: ((event: never) => void) | null
  send(data: Uint8Array<ArrayBuffer>): void
  close(): void
}

const stateOpen = 1

/** A broker takes no message longer than 1 MiB: it holds a whole one before it looks at it. */
const messageBytesMax = 256 * 1024

/** Resolves when the connection is open. Rejects with the signal's reason, and when it fails. */
export function dialWebSocket(
  socket: WebSocketLike,
  url: string,
  receiver: Receiver,
  signal: AbortSignal,
): Promise<Transport> {
  socket.binaryType = 'arraybuffer'
  return new Promise((resolve, reject) => {
    let isOpen = false
    const abort = () => {
      reject(signal.reason)
      socket.close()
    }
    signal.addEventListener('abort', abort, { once: true })
    socket.onopen = () => {
      signal.removeEventListener('abort', abort)
      isOpen = true
      resolve(new WebSocketTransport(socket, url))
    }
    socket.onmessage = ({ data }: { readonly data: unknown }) => {
      // A message of text is not of this protocol; its bytes are refused like any others.
      if (data instanceof ArrayBuffer) receiver.received(new Uint8Array(data))
      else socket.close()
    }
    // A browser does not say why a WebSocket failed; `onclose` follows.
    socket.onerror = () => {}
    socket.onclose = () => {
      signal.removeEventListener('abort', abort)
      if (isOpen) receiver.closed(undefined)
      else reject(new ConnectionError('the WebSocket could not be opened'))
    }
    if (signal.aborted) abort()
  })
}

class WebSocketTransport implements Transport {
  readonly remoteAddress: string
  readonly #socket: WebSocketLike

  constructor(socket: WebSocketLike, url: string) {
    this.#socket = socket
    this.remoteAddress = url
  }

  get unsentBytes(): number {
    return this.#socket.bufferedAmount
  }

  write(chunks: Chunks, sent?: () => void): void {
    if (this.#socket.readyState === stateOpen) {
      // The socket copies what it is given, so the views are free again at once.
      const bytes = joinChunks(chunks) as Uint8Array<ArrayBuffer>
      for (let start = 0; start < bytes.length; start += messageBytesMax) {
        this.#socket.send(bytes.subarray(start, start + messageBytesMax))
      }
    }
    if (sent !== undefined) queueMicrotask(sent)
  }

  /** A WebSocket cannot be paused: the frame reader bounds what one message may bring. */
  pause(): void {}

  resume(): void {}

  end(): void {
    this.#socket.close()
  }

  destroy(): void {
    this.#socket.close()
  }
}
