/**
 * A client that knows frames and nothing else: for tests of what goes over the wire. It sends what it
 * is told to, also what no proper client would, and keeps what it got as bytes.
 */
import assert from 'node:assert/strict'
import { once } from 'node:events'
import { connect as connectSocket, type Socket } from 'node:net'
import {
  ChunkReader,
  type ChunkWriter,
  createTransportPair,
  type MemoryTransport,
  native,
  type Receiver,
  RecordsBuilder,
  type Transport,
  topicNameOf,
} from '@kaska/protocol'

/** A frame that was received. */
export interface RawFrame {
  readonly tag: number
  /** Of a notice: its operation. */
  readonly status: number
  /** The fields, or the error's details. */
  readonly reader: ChunkReader
  /** Bytes of all of it, its length included. */
  readonly bytes: number
}

interface Wire {
  write(chunks: readonly Uint8Array[]): void
  destroy(): void
}

export const preamble: Uint8Array = new Uint8Array([...native.magic, native.version])

export class RawClient {
  readonly #wire: Wire
  #received = new Uint8Array(0)
  readonly #waiting = new Map<number, (frame: RawFrame) => void>()
  #nextTag = 1
  /** Frames that nobody waited for: notices, and answers to bytes of one's own. */
  readonly strays: RawFrame[] = []
  #strayWaiter: (() => void) | undefined
  bytesSent = 0
  bytesReceived = 0
  isClosed = false
  readonly closed: Promise<void>
  #close: () => void = () => {}

  constructor(wire: Wire) {
    this.#wire = wire
    this.closed = new Promise((resolve) => {
      this.#close = resolve
    })
  }

  /** Sends bytes as they are, in one write. */
  write(...chunks: Uint8Array[]): void {
    for (const chunk of chunks) this.bytesSent += chunk.length
    this.#wire.write(chunks)
  }

  /** Sends a request without waiting for the answer; the answer is `answers` of the tag. */
  post(operation: number, write?: (writer: ChunkWriter) => void, tag = this.#nextTag++): number {
    this.write(...native.encodeRequest(operation, tag, write))
    return tag
  }

