/**
 * Batches for the target out of batches of the source: the same messages in the same order, each with
 * the header that says where it came from. Values of some size are taken by reference: what was polled is
 * released when the batches are acknowledged.
 */
import {
  type Codecs,
  type MessageBatch,
  type PolledBatch,
  RecordsBuilder,
  type TopicId,
} from '@kaska/protocol'
import { encodeOrigin, mirrorHeaderName, mirrorValueBytesMax } from './mirror-header.ts'
import { endOf, type MirroredRecord, recordsOf } from './read-batch.ts'

export const sequenceCount = 2 ** 31

export interface BuiltBatch {
  readonly batch: MessageBatch
  readonly baseSequence: number
  /** The source's offset behind its last message, and behind what is no message there. */
  readonly sourceEnd: number
}

export interface RebuildOptions {
  readonly codecs: Codecs
  readonly sourceTopic: TopicId
  /** The sequence number of the next message. */
  readonly sequence: number
  /** What the records of a batch may take; a larger message goes alone. */
  readonly batchBytesMax: number
  /** The offset of the first message wanted, and that behind the last one. */
  readonly from: number
  readonly until: number
}

const encoder = new TextEncoder()
const mirrorName = encoder.encode(mirrorHeaderName)
/** What a record takes beside its bytes: lengths, deltas, the mirror's header with a batch's origin. */
const recordOverhead = 40 + mirrorName.length + mirrorValueBytesMax

/**
 * Takes the source's batches one after the other. `position` is where the source is to be asked next,
 * which may lie behind the last message: nothing but markers may be there.
 */
export class Rebuilder {
  position: number
  /** The sequence number of the next message. */
  sequence: number
  /** Bytes of the messages taken. */
  bytes = 0
  readonly #options: RebuildOptions
  readonly #built: BuiltBatch[] = []
  readonly #names = new Map<string, Uint8Array>()
  #gathered: MirroredRecord[] = []
  #gatheredBytes = 0

  constructor(options: RebuildOptions) {
    this.#options = options
    this.position = options.from
    this.sequence = options.sequence
  }

  /** Throws InvalidMessageError and UnsupportedCompressionError: then nothing of the batch was taken. */
  take(batch: PolledBatch): void {
    const { until, codecs, batchBytesMax } = this.#options
    const end = endOf(batch)
    if (end <= this.position || this.position >= until) return
    const records: MirroredRecord[] = []
    for (const record of recordsOf(batch, this.position, codecs)) {
      if (record.offset < until) records.push(record)
    }
    for (const record of records) {
      const size = sizeOf(record)
      if (this.#gathered.length > 0 && this.#gatheredBytes + size > batchBytesMax) this.#build()
      this.#gathered.push(record)
      this.#gatheredBytes += size
      this.bytes += size
      this.position = record.offset + 1
    }
    this.position = Math.min(end, until)
  }

  finish(): BuiltBatch[] {
    if (this.#gathered.length > 0) this.#build()
    return this.#built
  }

  #build(): void {
    const builder = new RecordsBuilder()
    const count = this.#gathered.length
    const baseSequence = this.sequence
    this.sequence = (baseSequence + count) % sequenceCount
    const lastSequence = (baseSequence + count - 1) % sequenceCount
    for (const [index, { offset, timestamp, key, value, headers }] of this.#gathered.entries()) {
      const origin =
        index < count - 1
          ? encodeOrigin(offset)
          : encodeOrigin(offset, { topic: this.#options.sourceTopic, sequence: lastSequence })
      const kept: [Uint8Array, Uint8Array | null][] = []
      for (const [name, headerValue] of headers) {
        // What an earlier mirror said of the source is of no use at the target.
        if (name !== mirrorHeaderName) kept.push([this.#encodedName(name), headerValue])
      }
      kept.push([mirrorName, origin])
      builder.append({ key, value, headers: kept, timestamp })
    }
    const last = this.#gathered[count - 1] as MirroredRecord
    this.#built.push({
      batch: {
        attributes: 0,
        baseTimestamp: builder.baseTimestamp,
        maxTimestamp: builder.maxTimestamp,
        recordCount: count,
        lastOffsetDelta: count - 1,
        records: builder.finish(),
        recordsLength: builder.length,
      },
      baseSequence,
      sourceEnd: last.offset + 1,
    })
    this.#gathered = []
    this.#gatheredBytes = 0
  }

  #encodedName(name: string): Uint8Array {
    let bytes = this.#names.get(name)
    if (bytes === undefined) {
      bytes = encoder.encode(name)
      if (this.#names.size > 1000) this.#names.clear()
      this.#names.set(name, bytes)
    }
    return bytes
  }
}

function sizeOf({ key, value, headers }: MirroredRecord): number {
  let size = recordOverhead + (key?.length ?? 0) + (value?.length ?? 0)
  for (const [name, headerValue] of headers) {
    size += 3 * name.length + (headerValue?.length ?? 0) + 10
  }
  return size
}
