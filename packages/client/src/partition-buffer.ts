/**
 * Where a reader stands in one partition, and what it has fetched beyond that.
 *
 *   offset    0 ........ position ............ fetchPosition ............ end of the log
 *             handed out         [ buffered  ][ asked for next
 *
 * Batches are taken apart one record at a time, when the record is handed out.
 */
import {
  type Chunks,
  type Codecs,
  compressionMask,
  controlBit,
  InvalidMessageError,
  joinChunks,
  logAppendTimeBit,
  type PolledBatch,
  RecordDecoder,
  type TopicId,
} from '@kaska/protocol'
import { Fifo } from './fifo.ts'
import { Message } from './message.ts'

export class PartitionBuffer {
  readonly topicName: string
  readonly topic: TopicId
  readonly partition: number
  /** The offset of the next message to be asked for. */
  fetchPosition: number
  /** The leader epoch of the message before `fetchPosition`, if it was seen. */
  fetchEpoch: number | undefined
  /** Counts the seeks: an answer to what was asked before one is thrown away. */
  seekCount = 0
  /** The count when the request was made that is under way. */
  askedSeekCount = 0
  /** Is it in the line of those that have messages? */
  isQueued = false
  /** Bytes of the batches that are buffered. */
  bufferedBytes = 0

  #position: number
  /** The leader epoch of the message before `#position`. */
  #seenEpoch: number | undefined
  readonly #batches = new Fifo<PolledBatch>()
  #batch: PolledBatch | undefined
  #decoder: RecordDecoder | undefined
  #recordsLeft = 0

  constructor(topicName: string, topic: TopicId, partition: number, position: number) {
    this.topicName = topicName
    this.topic = topic
    this.partition = partition
    this.fetchPosition = position
    this.#position = position
  }

  /** The offset of the next message to be handed out. */
  get position(): number {
    return this.#hasBuffered ? this.#position : this.fetchPosition
  }

  get #hasBuffered(): boolean {
    return this.#batch !== undefined || this.#batches.length > 0
  }

  seek(offset: number): void {
    this.#drop()
    this.seekCount++
    this.#position = offset
    this.#seenEpoch = undefined
    this.fetchPosition = offset
    this.fetchEpoch = undefined
  }

  /** Asks for another place next; what is buffered stays. */
  skipTo(offset: number): void {
    this.seekCount++
    this.fetchPosition = offset
    this.fetchEpoch = undefined
  }

  /** Goes back to what was handed out: the rest is asked for again. */
  rewind(): void {
    const position = this.position
    const epoch = this.#hasBuffered ? this.#seenEpoch : this.fetchEpoch
    this.#drop()
    this.seekCount++
    this.#position = position
    this.fetchPosition = position
    this.fetchEpoch = epoch
  }

  /** Takes a batch that was asked for at `fetchPosition`; false if there is nothing in it for us. */
  take(batch: PolledBatch): boolean {
    const end = batch.baseOffset + batch.lastOffsetDelta + 1
    if (!Number.isSafeInteger(end) || end <= this.fetchPosition) return false
    if (!this.#hasBuffered) {
      this.#position = this.fetchPosition
      this.#seenEpoch = this.fetchEpoch
    }
    this.fetchPosition = end
    this.fetchEpoch = batch.leaderEpoch
    // Markers of transactions are not messages.
    if (batch.attributes & controlBit || batch.recordCount === 0) return false
    this.#batches.push(batch)
    this.bufferedBytes += batch.recordsLength
    return true
  }

  /** The log was cut back to `endOffset`: false if messages beyond were handed out already. */
  truncate(endOffset: number): boolean {
    if (this.position > endOffset) return false
    this.rewind()
    return true
  }

  /**
   * The next message; undefined when the buffer is empty. Throws InvalidMessageError and
   * UnsupportedCompressionError: then the batch is still the next one to be asked for.
   */
  shift(codecs: Codecs, expandedBytesMax: number): Message | undefined {
    try {
      for (;;) {
        const batch = this.#batch ?? this.#openBatch(codecs, expandedBytesMax)
        if (batch === undefined) return undefined
        const message = this.#decode(batch)
        if (this.#recordsLeft === 0) this.#closeBatch(batch)
        if (message !== undefined) {
          this.#position = message.offset + 1
          this.#seenEpoch = batch.leaderEpoch
          return message
        }
      }
    } catch (error) {
      this.rewind()
      throw error
    }
  }

  /** The next record of the batch; undefined where it lies before the position. */
  #decode(batch: PolledBatch): Message | undefined {
    const record = this.#decoder?.next()
    this.#recordsLeft--
    if (record === undefined)
      throw new InvalidMessageError('a batch has fewer records than it says')
    const { offsetDelta, key, value, headers } = record
    if (offsetDelta < 0 || offsetDelta > batch.lastOffsetDelta) {
      throw new InvalidMessageError(`a record lies outside of its batch: ${offsetDelta}`)
    }
    const offset = batch.baseOffset + offsetDelta
    if (offset < this.#position) return undefined
    const timestamp =
      batch.attributes & logAppendTimeBit
        ? batch.maxTimestamp
        : batch.baseTimestamp + record.timestampDelta
    return new Message(this.topicName, this.partition, offset, timestamp, key, value, headers)
  }

  #closeBatch(batch: PolledBatch): void {
    this.bufferedBytes -= batch.recordsLength
    this.#batch = undefined
    this.#decoder = undefined
  }

  #openBatch(codecs: Codecs, expandedBytesMax: number): PolledBatch | undefined {
    const batch = this.#batches.shift()
    if (batch === undefined) return undefined
    const compression = batch.attributes & compressionMask
    const records =
      compression === 0
        ? contiguous(batch.records)
        : codecs(compression).decompress(batch.records, expandedBytesMax)
    this.#batch = batch
    this.#decoder = new RecordDecoder(records, batch.recordCount)
    this.#recordsLeft = batch.recordCount
    return batch
  }

  #drop(): void {
    this.#batches.clear()
    this.#batch = undefined
    this.#decoder = undefined
    this.bufferedBytes = 0
  }
}

/** The records as one piece: a socket brings them so, only other transports may need a copy. */
function contiguous(records: Chunks): Uint8Array {
  const [only] = records
  return records.length === 1 && only !== undefined ? only : joinChunks(records)
}