  /** The answer to the request with this tag. */
  answer(tag: number): Promise<RawFrame> {
    return new Promise((resolve) => this.#waiting.set(tag, resolve))
  }

  /** Sends a request; resolves with its answer, whatever its status. */
  ask(operation: number, write?: (writer: ChunkWriter) => void): Promise<RawFrame> {
    const tag = this.#nextTag++
    const answer = this.answer(tag)
    this.post(operation, write, tag)
    return answer
  }

  /** Sends a request; resolves with its fields, rejects with its error. */
  async call(operation: number, write?: (writer: ChunkWriter) => void): Promise<ChunkReader> {
    const { status, reader } = await this.ask(operation, write)
    if (native.isFailure(status)) throw native.readErrorDetails(reader, status)
    return reader
  }

  /** The next frame that answers nothing. */
  async stray(): Promise<RawFrame> {
    while (this.strays.length === 0) {
      await new Promise<void>((resolve) => {
        this.#strayWaiter = resolve
      })
    }
    return this.strays.shift() as RawFrame
  }

  /** Creates a topic, and returns the connection's number for it. */
  async createTopic(name: string, partitions = 1): Promise<number> {
    await this.call(native.operation.createTopic, (writer) =>
      native.writeCreateTopic(writer, { name: topicNameOf(name), partitions, config: new Map() }),
    )
    return this.resolve(name)
  }

  async resolve(name: string): Promise<number> {
    const reader = await this.call(native.operation.resolve, (writer) =>
      native.writeResolveRequest(writer, [topicNameOf(name)]),
    )
    const [topic] = native.readResolveResponse(reader, 1)
    assert(topic !== undefined, `there is no topic ${name}`)
    return topic.ref
  }

  /** Sends one batch; resolves with its base offset. */
  async send(ref: number, values: readonly Uint8Array[], partition = 0): Promise<number> {
    const { status, reader } = await this.ask(native.operation.send, (writer) =>
      native.writeSendRequest(writer, [sendPart(ref, values, partition)]),
    )
    if (native.isFailure(status)) throw native.readErrorDetails(reader, status)
    const [result] = native.readSendResponse(reader, 1, status, native.readErrorDetails)
    assert(result !== undefined)
    if (result.error !== undefined) throw result.error
    return result.baseOffset
  }

  /** One poll of one topic. */
  async poll(ref: number, offset: number, waitMs = 0, bytesMax = 1_000_000) {
    const reader = await this.call(native.operation.poll, (writer) =>
      native.writePollRequest(writer, { waitMs, bytesMax, parts: [{ ref, partition: 0, offset }] }),
    )
    return native.readPollResponse(reader)
  }

  destroy(): void {
    this.#wire.destroy()
  }

  /** For the wire: bytes that came. */
  received(chunk: Uint8Array): void {
    this.bytesReceived += chunk.length
    // Tests are short: what is joined is not much.
    const joined = new Uint8Array(this.#received.length + chunk.length)
    joined.set(this.#received)
    joined.set(chunk, this.#received.length)
    this.#received = joined
    for (;;) {
      const reader = new ChunkReader([this.#received])
      let length: number
      try {
        length = reader.varint()
      } catch {
        return
      }
      if (reader.remaining < length) return
      const bytes = this.#received.length - reader.remaining + length
      const frame = new ChunkReader(reader.take(length))
      this.#received = this.#received.subarray(bytes)
      this.#deliver({ tag: frame.varint(), status: frame.varint(), reader: frame, bytes })
    }
  }

  /** For the wire: it has ended. */
  ended(): void {
    this.isClosed = true
    this.#close()
  }

  #deliver(frame: RawFrame): void {
    const waiting = this.#waiting.get(frame.tag)
    if (waiting !== undefined) {
      this.#waiting.delete(frame.tag)
      waiting(frame)
      return
    }
    this.strays.push(frame)
    this.#strayWaiter?.()
  }
}

/** One batch of messages with these values. */
export function sendPart(
  ref: number,
  values: readonly Uint8Array[],
  partition = 0,
): native.SendPartFrame {
  const builder = new RecordsBuilder()
  for (const value of values) builder.append({ key: null, value, headers: [], timestamp: 1000 })
  const { length: recordsLength, baseTimestamp, recordCount } = builder
  return {
    ref,
    partition,
    baseSequence: -1,
    batch: {
      attributes: 0,
      baseTimestamp,
      maxTimestamp: -1,
      recordCount,
      lastOffsetDelta: recordCount - 1,
      records: builder.finish(),
      recordsLength,
    },
  }
}

/** Over a socket; the preamble is sent with the first bytes unless it is left out. */
export async function dial(port: number, options: { preamble?: boolean } = {}): Promise<RawClient> {
  const { client } = await dialSocket(port, options)
  return client
}

export async function dialSocket(
  port: number,
  options: { preamble?: boolean } = {},
): Promise<{ client: RawClient; socket: Socket }> {
  const socket = connectSocket({ port, host: '127.0.0.1', noDelay: true })
  const client = new RawClient({
    write: (chunks) => {
      socket.cork()
      for (const chunk of chunks) socket.write(chunk)
      socket.uncork()
    },
    destroy: () => socket.destroy(),
  })
  await once(socket, 'connect')
  socket.on('data', (chunk) => client.received(chunk))
  socket.on('error', () => {})
  socket.on('close', () => client.ended())
  if (options.preamble !== false) client.write(preamble)
  return { client, socket }
}

/** Over a pair in memory, whose other side `accept` takes. */
export function dialMemory(accept: (transport: Transport) => Receiver): {
  client: RawClient
  /** The client's side. */
  near: MemoryTransport
  /** The broker's side. */
  far: MemoryTransport
} {
  const [near, far] = createTransportPair({ remoteAddresses: ['broker', 'client'] })
  const client = new RawClient({
    write: (chunks) => near.write(chunks),
    destroy: () => near.destroy(),
  })
  near.attach({ received: (chunk) => client.received(chunk), closed: () => client.ended() })
  far.attach(accept(far))
  client.write(preamble)
  return { client, near, far }
}
