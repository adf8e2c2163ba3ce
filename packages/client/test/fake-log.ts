/**
 * A partition's log in fake brokers: what Apache Kafka takes of a producer (KIP-98), what it refuses, and what
 * it reads (KIP-320).
 */
import {
  batchHeaderBytes,
  batchLengthOverhead,
  batchMagic,
  decodeBatchHeader,
  encodeBatchHeader,
  joinChunks,
  kafka,
  RecordDecoder,
  RecordsBuilder,
} from '@kaska/protocol'

const { errorCode } = kafka
/** As many batches of a producer a partition remembers. */
const rememberedMax = 5

interface StoredBatch {
  readonly baseOffset: number
  readonly lastOffset: number
  readonly epoch: number
  readonly bytes: Uint8Array
}

interface KnownProducer {
  readonly epoch: number
  readonly batches: readonly {
    readonly first: number
    readonly last: number
    readonly baseOffset: number
  }[]
}

/** What became of a batch; -1: it is not there. */
export interface Taken {
  readonly errorCode: number
  readonly baseOffset: number
}

export class FakeLog {
  /** -1: nobody. */
  leader: number
  leaderEpoch = 0
  startOffset = 0
  #batches: StoredBatch[] = []
  readonly #producers = new Map<number, KnownProducer>()

  constructor(leader: number) {
    this.leader = leader
  }

  get endOffset(): number {
    return (this.#batches.at(-1)?.lastOffset ?? this.startOffset - 1) + 1
  }

  /** Those that it knows. */
  get producers() {
    return [...this.#producers].map(([producerId, { epoch, batches }]) => {
      return { producerId, producerEpoch: epoch, lastSequence: batches.at(-1)?.last ?? -1 }
    })
  }

  /** The values of all messages, as text, in their order. */
  get values(): string[] {
    return this.#batches.flatMap(({ bytes }) => valuesIn(bytes))
  }

  /** Appends one batch of nobody's, and returns its offset. */
  append(values: readonly (string | Uint8Array)[]): number {
    return this.#store(batchBytes(values))
  }

  /** Takes a batch as the leader of a producer that waits for all replicas. */
  take(sent: Uint8Array): Taken {
    const {
      producerId,
      producerEpoch: epoch,
      baseSequence: first,
      recordCount,
    } = decodeBatchHeader(sent)
    if (producerId < 0) return { errorCode: 0, baseOffset: this.#store(sent) }
    const last = first + recordCount - 1
    const known = this.#producers.get(producerId)
    if (known !== undefined && epoch < known.epoch) return refused(errorCode.INVALID_PRODUCER_EPOCH)
    const batches = known?.epoch === epoch ? known.batches : []
    const same = batches.find((batch) => batch.first === first && batch.last === last)
    if (same !== undefined) return { errorCode: 0, baseOffset: same.baseOffset }
    // Of a producer that it does not know, Kafka takes any number as the first.
    const next = (batches.at(-1)?.last ?? -1) + 1
    if (known !== undefined && first !== next) {
      return refused(errorCode.OUT_OF_ORDER_SEQUENCE_NUMBER)
    }
    const baseOffset = this.#store(sent)
    const remembered = [...batches, { first, last, baseOffset }].slice(-rememberedMax)
    this.#producers.set(producerId, { epoch, batches: remembered })
    return { errorCode: 0, baseOffset }
  }

  /** As after a day in which they were idle. */
  forgetProducers(): void {
    this.#producers.clear()
  }

  /** Another replica leads, which was not in sync: what it has is the log now. */
  replace(values: readonly string[], epoch: number): void {
    this.#batches = []
    this.leaderEpoch = epoch
    for (const value of values) this.append([value])
  }

  codeFor(node: number, offset: number): number {
    if (this.leader !== node) return errorCode.NOT_LEADER_OR_FOLLOWER
    const isThere = offset >= this.startOffset && offset <= this.endOffset
    return isThere ? 0 : errorCode.OFFSET_OUT_OF_RANGE
  }

  /** Where the log ends in which the reader's last message may be, if it is not in this one. */
  divergingFrom(
    offset: number,
    lastEpoch: number,
  ): { epoch: number; endOffset: number } | undefined {
    if (lastEpoch < 0 || lastEpoch === this.leaderEpoch) return undefined
    const upTo = this.#batches.filter(({ epoch }) => epoch <= lastEpoch).at(-1)
    const epoch = upTo?.epoch ?? lastEpoch
    const endOffset = upTo === undefined ? this.startOffset : upTo.lastOffset + 1
    return epoch < lastEpoch || endOffset < offset ? { epoch, endOffset } : undefined
  }

  /** Whole batches, as many as there is room for; the very first of an answer whatever its size. */
  read(offset: number, bytesMax: number, isFirst: boolean): Uint8Array {
    const found: Uint8Array[] = []
    let length = 0
    for (const { lastOffset, bytes } of this.#batches) {
      if (lastOffset < offset) continue
      const isFree = isFirst && found.length === 0
      if (!isFree && length + bytes.length > bytesMax) break
      found.push(bytes)
      length += bytes.length
    }
    return joinChunks(found)
  }

  #store(batch: Uint8Array): number {
    const baseOffset = this.endOffset
    const header = decodeBatchHeader(batch)
    const stored = encodeBatchHeader({
      ...header,
      baseOffset,
      partitionLeaderEpoch: this.leaderEpoch,
    })
    const bytes = joinChunks([stored, batch.subarray(batchHeaderBytes)])
    const lastOffset = baseOffset + header.lastOffsetDelta
    this.#batches.push({ baseOffset, lastOffset, epoch: this.leaderEpoch, bytes })
    return baseOffset
  }
}

/** The values of a batch's messages, as text. */
export function valuesIn(batch: Uint8Array): string[] {
  const decoder = new RecordDecoder(
    batch.subarray(batchHeaderBytes),
    decodeBatchHeader(batch).recordCount,
  )
  const values: string[] = []
  for (let record = decoder.next(); record !== undefined; record = decoder.next()) {
    values.push(new TextDecoder().decode(record.value ?? new Uint8Array()))
  }
  return values
}

function refused(code: number): Taken {
  return { errorCode: code, baseOffset: -1 }
}

function batchBytes(values: readonly (string | Uint8Array)[]): Uint8Array {
  const builder = new RecordsBuilder()
  for (const value of values) {
    const bytes = typeof value === 'string' ? new TextEncoder().encode(value) : value
    builder.append({ key: null, value: bytes, headers: [], timestamp: 1000 })
  }
  const records = joinChunks(builder.finish())
  const header = encodeBatchHeader({
    baseOffset: 0,
    batchLength: batchHeaderBytes - batchLengthOverhead + records.length,
    partitionLeaderEpoch: -1,
    magic: batchMagic,
    crc: 0,
    attributes: 0,
    lastOffsetDelta: values.length - 1,
    baseTimestamp: 1000,
    maxTimestamp: 1000,
    producerId: -1,
    producerEpoch: -1,
    baseSequence: -1,
    recordCount: values.length,
  })
  return joinChunks([header, records])
}
