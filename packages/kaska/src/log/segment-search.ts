/**
 * What lies behind a place where a segment cannot be read: a sound batch, which means that something was
 * whole there once, or a hole, which means that writes were lost.
 */
import {
  type BatchHeader,
  batchCrcStart,
  batchHeaderBytes,
  batchMagic,
  type Crc32c,
  decodeBatchHeader,
} from '@kaska/protocol'
import type { DiskFile } from './disk.ts'
import type { LogShared } from './log-config.ts'
import { batchBytes, headerProblem, ReadWindow } from './segment-scan.ts'

const windowBytes = 1024 * 1024
const sectorBytes = 512
/** Where a batch has its magic. */
const magicPosition = 16
const zerosMin = 12

/** The first position of [from, to) at which a batch stands that could follow on `offset`. */
export async function findSoundBatch(
  file: DiskFile,
  from: number,
  to: number,
  offset: number,
  { crc32c, clock }: Pick<LogShared, 'crc32c' | 'clock'>,
): Promise<{ position: number; header: BatchHeader } | undefined> {
  const window = new ReadWindow(file, to, windowBytes)
  const candidates = new ReadWindow(file, to, windowBytes)
  // Bytes made to look like headers could cost a CRC each: past this, one is taken at its word.
  let crcBytesLeft = 16 * (to - from) + windowBytes
  for (let position = from; position + batchHeaderBytes <= to; position++) {
    if (!window.has(position, batchHeaderBytes)) {
      await clock.yield()
      await window.load(position)
      if (!window.has(position, batchHeaderBytes)) return undefined
    }
    const ahead = window.view(position, window.bytesFrom(position))
    const magicAt = ahead.indexOf(batchMagic, magicPosition)
    if (magicAt !== magicPosition) {
      // To the next place that has a magic, or as far as the window shows that there is none.
      const skipped = magicAt < 0 ? ahead.length - magicPosition : magicAt - magicPosition
      position += skipped - 1
      continue
    }
    const header = decodeBatchHeader(ahead)
    if (headerProblem(header, to - position) !== undefined) continue
    if (header.baseOffset < offset || header.partitionLeaderEpoch < 0) continue
    crcBytesLeft -= batchBytes(header)
    if (crcBytesLeft < 0) return { position, header }
    const end = position + batchBytes(header)
    if ((await candidates.crc(position + batchCrcStart, end, crc32c)) === header.crc) {
      return { position, header }
    }
  }
  return undefined
}

/**
 * Were writes lost between the two? A sector of zeros, or zeros up to the end of the sector in which
 * `from` lies, or from the beginning of the last sector to the end of the file. A header has fewer
 * zeros one after the other than `zerosMin`, so less of them proves nothing.
 */
export async function hasHole(file: DiskFile, from: number, to: number): Promise<boolean> {
  const size = await file.size()
  const window = new ReadWindow(file, to, windowBytes)
  for (let start = from; start < to; ) {
    const end = Math.min(to, start - (start % sectorBytes) + sectorBytes)
    if (!window.has(start, end - start)) await window.load(start)
    if (!window.has(start, end - start)) return false
    const isPart = start === from || end === size
    const isHole = end - start === sectorBytes || (isPart && end - start >= zerosMin)
    if (isHole && window.view(start, end - start).every((byte) => byte === 0)) return true
    start = end
  }
  return false
}

/** Is the batch at `from` one that the end of the file cut off? Also where nothing of it is there. */
export async function endsEarly(
  file: DiskFile,
  from: number,
  size: number,
  crc32c: Crc32c,
): Promise<boolean> {
  if (size - from < batchHeaderBytes) return true
  const window = new ReadWindow(file, size, windowBytes)
  await window.load(from)
  if (!window.has(from, batchHeaderBytes)) return true
  const header = decodeBatchHeader(window.view(from, batchHeaderBytes))
  if (batchBytes(header) <= size - from) return false
  // With a sound CRC all of it is there, and only the length is wrong.
  return (await window.crc(from + batchCrcStart, size, crc32c)) !== header.crc
}
