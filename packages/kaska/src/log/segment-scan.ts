/**
 * Walks the batches of a segment file in order, in bounded memory whatever the file holds: headers
 * only, or with the CRC of every batch. Nothing that a file says is trusted: the walk ends at the
 * first contradiction and says which.
 */
import {
  type BatchHeader,
  batchCrcStart,
  batchHeaderBytes,
  batchLengthOverhead,
  batchMagic,
  type Crc32c,
  decodeBatchHeader,
} from '@kaska/protocol'
import type { DiskFile } from './disk.ts'

export interface ScanOptions {
  readonly from: number
  /** Where the walk ends: nothing at or behind it is read. */
  readonly to: number
  /** Checks the CRC of every batch, where it is given. */
  readonly crc32c?: Crc32c
  /** How much to read at a time; 64 KiB. */
  readonly bufferBytes?: number
  /** Called for every sound batch; a string stops the walk and is its `reason`. */
  visit(header: BatchHeader, position: number): string | undefined
}

export interface ScanEnd {
  /** Behind the last sound batch that was visited without a reason. */
  readonly position: number
  /** Why the walk ended before `to`. */
  readonly reason: string | undefined
}

/** The bytes of a batch, header included. */
export function batchBytes(header: BatchHeader): number {
  return header.batchLength + batchLengthOverhead
}

/** What is wrong with a header that has `bytesLeft` of file from its first byte on. */
export function headerProblem(header: BatchHeader, bytesLeft: number): string | undefined {
  const { baseOffset, batchLength, lastOffsetDelta, recordCount } = header
  if (header.magic !== batchMagic) return `its magic is ${header.magic}, not ${batchMagic}`
  if (batchLength < batchHeaderBytes - batchLengthOverhead) return `its length is ${batchLength}`
  if (!Number.isSafeInteger(baseOffset) || baseOffset < 0) return `its offset is ${baseOffset}`
  if (lastOffsetDelta < 0 || recordCount < 0 || recordCount > lastOffsetDelta + 1) {
    return `it claims ${recordCount} records over ${lastOffsetDelta + 1} offsets`
  }
  if (batchLength + batchLengthOverhead > bytesLeft) {
    return `it claims ${batchLength + batchLengthOverhead} bytes, the file has ${bytesLeft}`
  }
  return undefined
}

export async function scanSegment(file: DiskFile, options: ScanOptions): Promise<ScanEnd> {
  const { to, crc32c, visit } = options
  const window = new ReadWindow(file, to, options.bufferBytes ?? 64 * 1024)
  let position = options.from
  while (position < to) {
    if (to - position < batchHeaderBytes) {
      return { position, reason: `${to - position} bytes are left, fewer than a header has` }
    }
    if (!window.has(position, batchHeaderBytes)) await window.load(position)
    if (!window.has(position, batchHeaderBytes)) return { position, reason: 'the file is shorter' }
    const headerBytes = window.view(position, batchHeaderBytes)
    const header = decodeBatchHeader(headerBytes)
    let problem = headerProblem(header, to - position)
    if (problem === undefined && crc32c !== undefined) {
      const start = position + batchCrcStart
      const crc = await window.crc(start, position + batchBytes(header), crc32c)
      if (crc !== header.crc) problem = 'its CRC is wrong'
    }
    problem ??= visit(header, position)
    if (problem !== undefined) return { position, reason: problem }
    position += batchBytes(header)
  }
  return { position, reason: undefined }
}

/** The part of a file that is in memory. */
export class ReadWindow {
  readonly #file: DiskFile
  readonly #to: number
  readonly #bufferBytes: number
  #buffer: Uint8Array | undefined
  #start = 0
  #end = 0

  constructor(file: DiskFile, to: number, bufferBytes: number) {
    this.#file = file
    this.#to = to
    this.#bufferBytes = bufferBytes
  }

  has(position: number, length: number): boolean {
    return position >= this.#start && position + length <= this.#end
  }

  view(position: number, length: number): Uint8Array {
    const buffer = this.#buffer as Uint8Array
    return buffer.subarray(position - this.#start, position - this.#start + length)
  }

  /** How many bytes there are in memory from this position on. */
  bytesFrom(position: number): number {
    return position >= this.#start ? Math.max(0, this.#end - position) : 0
  }

  async load(position: number): Promise<void> {
    this.#buffer ??= new Uint8Array(Math.max(1, Math.min(this.#bufferBytes, this.#to - position)))
    const length = Math.min(this.#buffer.length, this.#to - position)
    this.#start = position
    this.#end = position + (await this.#file.read(position, this.#buffer.subarray(0, length)))
  }

  /** The CRC-32C of a range, however long it is; -1 where the file ends within it. */
  async crc(start: number, end: number, crc32c: Crc32c): Promise<number> {
    let crc = 0
    let position = start
    while (position < end) {
      if (this.bytesFrom(position) === 0) {
        await this.load(position)
        if (this.bytesFrom(position) === 0) return -1
      }
      const length = Math.min(end - position, this.bytesFrom(position))
      crc = crc32c(this.view(position, length), crc)
      position += length
    }
    return crc
  }
}
