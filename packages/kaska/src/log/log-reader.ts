/**
 * The reading half of a log: what lies below the high watermark, from the disk. One read is an index
 * look-up, one positional read into one buffer, and views of that buffer; a reader that goes on where
 * its last read ended needs no look-up. The buffer is reserved in the broker's byte budget before it
 * is made. Every batch that comes from the disk is checked before anybody sees it, its CRC too; that
 * one only once by a process, for a reader who gets the CRC along with the batch (`CrcChecks`).
 */
import {
  type BatchHeader,
  batchCrcStart,
  batchHeaderBytes,
  compressionMask,
  decodeBatchHeader,
  logAppendTimeBit,
  OffsetOutOfRangeError,
  PartitionOfflineError,
  RecordCursor,
} from '@kaska/protocol'
import { DiskError, type DiskFile } from './disk.ts'
import type { CrcChecks, StoredBatch, StoredBatches } from './log-batches.ts'
import type { LogShared } from './log-config.ts'
import type { LogWriter } from './log-writer.ts'
import type { Segment } from './segment.ts'
import { batchBytes, headerProblem, scanSegment } from './segment-scan.ts'

/** Where a read ended: where the next one will begin. */
interface Resumption {
  readonly offset: number
  readonly segment: Segment
  readonly position: number
}

/** What a read has of the budget, and whether it has entered by the gate of the reads. */
interface Reserved {
  readonly bytes: number
  readonly isGated: boolean
}

const resumptionsMax = 8
const readBytesMin = 4096
/** What a read takes at least, when memory is short: one batch of ordinary size. */
const reserveBytesMin = 64 * 1024
/** A look-up that ends so far before its target is the work of a lost index. */
const rebuildBytes = 8 * 1024 * 1024

export const noBatches: StoredBatches = Object.freeze({
  batches: Object.freeze([]),
  bytes: 0,
  release() {},
})

export class LogReader {
  readonly #writer: LogWriter
  readonly #shared: LogShared
  readonly #indexIntervalBytes: () => number
  #resumptions: Resumption[] | undefined
  #rebuilding: Promise<void> | undefined

  constructor(writer: LogWriter, shared: LogShared) {
    this.#writer = writer
    this.#shared = shared
    this.#indexIntervalBytes = () => writer.config.indexIntervalBytes
  }

