/**
 * A partition's checkpoint: up to where its files were synced, so that a start need not look at what
 * lies before, and what the partition knows of its producers at that point. It is the file
 * `checkpoint` in the partition's directory, replaced by write, sync and rename; a torn or older one
 * does no harm, since a recovery then only checks more.
 *
 *   magic "KSKC", format uint8 (1), CRC-32C uint32 of all that follows, then big-endian:
 *   startOffset, segmentBase, position, offset int64; maxTimestamp, maxTimestampOffset, segmentTime
 *   int64; lastEpoch int32; producer count uint32, and per producer: id int64, epoch int16, age
 *   int64, batch count uint8, and per batch: first and last sequence int32, base and last offset and timestamp
 *   int64
 */
import type { Chunks, Crc32c } from '@kaska/protocol'
import { type Disk, type DiskFile, withFile } from './disk.ts'
import type { ProducerBatch, ProducerEntry, ProducerState } from './producer-state.ts'

/** Everything before this point was synced. */
export interface Checkpoint {
  /** The first offset of the log that readers may see. */
  readonly startOffset: number
  /** The segment that was written last, by its base offset. */
  readonly segmentBase: number
  /** Its size then. */
  readonly position: number
  /** The offset that comes next there. */
  readonly offset: number
  /** The largest timestamp in that segment and the last offset of its batch; -1 where it is empty. */
  readonly maxTimestamp: number
  readonly maxTimestampOffset: number
  /** Wall time at which that segment got its first batch; -1 where it has none. */
  readonly segmentTime: number
  /** The leader epoch of the last batch before the point; -1 without one. */
  readonly lastEpoch: number
}

export const checkpointName = 'checkpoint'
export const checkpointTemporaryName = 'checkpoint.new'

const magic = 0x4b534b43
const format = 1
const fixedBytes = 9 + 7 * 8 + 4 + 4
const producerBytes = 8 + 2 + 8 + 1
const producerBatchBytes = 4 + 4 + 8 + 8 + 8
/** 10,000 producers take 1.8 MB: whatever is larger is not a checkpoint. */
const bytesMax = 4 * 1024 * 1024

/** `producersNow`: the time in which `ProducerEntry.lastSeen` is, which no other process shares. */
export function encodeCheckpoint(
  checkpoint: Checkpoint,
  producers: ProducerState,
  crc32c: Crc32c,
  producersNow = 0,
): Uint8Array {
  let length = fixedBytes
  for (const [, entry] of producers.entries()) {
    length += producerBytes + entry.batches.length * producerBatchBytes
  }
  const bytes = new Uint8Array(length)
  const cursor = new Cursor(bytes)
  cursor.setU32(magic)
  cursor.setU8(format)
  cursor.position = 9
  for (const value of fields(checkpoint)) cursor.setI64(value)
  cursor.setI32(checkpoint.lastEpoch)
  cursor.setU32(producers.size)
  for (const [producerId, entry] of producers.entries()) {
    cursor.setI64(producerId)
    cursor.setI16(entry.epoch)
    cursor.setI64(Math.max(0, producersNow - entry.lastSeen))
    cursor.setU8(entry.batches.length)
    for (const batch of entry.batches) {
      cursor.setI32(batch.firstSequence)
      cursor.setI32(batch.lastSequence)
      cursor.setI64(batch.baseOffset)
      cursor.setI64(batch.lastOffset)
      cursor.setI64(batch.timestamp)
    }
  }
  cursor.position = 5
  cursor.setU32(crc32c(bytes.subarray(9), 0))
  return bytes
}

