/** A Kafka client that knows frames and schemas and nothing else: it sends what it is told to. */
import assert from 'node:assert/strict'
import {
  batchCrc,
  batchHeaderBytes,
  batchLengthOverhead,
  batchMagic,
  ChunkReader,
  type Chunks,
  ChunkWriter,
  createTransportPair,
  decodeBatchHeader,
  encodeBatchHeader,
  joinChunks,
  kafka,
  type MessageBatch,
  type Receiver,
  RecordDecoder,
  setBatchCrc,
  type Transport,
} from '@kaska/protocol'
import { loadCrc32c } from '../src/host/crc32c.ts'

export interface Sent {
  readonly key: number
  readonly version: number
  readonly correlationId: number
}

export class KafkaTestClient {
  readonly #write: (chunks: Chunks) => void
  /** What it calls itself. */
  readonly clientId: string
  /** All that was received, as the views that came. */
  readonly views: Uint8Array[] = []
  /** How many times something was received. */
  #received = 0
  #read = 0
  #correlationId = 0
  #wakeUp: (() => void) | undefined
  isClosed = false

  constructor(write: (chunks: Chunks) => void, clientId = 'test') {
    this.#write = write
    this.clientId = clientId
  }

  received(chunk: Uint8Array): void {
    this.views.push(chunk)
    this.#received += chunk.length
    this.#wakeUp?.()
  }

  ended(): void {
    this.isClosed = true
    this.#wakeUp?.()
  }

  /** Encodes a request, with its length. */
  encode(key: number, version: number, input: object): { chunks: Chunks; sent: Sent } {
    const api = kafka.apis.get(key)
    assert(api !== undefined)
    const sent = { key, version, correlationId: ++this.#correlationId }
    const writer = new ChunkWriter()
    kafka.writeRequestHeader(writer, {
      apiKey: key,
      apiVersion: version,
      correlationId: sent.correlationId,
      clientId: this.clientId,
    })
    api.request.write(writer, input, version)
    const length = new Uint8Array(4)
    new DataView(length.buffer).setInt32(0, writer.length)
    return { chunks: [length, ...writer.finish()], sent }
  }

  send(key: number, version: number, input: object): Sent {
    const { chunks, sent } = this.encode(key, version, input)
    this.#write(chunks)
    return sent
  }

  write(...chunks: Uint8Array[]): void {
    this.#write(chunks)
  }

  /** The next answer, which has to be the one to this request. */
  // biome-ignore lint/suspicious/noExplicitAny: tests look into answers of all kinds.
  async answerTo({ key, version, correlationId }: Sent, layout = version): Promise<any> {
    const length = await this.#frameLength()
    const reader = new ChunkReader(this.views)
    reader.skip(this.#read + 4)
    const frame = new ChunkReader(reader.take(length))
    this.#read += 4 + length
    assert.equal(
      kafka.readResponseHeader(frame, { apiKey: key, apiVersion: version }),
      correlationId,
    )
    const answer = kafka.apis.get(key)?.response.read(frame, layout)
    assert.equal(frame.remaining, 0)
    return answer
  }

  // biome-ignore lint/suspicious/noExplicitAny: tests look into answers of all kinds.
  ask(key: number, version: number, input: object): Promise<any> {
    return this.answerTo(this.send(key, version, input))
  }

  /** Resolves when the broker has ended the connection. */
  async closed(): Promise<void> {
    while (!this.isClosed) await this.#more()
  }

  async #frameLength(): Promise<number> {
    for (;;) {
      if (this.#received >= this.#read + 4) {
        const reader = new ChunkReader(this.views)
        reader.skip(this.#read)
        const length = reader.i32()
        if (this.#received >= this.#read + 4 + length) return length
      }
      assert(!this.isClosed, 'the connection has ended')
      await this.#more()
    }
  }

  #more(): Promise<void> {
    return new Promise((resolve) => {
      this.#wakeUp = resolve
    })
  }
}

/** Over a pair in memory, whose other side `accept` takes. */
export function dialKafka(accept: (transport: Transport) => Receiver): KafkaTestClient {
  const [near, far] = createTransportPair({ remoteAddresses: ['broker', 'client'] })
  const client = new KafkaTestClient((chunks) => near.write(chunks))
  near.attach({ received: (chunk) => client.received(chunk), closed: () => client.ended() })
  far.attach(accept(far))
  return client
}

export interface StoredFields {
  readonly attributes?: number
  readonly producerId?: number
  readonly producerEpoch?: number
  readonly baseSequence?: number
}

/** A batch as a Kafka client sends it: the header, and the records as they are. */
export function encodeBatch(batch: MessageBatch, fields: StoredFields = {}): Uint8Array[] {
  const header = encodeBatchHeader({
    baseOffset: 0,
    batchLength: batchHeaderBytes - batchLengthOverhead + batch.recordsLength,
    partitionLeaderEpoch: -1,
    magic: batchMagic,
    crc: 0,
    attributes: fields.attributes ?? batch.attributes,
    lastOffsetDelta: batch.lastOffsetDelta,
    baseTimestamp: batch.baseTimestamp,
    maxTimestamp: batch.maxTimestamp,
    producerId: fields.producerId ?? -1,
    producerEpoch: fields.producerEpoch ?? -1,
    baseSequence: fields.baseSequence ?? -1,
    recordCount: batch.recordCount,
  })
  setBatchCrc(header, batchCrc(header, batch.records, loadCrc32c()))
  return [header, ...batch.records]
}

/** The values of the messages in stored batches that are not compressed, as text, with their offsets. */
export function valuesOf(records: Chunks): [offset: number, value: string][] {
  return recordsOf(records).map(([offset, value]) => [offset, new TextDecoder().decode(value)])
}

/** The values of the messages in stored batches that are not compressed, with their offsets. */
export function recordsOf(records: Chunks): [offset: number, value: Uint8Array][] {
  const bytes = joinChunks(records)
  const values: [number, Uint8Array][] = []
  for (let start = 0; start < bytes.length; ) {
    const header = decodeBatchHeader(bytes, start)
    const end = start + batchLengthOverhead + header.batchLength
    const decoder = new RecordDecoder(
      bytes.subarray(start + batchHeaderBytes, end),
      header.recordCount,
    )
    for (let record = decoder.next(); record !== undefined; record = decoder.next()) {
      values.push([header.baseOffset + record.offsetDelta, record.value ?? new Uint8Array(0)])
    }
    start = end
  }
  return values
}
