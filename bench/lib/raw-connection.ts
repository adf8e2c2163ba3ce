/**
 * The load generator's connection: sends frames that were encoded beforehand and reads as little of the
 * answers as can be, so that it is not the generator that is measured.
 */
import { once } from 'node:events'
import { connect, type Socket } from 'node:net'
import {
  ChunkReader,
  type Chunks,
  type ChunkWriter,
  joinChunks,
  type MessageBatch,
  native,
  RecordsBuilder,
  topicNameOf,
} from '@kaska/protocol'

export async function openSocket(port: number): Promise<Socket> {
  const socket = connect({ port, host: '127.0.0.1', noDelay: true })
  await once(socket, 'connect')
  return socket
}

export function writeChunks(socket: Socket, chunks: Chunks): void {
  socket.cork()
  for (const chunk of chunks) socket.write(chunk)
  socket.uncork()
}

/** What asks one request. */
interface Asking {
  request(operation: number, write: (writer: ChunkWriter) => void): Promise<ChunkReader>
}

/** The connection's number for a topic. */
export async function resolveTopic(connection: Asking, name: string): Promise<number> {
  const answer = await connection.request(native.operation.resolve, (writer) =>
    native.writeResolveRequest(writer, [topicNameOf(name)]),
  )
  const [topic] = native.readResolveResponse(answer, 1)
  if (topic === undefined) throw new Error(`there is no topic ${name}`)
  return topic.ref
}

/** Speaks the native protocol. Counts the bytes that pass. */
export class RawConnection implements AsyncDisposable {
  readonly socket: Socket
  sentBytes = 0
  receivedBytes = 0
  readonly #waiting = new Map<number, (answer: ChunkReader, status: number) => void>()
  #chunks: Uint8Array[] = []
  #available = 0
  #needed = 0
  #lastTag = 0
  #failed: ((error: Error) => void) | undefined
  /** Rejects when the connection ends or an answer is an error. */
  readonly broken: Promise<never>

  private constructor(socket: Socket) {
    this.socket = socket
    this.broken = new Promise<never>((_, reject) => {
      this.#failed = reject
    })
    this.broken.catch(() => {})
    socket.on('data', (chunk) => this.#received(chunk as Uint8Array))
    socket.on('close', () => this.#failed?.(new Error('the connection was closed')))
    socket.on('error', (error) => this.#failed?.(error))
  }

  static async open(port: number): Promise<RawConnection> {
    const connection = new RawConnection(await openSocket(port))
    connection.#write([native.magic, Uint8Array.of(native.version)])
    return connection
  }

  /** One request; the answer's fields. */
  request(operation: number, write?: (writer: ChunkWriter) => void): Promise<ChunkReader> {
    const answered = new Promise<ChunkReader>((resolve) => {
      this.begin(operation, write, resolve)
    })
    return Promise.race([answered, this.broken])
  }

  /** One request, with a callback for its answer. */
  begin(
    operation: number,
    write: ((writer: ChunkWriter) => void) | undefined,
    answered: (answer: ChunkReader, status: number) => void,
  ): void {
    const tag = this.#lastTag + 1
    this.#lastTag = tag
    this.#waiting.set(tag, answered)
    this.#write(native.encodeRequest(operation, tag, write))
  }

  /** Creates a topic, and returns this connection's number for it. */
  async createTopic(
    name: string,
    partitions = 1,
    config: ReadonlyMap<string, string> = new Map(),
  ): Promise<number> {
    const topic = { name: topicNameOf(name), partitions, config }
    await this.request(native.operation.createTopic, (writer) =>
      native.writeCreateTopic(writer, topic),
    )
    return await this.resolve(name)
  }

  async resolve(name: string): Promise<number> {
    return await resolveTopic(this, name)
  }

  /** Asks for a producer id, as a client does that wants its retries to be safe. */
  async initProducer(): Promise<void> {
    await this.request(native.operation.initProducer, (writer) =>
      native.writeProducer(writer, undefined),
    )
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#failed = undefined
    if (this.socket.destroyed) return
    this.socket.destroy()
    await once(this.socket, 'close')
  }

  #write(chunks: Chunks): void {
    for (const chunk of chunks) this.sentBytes += chunk.length
    writeChunks(this.socket, chunks)
  }

  #received(chunk: Uint8Array): void {
    this.receivedBytes += chunk.length
    this.#chunks.push(chunk)
    this.#available += chunk.length
    while (this.#available > this.#needed) {
      const reader = new ChunkReader(this.#chunks, this.#available)
      let length: number
      try {
        length = reader.varint()
      } catch {
        return
      }
      if (reader.remaining < length) {
        this.#needed = this.#available - reader.remaining + length - 1
        return
      }
      this.#needed = 0
      const frame = reader.take(length)
      this.#available = reader.remaining
      this.#chunks = [...reader.rest()]
      this.#answered(frame)
    }
  }

  #answered(frame: Chunks): void {
    const reader = new ChunkReader(frame)
    const { tag, status } = native.decodeResponseHead(reader)
    if (tag === native.noticeTag && !native.isFailure(status)) return
    if (native.isFailure(status)) {
      this.#failed?.(native.readErrorDetails(reader, status))
      return
    }
    const answered = this.#waiting.get(tag)
    this.#waiting.delete(tag)
    answered?.(reader, status)
  }
}

/** A batch of equal messages, in one piece. */
export function batchOf(count: number, bytes: number, timestamp = Date.now()): MessageBatch {
  const builder = new RecordsBuilder()
  const value = Uint8Array.from({ length: bytes }, (_, index) => 97 + (index % 26))
  for (let index = 0; index < count; index++) {
    builder.append({ key: null, value, headers: [], timestamp })
  }
  const records = [joinChunks(builder.finish())]
  return {
    attributes: 0,
    baseTimestamp: builder.baseTimestamp,
    maxTimestamp: builder.maxTimestamp,
    recordCount: count,
    lastOffsetDelta: count - 1,
    records,
    recordsLength: builder.length,
  }
}
