/**
 * What a batch from a client has to be before it is stored, so that every consumer can read it after
 * any hostile input: the attributes are a client's to set, the counts agree with the records, each
 * record's fields lie within it, and it fits into the topic.
 *
 * Compressed records are expanded to be checked, within a bound. A batch of many records, or one that
 * expands to much, is checked in slices, so that nobody else waits for it: then the answer is a
 * promise.
 */
import {
  batchHeaderBytes,
  type Chunks,
  type Clock,
  type Codecs,
  checkRecords,
  chunksLength,
  compressionMask,
  InvalidMessageError,
  type MessageBatch,
  MessageTooLargeError,
  RecordCursor,
} from '@kaska/protocol'

export interface BatchCheckOptions {
  readonly clock: Clock
  readonly codecs: Codecs
  /** What a compressed batch may expand to. */
  readonly expandedBytesMax: number
}

/** Beyond so many records a batch is checked in slices: some 60 ns each. */
const recordsAtOnceMax = 20_000
const sliceRecords = 4096
const sliceMs = 4

/**
 * Checks a batch against all but the partition's state. Throws, or rejects with, InvalidMessageError,
 * MessageTooLargeError, UnsupportedCompressionError.
 */
export function checkBatch(
  batch: MessageBatch,
  maxMessageBytes: number,
  options: BatchCheckOptions,
): MessageBatch | Promise<MessageBatch> {
  const { attributes, baseTimestamp, recordCount, recordsLength, lastOffsetDelta } = batch
  if ((attributes & ~compressionMask) !== 0) {
    throw new InvalidMessageError(
      `a client's batch may say how it is compressed, and nothing else (attributes ${attributes})`,
    )
  }
  if (batchHeaderBytes + recordsLength > maxMessageBytes) {
    throw new MessageTooLargeError(
      `the batch has ${batchHeaderBytes + recordsLength} bytes, ` +
        `the topic's max.message.bytes is ${maxMessageBytes}`,
    )
  }
  if (lastOffsetDelta !== recordCount - 1) {
    throw new InvalidMessageError(
      `a batch of ${recordCount} records gives them ${lastOffsetDelta + 1} offsets`,
    )
  }
  if (!(Number.isSafeInteger(baseTimestamp) && baseTimestamp >= -1)) {
    throw new InvalidMessageError(`${baseTimestamp} is not a timestamp`)
  }
  if (chunksLength(batch.records) !== recordsLength) {
    throw new InvalidMessageError(`a batch does not have the ${recordsLength} bytes that it claims`)
  }
  const compression = attributes & compressionMask
  if (compression === 0) return checkExpanded(batch, batch.records, recordsLength, options)
  const codec = options.codecs(compression)
  const expanded = codec.decompress(batch.records, options.expandedBytesMax)
  return checkExpanded(batch, [expanded], expanded.length, options)
}

function checkExpanded(
  batch: MessageBatch,
  records: Chunks,
  recordsLength: number,
  { clock }: BatchCheckOptions,
): MessageBatch | Promise<MessageBatch> {
  const { recordCount, baseTimestamp } = batch
  if (recordCount <= recordsAtOnceMax) {
    const { maxTimestamp } = checkRecords({ records, recordsLength, recordCount, baseTimestamp })
    return { ...batch, maxTimestamp }
  }
  return checkInSlices(batch, records, recordsLength, clock)
}

/** The same as `checkRecords`, and lets others have a turn now and then. */
async function checkInSlices(
  batch: MessageBatch,
  records: Chunks,
  recordsLength: number,
  clock: Clock,
): Promise<MessageBatch> {
  const { recordCount, baseTimestamp } = batch
  // A record takes at least 7 bytes.
  if (recordCount > recordsLength / 7) {
    throw new InvalidMessageError(`a batch of ${recordsLength} bytes claims ${recordCount} records`)
  }
  const cursor = new RecordCursor(records, recordsLength, recordCount)
  let deltaMax = Number.NEGATIVE_INFINITY
  let sliceStart = clock.monotonic()
  for (let index = 0; cursor.next(); index++) {
    if (cursor.offsetDelta !== index) {
      throw new InvalidMessageError(`record ${index} says that it is number ${cursor.offsetDelta}`)
    }
    if (cursor.timestampDelta > deltaMax) deltaMax = cursor.timestampDelta
    if (index % sliceRecords === 0 && clock.monotonic() - sliceStart > sliceMs) {
      await clock.yield()
      sliceStart = clock.monotonic()
    }
  }
  const maxTimestamp = baseTimestamp + deltaMax
  if (!Number.isSafeInteger(maxTimestamp)) {
    throw new InvalidMessageError('a timestamp is larger than 2^53 - 1')
  }
  return { ...batch, maxTimestamp }
}