/** Reads what `encodeCheckpoint` made; undefined where it is anything else. */
export function decodeCheckpoint(
  bytes: Uint8Array,
  crc32c: Crc32c,
  producersNow = 0,
): { checkpoint: Checkpoint; producers: Map<number, ProducerEntry> } | undefined {
  if (bytes.length < fixedBytes) return undefined
  const cursor = new Cursor(bytes)
  if (cursor.u32() !== magic || cursor.u8() !== format) return undefined
  if (cursor.u32() !== crc32c(bytes.subarray(9), 0)) return undefined
  const checkpoint: Checkpoint = {
    startOffset: cursor.i64(),
    segmentBase: cursor.i64(),
    position: cursor.i64(),
    offset: cursor.i64(),
    maxTimestamp: cursor.i64(),
    maxTimestampOffset: cursor.i64(),
    segmentTime: cursor.i64(),
    lastEpoch: cursor.i32(),
  }
  const producers = new Map<number, ProducerEntry>()
  const producerCount = cursor.u32()
  for (let index = 0; index < producerCount; index++) {
    if (cursor.bytesLeft < producerBytes) return undefined
    const producerId = cursor.i64()
    const epoch = cursor.i16()
    const lastSeen = producersNow - cursor.i64()
    const batchCount = cursor.u8()
    if (batchCount === 0 || cursor.bytesLeft < batchCount * producerBatchBytes) return undefined
    const batches: ProducerBatch[] = []
    for (let batch = 0; batch < batchCount; batch++) {
      batches.push({
        firstSequence: cursor.i32(),
        lastSequence: cursor.i32(),
        baseOffset: cursor.i64(),
        lastOffset: cursor.i64(),
        timestamp: cursor.i64(),
      })
    }
    producers.set(producerId, { epoch, lastSeen, batches })
  }
  return cursor.bytesLeft === 0 ? { checkpoint, producers } : undefined
}

/**
 * Replaces a small file: after a crash it is the old one or the new one, or a torn one, which its
 * reader recognises. `finish` may write more, and makes the content durable before it gets its name. What
 * was written before a failure is removed: it takes space where there may be none.
 */
export async function replaceFile(
  disk: Disk,
  path: string,
  temporaryPath: string,
  bytes: Chunks,
  finish: (file: DiskFile) => Promise<void> = (file) => file.sync(),
): Promise<void> {
  try {
    const file = await disk.open(temporaryPath, { create: true })
    try {
      await file.truncate(0)
      await file.write(0, bytes)
      await finish(file)
    } finally {
      await file.close()
    }
    await disk.rename(temporaryPath, path)
  } catch (error) {
    await disk.remove(temporaryPath).catch(() => {})
    throw error
  }
}

/** A small file whole; undefined where there is none. */
export async function readFile(
  disk: Disk,
  path: string,
  lengthMax: number = bytesMax,
): Promise<Uint8Array | undefined> {
  return await withFile(disk, path, async (file) => {
    const bytes = new Uint8Array(Math.min(await file.size(), lengthMax))
    return bytes.subarray(0, await file.read(0, bytes))
  })
}

function fields(checkpoint: Checkpoint): number[] {
  return [
    checkpoint.startOffset,
    checkpoint.segmentBase,
    checkpoint.position,
    checkpoint.offset,
    checkpoint.maxTimestamp,
    checkpoint.maxTimestampOffset,
    checkpoint.segmentTime,
  ]
}

/** Big-endian integers one after the other. */
class Cursor {
  readonly #view: DataView
  position = 0

  constructor(bytes: Uint8Array) {
    this.#view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength)
  }

  get bytesLeft(): number {
    return this.#view.byteLength - this.position
  }

  u8(): number {
    return this.#view.getUint8(this.#advance(1))
  }

  i16(): number {
    return this.#view.getInt16(this.#advance(2))
  }

  i32(): number {
    return this.#view.getInt32(this.#advance(4))
  }

  u32(): number {
    return this.#view.getUint32(this.#advance(4))
  }

  i64(): number {
    const high = this.i32()
    return high * 0x1_0000_0000 + this.u32()
  }

  setU8(value: number): void {
    this.#view.setUint8(this.#advance(1), value)
  }

  setI16(value: number): void {
    this.#view.setInt16(this.#advance(2), value)
  }

  setI32(value: number): void {
    this.#view.setInt32(this.#advance(4), value)
  }

  setU32(value: number): void {
    this.#view.setUint32(this.#advance(4), value)
  }

  setI64(value: number): void {
    this.setI32(Math.floor(value / 0x1_0000_0000))
    this.setU32(value >>> 0)
  }

  #advance(length: number): number {
    const { position } = this
    this.position += length
    return position
  }
}
