/**
 * Finds single messages and bounds in a partition's log: the bytes of a message, the first one at or after
 * a time, the newest one, the epochs at both ends. What lies in a compressed batch is expanded for it, within
 * bounds.
 */
import {
  InvalidMessageError,
  logAppendTimeBit,
  type OffsetBounds,
  PartitionOfflineError,
} from '@kaska/protocol'
import type { StoredBatch } from '../log/log-batches.ts'
import type { PartitionLog } from '../log/partition-log.ts'
import { outOfRange } from './poll.ts'
import { type WalkSeams, walkRecords } from './record-walk.ts'
import type { RecordVisitor } from './record-walker.ts'

/** Where a message is, and what it is stamped with. */
export interface StampedOffset {
  readonly offset: number
  readonly timestamp: number
  readonly leaderEpoch: number
}

/** The bounds of a partition, with the leader epochs of its first and its last batch; -1: none. */
export interface EpochBounds extends OffsetBounds {
  readonly firstEpoch: number
  readonly lastEpoch: number
}

/** Throws PartitionOfflineError where nothing can be read: it would look like an empty one. */
export function boundsOf({ startOffset, endOffset, offline }: PartitionLog): OffsetBounds {
  if (offline !== undefined && endOffset === 0) throw new PartitionOfflineError(offline)
  return { startOffset, endOffset }
}

export async function epochBoundsOf(
  log: PartitionLog,
  signal: AbortSignal | undefined,
): Promise<EpochBounds> {
  const { lastEpoch } = log
  const bounds = boundsOf(log)
  const { startOffset, endOffset } = bounds
  if (startOffset === endOffset) return { ...bounds, firstEpoch: lastEpoch, lastEpoch }
  const stored = await log.read(startOffset, 1, signal)
  const firstEpoch = stored.batches[0]?.header.partitionLeaderEpoch ?? -1
  stored.release()
  return { ...bounds, firstEpoch, lastEpoch }
}

export class MessageLookup {
  readonly #walks: WalkSeams

  constructor(walks: WalkSeams) {
    this.#walks = walks
  }

  /** The bytes of a message's value. Rejects with OffsetOutOfRangeError, PartitionOfflineError. */
  async sizeOf(
    log: PartitionLog,
    offset: number,
    signal: AbortSignal | undefined,
  ): Promise<number> {
    const { startOffset, endOffset, offline } = log
    if (!(offset >= startOffset && offset < endOffset)) {
      if (offline !== undefined) throw new PartitionOfflineError(offline)
      throw outOfRange(offset, { startOffset, endOffset })
    }
    const stored = await log.read(offset, 1, signal)
    try {
      const batch = stored.batches.find(
        ({ header }) => header.baseOffset + header.lastOffsetDelta >= offset,
      )
      if (batch === undefined) throw outOfRange(offset, { startOffset, endOffset })
      return await this.#valueSize(batch, offset)
    } finally {
      stored.release()
    }
  }

  /** The first message with the largest timestamp of all; undefined where there is none. */
  async newest(
    log: PartitionLog,
    signal: AbortSignal | undefined,
  ): Promise<StampedOffset | undefined> {
    const timestamp = await log.maxTimestamp()
    return timestamp === undefined ? undefined : await this.from(log, timestamp, signal)
  }

  /** The first message at or after the timestamp; undefined if there is none. */
  async from(
    log: PartitionLog,
    timestamp: number,
    signal: AbortSignal | undefined,
  ): Promise<StampedOffset | undefined> {
    const offset = await log.offsetAt(timestamp)
    if (offset === undefined) return undefined
    const stored = await log.read(offset, 1, signal)
    try {
      const [batch] = stored.batches
      return batch === undefined ? undefined : await this.#within(batch, offset, timestamp)
    } finally {
      stored.release()
    }
  }

  async #valueSize(batch: StoredBatch, offset: number): Promise<number> {
    const wanted = offset - batch.header.baseOffset
    let size: number | undefined
    await this.#walk(batch, (offsetDelta, _timestampDelta, valueLength) => {
      if (offsetDelta === wanted) size = Math.max(0, valueLength)
      return offsetDelta >= wanted
    })
    if (size === undefined) throw new InvalidMessageError(`there is no message at offset ${offset}`)
    return size
  }

  /** The log knows of a compressed batch only that the message lies in it: which one is it? */
  async #within(batch: StoredBatch, from: number, timestamp: number): Promise<StampedOffset> {
    const { baseOffset, baseTimestamp, attributes, maxTimestamp } = batch.header
    const leaderEpoch = batch.header.partitionLeaderEpoch
    if ((attributes & logAppendTimeBit) !== 0) {
      return { offset: from, timestamp: maxTimestamp, leaderEpoch }
    }
    let found: StampedOffset = { offset: from, timestamp: maxTimestamp, leaderEpoch }
    await this.#walk(batch, (offsetDelta, timestampDelta) => {
      found = {
        offset: baseOffset + offsetDelta,
        timestamp: baseTimestamp + timestampDelta,
        leaderEpoch,
      }
      return found.offset >= from && found.timestamp >= timestamp
    })
    return found
  }

  /** Stored bytes are not trusted: rejects with InvalidMessageError. */
  async #walk(
    { header, records, recordsLength }: StoredBatch,
    visit: RecordVisitor,
  ): Promise<void> {
    const { attributes, recordCount } = header
    await walkRecords({ attributes, records, recordsLength, recordCount }, visit, this.#walks)
  }
}
