/**
 * Walks over the records of a batch of any size, compressed or not, without holding up anybody else:
 * at once where that is quick, else in slices with turns for others in between. What is expanded is
 * bounded, and never in memory as a whole; few batches are expanded at a time.
 */
import {
  type Chunks,
  type Clock,
  type Codecs,
  compressionMask,
  InvalidMessageError,
  type MessageBatch,
  RecordCursor,
} from '@kaska/protocol'
import type { Gate } from './gate.ts'
import { type RecordVisitor, RecordWalker } from './record-walker.ts'

/**
 * Expands a records section piece by piece. Throws InvalidMessageError for damaged input and for more
 * than `bytesMax` bytes of output, UnsupportedCompressionError.
 */
export type Expander = (
  compression: number,
  records: Chunks,
  bytesMax: number,
) => AsyncIterable<Uint8Array>

/** An expander for those who have codecs only: what it gives is one piece. */
export function expanderOf(codecs: Codecs): Expander {
  return async function* (compression, records, bytesMax) {
    yield codecs(compression).decompress(records, bytesMax)
  }
}

export interface WalkSeams {
  readonly clock: Clock
  /** Expand at once: for small batches. */
  readonly codecs: Codecs
  /** Expands piece by piece: for all others. */
  readonly expander: Expander
  /** Limits how many are expanded at a time. */
  readonly expansions: Gate
  /** What a compressed batch may expand to. */
  readonly expandedBytesMax: number
}

/** The records of a batch, as a sender or the log has them. */
export type Records = Pick<MessageBatch, 'attributes' | 'records' | 'recordsLength' | 'recordCount'>

/** Walked at once are at most so many records (some 60 ns each), */
const recordsAtOnceMax = 20_000
/** and what is compressed to at most so much and expands to at most so much. */
const compressedAtOnceBytesMax = 64 * 1024
const expandedAtOnceBytesMax = 1024 * 1024
const sliceMs = 4
const sliceBytes = 64 * 1024

/**
 * Calls the visitor for each record until it returns true. Undefined: it is over. Throws, or rejects
 * with, InvalidMessageError, UnsupportedCompressionError.
 */
export function walkRecords(
  batch: Records,
  visit: RecordVisitor,
  seams: WalkSeams,
): Promise<void> | undefined {
  const { attributes, records, recordsLength, recordCount } = batch
  const compression = attributes & compressionMask
  if (recordCount <= recordsAtOnceMax) {
    if (compression === 0) return walkAtOnce(records, recordsLength, recordCount, visit)
    const expanded = expandAtOnce(compression, batch, seams)
    if (expanded !== undefined) {
      return walkAtOnce([expanded], expanded.length, recordCount, visit)
    }
  }
  if (compression === 0) {
    return walkInSlices(new RecordWalker(recordCount, visit), records, seams.clock)
  }
  return seams.expansions.run(() =>
    walkExpanding(new RecordWalker(recordCount, visit), compression, records, seams),
  )
}

function walkAtOnce(
  records: Chunks,
  recordsLength: number,
  recordCount: number,
  visit: RecordVisitor,
): undefined {
  const cursor = new RecordCursor(records, recordsLength, recordCount)
  while (cursor.next()) {
    if (visit(cursor.offsetDelta, cursor.timestampDelta, cursor.valueLength)) return
  }
}

/** Undefined where it is not small, or not sound: then it is expanded piece by piece. */
function expandAtOnce(
  compression: number,
  { records, recordsLength }: Records,
  { codecs, expandedBytesMax }: WalkSeams,
): Uint8Array | undefined {
  const codec = codecs(compression)
  if (recordsLength > compressedAtOnceBytesMax) return undefined
  try {
    return codec.decompress(records, Math.min(expandedAtOnceBytesMax, expandedBytesMax))
  } catch (error) {
    if (error instanceof InvalidMessageError) return undefined
    throw error
  }
}

async function walkInSlices(walker: RecordWalker, records: Chunks, clock: Clock): Promise<void> {
  let sliceStart = clock.monotonic()
  for (const chunk of records) {
    for (let start = 0; start < chunk.length; start += sliceBytes) {
      if (walker.push(chunk.subarray(start, start + sliceBytes))) return
      if (clock.monotonic() - sliceStart < sliceMs) continue
      await clock.yield()
      sliceStart = clock.monotonic()
    }
  }
  walker.end()
}

async function walkExpanding(
  walker: RecordWalker,
  compression: number,
  records: Chunks,
  { expander, expandedBytesMax }: WalkSeams,
): Promise<void> {
  for await (const piece of expander(compression, records, expandedBytesMax)) {
    if (walker.push(piece)) return
  }
  walker.end()
}
