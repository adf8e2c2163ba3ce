/**
 * Speaks the native protocol, one request at a time, into memory that is used again and again: for loads whose reading
 * is not to cost more than what is measured.
 */
import { once } from 'node:events'
import { connect, type Socket } from 'node:net'
import { ChunkReader, type ChunkWriter, native } from '@kaska/protocol'
import { writeChunks } from './raw-connection.ts'

const requestTag = 1

export class AskingConnection implements AsyncDisposable {
  readonly #socket: Socket
  readonly #buffer: Uint8Array
  #filled = 0
  #frameLength = -1
  #answered: ((answer: ChunkReader) => void) | undefined
  #failed: ((error: Error) => void) | undefined
  sentBytes = 0
  receivedBytes = 0

  private constructor(port: number, answerBytesMax: number) {
    this.#buffer = new Uint8Array(answerBytesMax)
    this.#socket = connect({
      port,
      host: '127.0.0.1',
      noDelay: true,
      onread: {
        buffer: () => this.#buffer.subarray(this.#filled),
        callback: (length) => {
          this.#received(length)
          return true
        },
      },
    })
    this.#socket.on('close', () => this.#failed?.(new Error('the connection was closed')))
    this.#socket.on('error', (error) => this.#failed?.(error))
  }

  /** `answerBytesMax`: an answer, with its length before it, is shorter. */
  static async open(port: number, answerBytesMax: number): Promise<AskingConnection> {
    const connection = new AskingConnection(port, answerBytesMax)
    await once(connection.#socket, 'connect')
    writeChunks(connection.#socket, [native.magic, Uint8Array.of(native.version)])
    return connection
  }

  /** The answer's fields, which are good until the next request. Rejects where it is an error. */
  request(operation: number, write: (writer: ChunkWriter) => void): Promise<ChunkReader> {
    const chunks = native.encodeRequest(operation, requestTag, write)
    for (const chunk of chunks) this.sentBytes += chunk.length
    return new Promise((resolve, reject) => {
      this.#answered = resolve
      this.#failed = reject
      writeChunks(this.#socket, chunks)
    })
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#failed = undefined
    if (this.#socket.destroyed) return
    this.#socket.destroy()
    await once(this.#socket, 'close')
  }

  #received(length: number): void {
    this.receivedBytes += length
    this.#filled += length
    if (this.#filled < this.#frameLength) return
    const reader = new ChunkReader([this.#buffer.subarray(0, this.#filled)])
    let bytes: number
    try {
      bytes = reader.varint()
    } catch {
      return
    }
    this.#frameLength = bytes + this.#filled - reader.remaining
    if (reader.remaining < bytes) return
    const isWhole = reader.remaining === bytes
    this.#filled = 0
    this.#frameLength = -1
    const { tag, status } = native.decodeResponseHead(reader)
    if (native.isFailure(status)) this.#failed?.(native.readErrorDetails(reader, status))
    else if (tag !== requestTag || !isWhole) this.#failed?.(new Error('more came than one answer'))
    else this.#answered?.(reader)
  }
}
