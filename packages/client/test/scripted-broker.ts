/** A broker's end of connections in memory, which answers as a test tells it to. */
import {
  type BufferReceiver,
  type Capabilities,
  ChunkReader,
  type Chunks,
  type ChunkWriter,
  createTransportPair,
  joinChunks,
  type MemoryTransport,
  native,
} from '@kaska/protocol'
import type { Dialer } from '../src/seams.ts'

export interface ScriptedRequest {
  readonly operation: number
  readonly tag: number
  /** Behind operation and tag. */
  readonly fields: ChunkReader
  readonly connection: ScriptedConnection
}

/** Answers a request; false: not by this one. */
export type Script = (request: ScriptedRequest) => boolean

export class ScriptedConnection {
  readonly transport: MemoryTransport
  /** What came in: as many bytes each as arrived at once. */
  readonly chunks: Uint8Array[] = []
  isClosed = false
  #bytes: Uint8Array = new Uint8Array(0)
  #isIntroduced = false
  readonly #broker: ScriptedBroker

  constructor(transport: MemoryTransport, broker: ScriptedBroker) {
    this.transport = transport
    this.#broker = broker
    transport.attach({
      received: (chunk) => this.#received(chunk),
      closed: () => {
        this.isClosed = true
      },
    })
  }

  answer(tag: number, write?: (writer: ChunkWriter) => void, status = 0): void {
    this.transport.write(native.encodeResponse(tag, write, status))
  }

  fail(tag: number, error: unknown): void {
    this.transport.write(native.encodeFailure(tag, error))
  }

  #received(chunk: Uint8Array): void {
    this.chunks.push(new Uint8Array(chunk))
    this.#bytes = joinChunks([this.#bytes, chunk])
    if (!this.#isIntroduced) {
      if (this.#bytes.length < 4) return
      this.#isIntroduced = true
      this.#bytes = this.#bytes.subarray(4)
    }
    for (;;) {
      const frame = takeFrame(this.#bytes)
      if (frame === undefined) return
      this.#bytes = this.#bytes.subarray(frame.end)
      const fields = new ChunkReader([frame.body])
      const { operation, tag } = native.decodeRequestHead(fields)
      this.#broker.handle({ operation, tag, fields, connection: this })
    }
  }
}

/** The first whole frame; undefined while there is none. */
function takeFrame(bytes: Uint8Array): { body: Uint8Array; end: number } | undefined {
  let length = 0
  for (let index = 0; index < bytes.length; index++) {
    const byte = bytes[index] as number
    length += (byte & 0x7f) * 2 ** (7 * index)
    if (byte >= 0x80) continue
    const end = index + 1 + length
    return end > bytes.length ? undefined : { body: bytes.subarray(index + 1, end), end }
  }
  return undefined
}

export class ScriptedBroker {
  readonly connections: ScriptedConnection[] = []
  /** Requests in the order of their arrival: `operation`, by its name. */
  readonly seen: string[] = []
  /** Those that no script answered. */
  readonly unanswered: ScriptedRequest[] = []
  readonly scripts: Script[] = []
  /** Names to ids and numbers, for `resolve`. */
  readonly topics = new Map<string, { id: string; ref: number; partitions: number }>()
  frameBytesMax = 1 << 20
  capabilities: Capabilities = { kind: 'local', retriesSurviveCrash: true }
  /** How a dial fails, while it does. */
  dialError: Error | undefined
  dials = 0
  /** How many times each side's `write` was called. */
  writes: Chunks[] = []

  readonly dialer: Dialer = {
    address: 'memory:1',
    dial: async (receiver: BufferReceiver) => {
      this.dials++
      if (this.dialError !== undefined) throw this.dialError
      const [near, far] = createTransportPair()
      // The client's frames are looked at by the chunk; a pair in memory has no buffers to fill.
      near.attach({
        received: (chunk) => receiver.received(chunk),
        closed: (error) => receiver.closed(error),
      })
      const write = near.write.bind(near)
      near.write = (chunks, sent) => {
        this.writes.push(chunks)
        write(chunks, sent)
      }
      this.connections.push(new ScriptedConnection(far, this))
      return near
    },
  }

  get last(): ScriptedConnection {
    return this.connections.at(-1) as ScriptedConnection
  }

  handle(request: ScriptedRequest): void {
    const { connection, fields, operation, tag } = request
    const names = Object.entries(native.operation)
    this.seen.push(names.find(([, number]) => number === operation)?.[0] ?? `${operation}`)
    for (const script of this.scripts) if (script(request)) return
    if (operation === native.operation.identify) {
      const { frameBytesMax } = this
      connection.answer(tag, (writer) =>
        native.writeBrokerIdentity(writer, {
          software: 'test',
          clusterId: 'c',
          frameBytesMax,
          capabilities: this.capabilities,
        }),
      )
    } else if (operation === native.operation.resolve) {
      const found = native.readResolveRequest(fields).map(({ text }) => this.topics.get(text))
      connection.answer(tag, (writer) => native.writeResolveResponse(writer, found))
    } else if (operation === native.operation.initProducer) {
      const given = native.readProducer(fields) ?? { producerId: 7, producerEpoch: 0 }
      connection.answer(tag, (writer) => native.writeProducer(writer, given))
    } else if (operation === native.operation.ping) {
      connection.answer(tag)
    } else {
      this.unanswered.push(request)
    }
  }
}
