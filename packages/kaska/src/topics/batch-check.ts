/**
 * What a batch from a client has to be before it is stored, so that every consumer can read it after
 * any hostile input: the attributes are a client's to set, the counts agree with the records, each
 * record's fields lie within it, and it fits into the topic.
 *
 * A large batch is checked in slices, so that nobody else waits for it: then the answer is a promise.
 */
import {
  batchHeaderBytes,
  checkRecords,
  chunksLength,
  compressionMask,
  InvalidMessageError,
  type MessageBatch,
  MessageTooLargeError,
} from '@kaska/protocol'
import { type WalkSeams, walkRecords } from './record-walk.ts'

/** Beyond so many records a batch is checked in slices. */
const recordsAtOnceMax = 20_000

/** A record takes at least so many bytes. */
const recordBytesMin = 7

/** How many times smaller than its records a batch may claim to be. */
const compressionRatioMax = 100_000

/**
 * Checks a batch against all but the partition's state; in the result the largest timestamp is known.
 * Throws, or rejects with, InvalidMessageError, MessageTooLargeError, UnsupportedCompressionError.
 */
export function checkBatch(
  batch: MessageBatch,
  maxMessageBytes: number,
  seams: WalkSeams,
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
  if (attributes === 0 && recordCount <= recordsAtOnceMax) {
    return withMaxTimestamp(batch, checkRecords(batch).maxTimestamp)
  }
  return checkByWalking(batch, seams)
}

/** The same as `checkRecords`, for what is compressed or large. */
function checkByWalking(
  batch: MessageBatch,
  seams: WalkSeams,
): MessageBatch | Promise<MessageBatch> {
  const { attributes, recordCount, recordsLength, baseTimestamp } = batch
  const bytesMax = attributes === 0 ? recordsLength : recordsLength * compressionRatioMax
  if (!(recordCount >= 1 && recordCount <= bytesMax / recordBytesMin)) {
    throw new InvalidMessageError(`a batch of ${recordsLength} bytes claims ${recordCount} records`)
  }
  let index = 0
  let deltaMax = Number.NEGATIVE_INFINITY
  const walking = walkRecords(
    batch,
    (offsetDelta, timestampDelta) => {
      if (offsetDelta !== index) {
        throw new InvalidMessageError(`record ${index} says that it is number ${offsetDelta}`)
      }
      index++
      if (timestampDelta > deltaMax) deltaMax = timestampDelta
      return false
    },
    seams,
  )
  const end = () => withMaxTimestamp(batch, baseTimestamp + deltaMax)
  return walking === undefined ? end() : walking.then(end)
}

function withMaxTimestamp(batch: MessageBatch, maxTimestamp: number): MessageBatch {
  if (!Number.isSafeInteger(maxTimestamp)) {
    throw new InvalidMessageError('a timestamp is larger than 2^53 - 1')
  }
  const { attributes, baseTimestamp, recordCount, lastOffsetDelta, records, recordsLength } = batch
  const { received } = batch
  return {
    attributes,
    baseTimestamp,
    maxTimestamp,
    recordCount,
    lastOffsetDelta,
    records,
    recordsLength,
    received,
  }
}