  /** Batches from the one that holds `offset`, which is below the high watermark. */
  async read(
    offset: number,
    bytesMax: number,
    signal?: AbortSignal,
    crcs: CrcChecks = 'each',
  ): Promise<StoredBatches> {
    let from = offset
    let bytesWanted = bytesMax
    // Less than the first batch takes would be read in vain, again and again: so it is waited for.
    let bytesLeast = reserveBytesMin
    for (;;) {
      signal?.throwIfAborted()
      if (offset < this.#writer.startOffset) throw this.#deleted(offset)
      const segment = this.#segmentOf(from)
      // Behind the last batch of a segment (a gap) the next one goes on.
      if (segment === undefined || from >= this.#writer.highWatermark) return noBatches
      const wanted = { bytesMax: bytesWanted, bytesLeast, crcs }
      const result = await this.#readSegment(segment, from, wanted, signal).catch(asOffline)
      if (typeof result === 'object' && 'batches' in result) return result
      if (typeof result === 'object') {
        bytesWanted = result.needed
        bytesLeast = result.needed
      } else if (result > 0) bytesWanted = result
      else from = this.#endOf(segment)
    }
  }

  /** The first offset whose timestamp is at or after the given one. */
  async offsetAt(timestamp: number): Promise<number | undefined> {
    const { highWatermark } = this.#writer
    const segments = [...this.#writer.segments]
    for (const [index, segment] of segments.entries()) {
      const { startOffset } = this.#writer
      const end = segments[index + 1]?.baseOffset ?? highWatermark
      if (end <= startOffset || segment.baseOffset >= highWatermark) continue
      try {
        if (segment.isSealed) {
          const newest = await segment.index.lastTime()
          if (newest !== undefined && newest.timestamp < timestamp) continue
        }
        const found = await this.#offsetIn(segment, timestamp, startOffset)
        if (found !== undefined) return found
      } catch (error) {
        // Deleted meanwhile: what is searched lies further on.
        if (!(error instanceof OffsetOutOfRangeError)) throw error
      }
    }
    return undefined
  }

  /** The largest timestamp of what is written in a segment; -1 where no batch has one. */
  async largestTimestamp(segment: Segment): Promise<number> {
    const { index, isSealed } = segment
    const newest = await index.lastTime()
    if (newest !== undefined && isSealed) return newest.timestamp
    // No timestamp is worth an entry, the index is lost, or its last entry is yet to come.
    let timestamp = newest?.timestamp ?? -1
    const from = newest === undefined ? 0 : await index.positionFloor(newest.relativeOffset)
    await this.#scan(segment, from, ({ maxTimestamp }) => {
      timestamp = Math.max(timestamp, maxTimestamp)
      return undefined
    })
    return timestamp
  }

  /** The first batch of a later epoch, and the epoch of the batch before it. */
  async epochEnd(epoch: number): Promise<{ epochBefore: number; endOffset: number }> {
    for (;;) {
      const [first] = this.#writer.segments
      try {
        return await this.#findEpochEnd(epoch)
      } catch (error) {
        // It came upon a segment that was deleted meanwhile.
        const isGone = error instanceof OffsetOutOfRangeError && first !== this.#writer.segments[0]
        if (!isGone) throw error
      }
    }
  }

  async #findEpochEnd(epoch: number): Promise<{ epochBefore: number; endOffset: number }> {
    const { highWatermark } = this.#writer
    const segments = this.#writer.segments.filter(({ baseOffset }) => baseOffset < highWatermark)
    // The last segment that does not begin with a later epoch holds the border, or ends at it.
    let low = -1
    let high = segments.length - 1
    while (low < high) {
      const middle = Math.ceil((low + high) / 2)
      const header = await this.#headerAt(segments[middle] as Segment, 0)
      if (header !== undefined && header.partitionLeaderEpoch <= epoch) low = middle
      else high = middle - 1
    }
    if (low < 0) {
      return { epochBefore: -1, endOffset: segments[0]?.baseOffset ?? highWatermark }
    }
    const segment = segments[low] as Segment
    const from = await this.#positionBeforeEpoch(segment, epoch)
    let epochBefore = -1
    let endOffset = this.#endOf(segment)
    await this.#scan(segment, from, (header) => {
      if (header.partitionLeaderEpoch > epoch) {
        endOffset = header.baseOffset
        return 'found'
      }
      epochBefore = header.partitionLeaderEpoch
      return undefined
    })
    return { epochBefore, endOffset: Math.min(endOffset, highWatermark) }
  }

  /** Forgets where reads ended. */
  forget(): void {
    this.#resumptions = undefined
  }

  #segmentOf(offset: number): Segment | undefined {
    const { segments } = this.#writer
    let low = 0
    let high = segments.length - 1
    while (low < high) {
      const middle = Math.ceil((low + high) / 2)
      if ((segments[middle] as Segment).baseOffset <= offset) low = middle
      else high = middle - 1
    }
    return segments[low]
  }

  /** The offset behind a segment. */
  #endOf(segment: Segment): number {
    const { segments, highWatermark } = this.#writer
    return segments[segments.indexOf(segment) + 1]?.baseOffset ?? highWatermark
  }

  async #readSegment(
    segment: Segment,
    offset: number,
    wanted: { readonly bytesMax: number; readonly bytesLeast: number; readonly crcs: CrcChecks },
    signal: AbortSignal | undefined,
  ): Promise<StoredBatches | { readonly needed: number } | number> {
    const { bytesMax, bytesLeast, crcs } = wanted
    const open = await this.#open(segment, offset)
    try {
      const size = await sizeOf(segment, open.file)
      const resumed = this.#resume(offset, segment)
      const position = resumed ?? (await segment.index.positionFloor(offset - segment.baseOffset))
      const slack = resumed === undefined ? this.#indexIntervalBytes() + batchHeaderBytes : 0
      const length = Math.min(size - position, Math.max(bytesMax + slack, readBytesMin))
      if (length <= 0) return 0
      const reserved = await this.#reserve(length, bytesLeast, signal)
      let isKept = false
      try {
        const buffer = this.#shared.budget.allocate(reserved.bytes)
        const bytes = buffer.subarray(0, await open.file.read(position, buffer))
        if (position > 0 && !leadsTo(offset, bytes, size - position)) {
          await this.#rebuildIndex(segment)
          return bytesMax
        }
        const found = this.#parse(segment, position, bytes, size, { offset, bytesMax, crcs })
        if (found.batches.length === 0) {
          if (found.needed > 0) return { needed: found.needed }
          if (found.position >= size) return 0
          // The target lies further on: go on from there.
          this.#remember({ offset, segment, position: found.position })
          if (found.position - position > rebuildBytes) await this.#rebuildIndex(segment)
          return bytesMax
        }
        isKept = true
        const last = found.batches.at(-1) as StoredBatch
        const nextOffset = last.header.baseOffset + last.header.lastOffsetDelta + 1
        this.#remember({ offset: nextOffset, segment, position: found.position })
        return {
          batches: found.batches,
          bytes: found.bytes,
          release: () => {
            this.#release(reserved)
            this.#shared.budget.free(buffer.buffer)
          },
        }
      } finally {
        if (!isKept) this.#release(reserved)
      }
    } finally {
      open.release()
    }
  }

  /**
   * The batches in a buffer that was read from `start`. `position` is where what follows them begins;
   * `needed` is how much one has to read to get the first of them, where it is not in the buffer.
   */
  #parse(
    segment: Segment,
    start: number,
    bytes: Uint8Array,
    size: number,
    wanted: { readonly offset: number; readonly bytesMax: number; readonly crcs: CrcChecks },
  ): { batches: StoredBatch[]; bytes: number; position: number; needed: number } {
    const { highWatermark } = this.#writer
    const batches: StoredBatch[] = []
    let total = 0
    let at = 0
    while (at + batchHeaderBytes <= bytes.length) {
      const header = decodeBatchHeader(bytes, at)
      const problem = headerProblem(header, size - start - at)
      if (problem !== undefined) throw this.#damaged(segment, start + at, problem)
      if (header.baseOffset >= highWatermark) {
        // What is behind comes later: where it begins is where the next read goes on.
        const position = batches.length === 0 ? size : start + at
        return { batches, bytes: total, position, needed: 0 }
      }
      const length = batchBytes(header)
      const isWanted = header.baseOffset + header.lastOffsetDelta >= wanted.offset
      if (isWanted) {
        if (at + length > bytes.length) {
          const needed = batches.length === 0 ? at + length : 0
          return { batches, bytes: total, position: start + at, needed }
        }
        if (batches.length > 0 && total + length > wanted.bytesMax) break
        if (wanted.crcs === 'each' || !segment.isSound(start + at, start + at + length)) {
          const crc = this.#shared.crc32c(bytes.subarray(at + batchCrcStart, at + length), 0)
          if (crc !== header.crc) throw this.#damaged(segment, start + at, 'its CRC is wrong')
          segment.checked(start + at, start + at + length)
        }
        const records = bytes.subarray(at + batchHeaderBytes, at + length)
        batches.push({
          header,
          headerBytes: bytes.subarray(at, at + batchHeaderBytes),
          records: records.length === 0 ? [] : [records],
          recordsLength: records.length,
        })
        total += length
      }
      at += length
    }
    return { batches, bytes: total, position: start + at, needed: 0 }
  }

  /**
   * As much as is free, up to what is wanted; `bytesLeast` is waited for. Reads enter the budget by
   * their gate, so that answers which nobody takes cannot fill it all; a short one may go past it,
   * so that they cannot keep other readers from their messages either.
   */
  async #reserve(
    bytes: number,
    bytesLeast: number,
    signal: AbortSignal | undefined,
  ): Promise<Reserved> {
    const { budget } = this.#shared
    const least = Math.min(bytes, bytesLeast)
    const free = Math.min(budget.available, budget.reads.free)
    const less = Math.min(bytes, Math.max(least, Math.floor(free / 2)))
    for (const wanted of [bytes, less]) {
      if (!budget.reads.tryEnter(wanted)) continue
      if (budget.tryReserve(wanted)) return { bytes: wanted, isGated: true }
      budget.reads.leave(wanted)
    }
    const isGated = least > reserveBytesMin
    if (isGated) await budget.reads.enter(least, signal)
    try {
      await budget.reserve(least, signal)
    } catch (error) {
      if (isGated) budget.reads.leave(least)
      throw error
    }
    return { bytes: least, isGated }
  }

  #release({ bytes, isGated }: Reserved): void {
    const { budget } = this.#shared
    budget.release(bytes)
    if (isGated) budget.reads.leave(bytes)
  }

  async #offsetIn(
    segment: Segment,
    timestamp: number,
    startOffset: number,
  ): Promise<number | undefined> {
    const below = await segment.index.offsetBelow(timestamp)
    const from = below < 0 ? 0 : await segment.index.positionFloor(below)
    let found: { header: BatchHeader; position: number } | undefined
    await this.#scan(segment, from, (header, position) => {
      const end = header.baseOffset + header.lastOffsetDelta + 1
      if (header.maxTimestamp < timestamp || end <= startOffset) return undefined
      found = { header, position }
      return 'found'
    })
    if (found === undefined) return undefined
    const { baseOffset, attributes } = found.header
    const isWhole = (attributes & (logAppendTimeBit | compressionMask)) !== 0
    if (isWhole) return Math.max(startOffset, baseOffset)
    return this.#offsetInBatch(found.header, timestamp, startOffset)
  }

  async #offsetInBatch(
    header: BatchHeader,
    timestamp: number,
    startOffset: number,
  ): Promise<number | undefined> {
    const stored = await this.read(Math.max(header.baseOffset, startOffset), 1)
    try {
      const batch = stored.batches[0] as StoredBatch
      const cursor = new RecordCursor(batch.records, batch.recordsLength, header.recordCount)
      while (cursor.next()) {
        const offset = header.baseOffset + cursor.offsetDelta
        const isLate = header.baseTimestamp + cursor.timestampDelta >= timestamp
        if (isLate && offset >= startOffset) return offset
      }
      return undefined
    } finally {
      stored.release()
    }
  }

  /** Some position before the first batch of a later epoch in a segment that begins before it. */
  async #positionBeforeEpoch(segment: Segment, epoch: number): Promise<number> {
    const positions = await segment.index.positions()
    let low = -1
    let high = positions.length - 1
    while (low < high) {
      const middle = Math.ceil((low + high) / 2)
      const header = await this.#headerAt(segment, positions[middle] as number)
      if (header !== undefined && header.partitionLeaderEpoch <= epoch) low = middle
      else high = middle - 1
    }
    return positions[low] ?? 0
  }

  async #headerAt(segment: Segment, position: number): Promise<BatchHeader | undefined> {
    let found: BatchHeader | undefined
    await this.#scan(segment, position, (header) => {
      found = header
      return 'found'
    })
    return found
  }

  /** Walks the headers below the high watermark. */
  async #scan(
    segment: Segment,
    from: number,
    visit: (header: BatchHeader, position: number) => 'found' | undefined,
  ): Promise<void> {
    const { highWatermark } = this.#writer
    const open = await this.#open(segment, segment.baseOffset)
    try {
      const { reason, position } = await scanSegment(open.file, {
        from,
        to: await sizeOf(segment, open.file),
        visit: (header, at) => (header.baseOffset >= highWatermark ? 'found' : visit(header, at)),
      })
      if (reason !== undefined && reason !== 'found') {
        throw this.#damaged(segment, position, reason)
      }
    } finally {
      open.release()
    }
  }

  /** Throws away an index that does not fit its segment, and builds a new one. */
  async #rebuildIndex(segment: Segment): Promise<void> {
    this.#resumptions = undefined
    while (this.#rebuilding !== undefined) await this.#rebuilding
    segment.index.reset()
    // That of the segment which is written starts anew, with what is written from now on.
    if (segment === this.#writer.segments.at(-1)) return
    this.#rebuilding = this.#fillIndex(segment)
    try {
      await this.#rebuilding
    } finally {
      this.#rebuilding = undefined
    }
  }

  async #fillIndex(segment: Segment): Promise<void> {
    const { index } = segment
    let timestamp = -1
    let timestampOffset = -1
    await this.#scan(segment, 0, (header, position) => {
      const lastOffset = header.baseOffset + header.lastOffsetDelta - segment.baseOffset
      if (header.maxTimestamp > timestamp) {
        timestamp = header.maxTimestamp
        timestampOffset = lastOffset
      }
      const time = { timestamp, relativeOffset: timestampOffset }
      index.note(position, batchBytes(header), lastOffset, time, this.#indexIntervalBytes())
      return undefined
    })
    index.noteTime({ timestamp, relativeOffset: timestampOffset })
    await index.flush().catch(() => {})
    this.#shared.report({
      kind: 'index-rebuilt',
      directory: segment.path,
      text: `the index of ${segment.logPath} was lost and built again`,
    })
  }

  /** The segment's file. What retention took away meanwhile is out of range. */
  async #open(segment: Segment, offset: number) {
    try {
      return await this.#shared.files.acquire(segment.logPath)
    } catch (error) {
      const isGone = error instanceof DiskError && error.kind === 'missing'
      if (isGone && !this.#writer.segments.includes(segment)) throw this.#deleted(offset)
      return asOffline(error)
    }
  }

  #deleted(offset: number): OffsetOutOfRangeError {
    const { startOffset, highWatermark: endOffset } = this.#writer
    const text = `offset ${offset} was deleted: there are ${startOffset} to ${endOffset}`
    return new OffsetOutOfRangeError(text, { startOffset, endOffset })
  }

  /** What is on the disk is not what was written: nothing is appended behind it any more. */
  #damaged(segment: Segment, position: number, reason: string): PartitionOfflineError {
    const text = `damage in ${segment.logPath} at position ${position}: ${reason}`
    this.#writer.goOffline(text)
    return new PartitionOfflineError(text)
  }

  #resume(offset: number, segment: Segment): number | undefined {
    const resumptions = this.#resumptions
    if (resumptions === undefined) return undefined
    const index = resumptions.findIndex(
      (resumption) => resumption.offset === offset && resumption.segment === segment,
    )
    return index < 0 ? undefined : resumptions[index]?.position
  }

  #remember(resumption: Resumption): void {
    this.#resumptions ??= []
    const { offset } = resumption
    const index = this.#resumptions.findIndex((known) => known.offset === offset)
    if (index >= 0) this.#resumptions.splice(index, 1)
    this.#resumptions.push(resumption)
    if (this.#resumptions.length > resumptionsMax) this.#resumptions.shift()
  }
}

/** A disk that fails to read is an offline partition for the reader. */
function asOffline(error: unknown): never {
  if (!(error instanceof DiskError)) throw error
  throw new PartitionOfflineError(`a read failed: ${error.message}`, { cause: error })
}

/** Is what was found where the index said a batch that is not behind the wanted one? */
function leadsTo(offset: number, bytes: Uint8Array, bytesLeft: number): boolean {
  if (bytes.length < batchHeaderBytes) return false
  const header = decodeBatchHeader(bytes)
  return headerProblem(header, bytesLeft) === undefined && header.baseOffset <= offset
}

async function sizeOf(segment: Segment, file: DiskFile): Promise<number> {
  if (segment.size < 0) segment.size = await file.size()
  return segment.size
}
