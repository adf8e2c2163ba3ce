/**
 * What stands behind `kaska log dump`, `verify` and `repair`: a stopped broker's directory, read batch by
 * batch from its first byte. Every function takes the directory's lock, so none works on one that a
 * broker has open (DataDirectoryLockedError), and all need memory for one buffer only. Only `repairLogs`
 * changes anything; what it cuts off is moved aside, never deleted.
 */
import {
  type BatchHeader,
  batchCrcStart,
  batchHeaderBytes,
  type Clock,
  type Crc32c,
  compressionMask,
  controlBit,
  decodeBatchHeader,
  logAppendTimeBit,
  transactionalBit,
} from '@kaska/protocol'
import {
  type Checkpoint,
  checkpointName,
  checkpointTemporaryName,
  decodeCheckpoint,
  encodeCheckpoint,
  readFile,
  replaceFile,
} from './checkpoint-file.ts'
import type { Disk } from './disk.ts'
import { FileCache } from './file-cache.ts'
import { ProducerState } from './producer-state.ts'
import { Segment, segmentBaseOf } from './segment.ts'
import { IndexCache } from './segment-index.ts'
import { batchBytes, headerProblem, ReadWindow, scanSegment } from './segment-scan.ts'
import { findSoundBatch } from './segment-search.ts'
import { cutSegments } from './tail-cut.ts'

export interface InspectOptions {
  readonly disk: Disk
  readonly clock: Clock
  readonly crc32c: Crc32c
}

/** One batch, as it lies on the disk. */
export interface DumpedBatch {
  /** `topics/<topic id>-<partition>` or `state/<name>`. */
  readonly directory: string
  /** The file that it is in, with the directory. */
  readonly path: string
  readonly position: number
  /** Header included. */
  readonly bytes: number
  readonly baseOffset: number
  readonly lastOffset: number
  readonly recordCount: number
  readonly leaderEpoch: number
  readonly crcIsValid: boolean
  readonly baseTimestamp: number
  readonly maxTimestamp: number
  /** Kafka's number of the compression; 0 is none. */
  readonly compression: number
  readonly isStampedAtAppend: boolean
  readonly isTransactional: boolean
  readonly isControl: boolean
  /** -1 without a producer, as the next two are. */
  readonly producerId: number
  readonly producerEpoch: number
  readonly baseSequence: number
}

/** Where a log cannot be read on. */
export interface LogDamage {
  readonly directory: string
  readonly path: string
  readonly position: number
  /** The offset that was to come there. */
  readonly offset: number
  /** `torn-tail`: nothing sound lies behind it, and it is not below the checkpoint; a start cuts it. */
  readonly kind: 'torn-tail' | 'damage'
  readonly reason: string
}

export interface LogRepair extends LogDamage {
  /** How many bytes were cut off. */
  readonly bytesCut: number
  /** The files that hold them now; none where they were all zeros. */
  readonly movedTo: readonly string[]
  /** Why it could not be repaired. */
  readonly failure: string | undefined
}

/** A log's files and what its checkpoint says. */
interface FoundLog {
  readonly directory: string
  readonly segments: Segment[]
  readonly checkpoint: Checkpoint | undefined
  readonly hasSnapshot: boolean
}

/** Every batch of every log, or of the logs in directories whose path holds `filter`. */
export async function* dumpLogs(
  options: InspectOptions,
  filter = '',
): AsyncGenerator<DumpedBatch, void> {
  const lock = await options.disk.lock()
  try {
    const inspection = new Inspection(options)
    for (const directory of await inspection.directories(filter)) {
      const { segments } = await inspection.find(directory)
      for (const segment of segments) yield* inspection.dump(directory, segment)
    }
  } finally {
    await lock.release()
  }
}

/** The first damage of each log; none when all is well. */
export async function verifyLogs(options: InspectOptions): Promise<LogDamage[]> {
  const lock = await options.disk.lock()
  try {
    const inspection = new Inspection(options)
    const damages: LogDamage[] = []
    for (const directory of await inspection.directories('')) {
      const found = await inspection.find(directory)
      const damage = await inspection.verify(found)
      if (damage !== undefined) damages.push(damage)
      if (found.hasSnapshot) damages.push(...(await inspection.verifySnapshot(directory)))
    }
    return damages
  } finally {
    await lock.release()
  }
}

/**
 * Cuts every damaged log back to what is sound before the damage. What was cut off, sound batches
 * among it, is moved aside.
 */
export async function repairLogs(options: InspectOptions): Promise<LogRepair[]> {
  const lock = await options.disk.lock()
  try {
    const inspection = new Inspection(options)
    const repairs: LogRepair[] = []
    for (const directory of await inspection.directories('')) {
      const found = await inspection.find(directory)
      const damage = await inspection.verify(found)
      if (damage !== undefined) repairs.push(await inspection.repair(found, damage))
      if (!found.hasSnapshot) continue
      for (const lost of await inspection.verifySnapshot(directory)) {
        const failure = 'a snapshot cannot be cut: restore the file from a backup'
        repairs.push({ ...lost, bytesCut: 0, movedTo: [], failure })
      }
    }
    return repairs
  } finally {
    await lock.release()
  }
}

class Inspection {
  readonly #disk: Disk
  readonly #options: InspectOptions
  readonly #files: FileCache
  readonly #indexes = new IndexCache(0)

  constructor(options: InspectOptions) {
    this.#options = options
    this.#disk = options.disk
    this.#files = new FileCache(options.disk, options.clock, 0)
  }

  async directories(filter: string): Promise<string[]> {
    const found: string[] = []
    for (const parent of ['state', 'topics']) {
      for (const { name, isDirectory } of await this.#disk.list(parent)) {
        if (isDirectory && `${parent}/${name}`.includes(filter)) found.push(`${parent}/${name}`)
      }
    }
    return found.sort()
  }

  async find(directory: string): Promise<FoundLog> {
    const names = (await this.#disk.list(directory)).map(({ name }) => name)
    const bases = names.map(segmentBaseOf).filter((base) => base !== undefined)
    bases.sort((a, b) => a - b)
    const shared = { files: this.#files, indexes: this.#indexes }
    const segments = bases.map((base) => {
      const trust = { position: 0, relativeOffset: 0 }
      return new Segment(directory, base, shared, { size: -1, trust })
    })
    const bytes = await readFile(this.#disk, `${directory}/${checkpointName}`)
    const decoded = bytes && decodeCheckpoint(bytes, this.#options.crc32c)
    // What was deleted and not removed any more before a crash is no part of the log, whatever is left.
    const startOffset = decoded?.checkpoint.startOffset ?? 0
    while ((segments[1]?.baseOffset ?? Number.POSITIVE_INFINITY) <= startOffset) segments.shift()
    const hasSnapshot = names.includes('snapshot')
    return { directory, segments, checkpoint: decoded?.checkpoint, hasSnapshot }
  }

  async *dump(directory: string, segment: Segment): AsyncGenerator<DumpedBatch, void> {
    const open = await this.#files.acquire(segment.logPath)
    try {
      const size = await open.file.size()
      const window = new ReadWindow(open.file, size, 1024 * 1024)
      for (let position = 0; position < size; ) {
        if (!window.has(position, batchHeaderBytes)) await window.load(position)
        if (!window.has(position, batchHeaderBytes)) return
        const header = decodeBatchHeader(window.view(position, batchHeaderBytes))
        if (headerProblem(header, size - position) !== undefined) return
        const end = position + batchBytes(header)
        const crc = await window.crc(position + batchCrcStart, end, this.#options.crc32c)
        yield dumped(directory, segment.logPath, position, header, crc === header.crc)
        position = end
      }
    } finally {
      open.release()
    }
  }

  /** The first damage of a log, from its first segment on. */
  async verify({ directory, segments, checkpoint }: FoundLog): Promise<LogDamage | undefined> {
    let offset = segments[0]?.baseOffset ?? 0
    for (const [index, segment] of segments.entries()) {
      const path = segment.logPath
      if (segment.baseOffset !== offset) {
        const before = segments[index - 1] as Segment
        const reason = `offset ${offset} is missing: the next segment begins with ${segment.baseOffset}`
        const place = { path: before.logPath, position: before.size, offset }
        return { directory, ...place, kind: 'damage', reason }
      }
      const open = await this.#files.acquire(path)
      try {
        const size = await open.file.size()
        const { position, reason } = await scanSegment(open.file, {
          from: 0,
          to: size,
          crc32c: this.#options.crc32c,
          bufferBytes: 1024 * 1024,
          visit: (header) => {
            if (header.baseOffset !== offset) {
              return `its offset is ${header.baseOffset}, not ${offset}`
            }
            offset = header.baseOffset + header.lastOffsetDelta + 1
            return undefined
          },
        })
        segment.size = position
        if (reason !== undefined) {
          const isTorn =
            index === segments.length - 1 &&
            !isBelow(segment, position, checkpoint) &&
            (await findSoundBatch(open.file, position, size, offset, this.#options)) === undefined
          const kind = isTorn ? 'torn-tail' : 'damage'
          return { directory, path, position, offset, kind, reason }
        }
      } finally {
        open.release()
      }
    }
    return this.#checkEnd(directory, segments, checkpoint, offset)
  }

  async verifySnapshot(directory: string): Promise<LogDamage[]> {
    const path = `${directory}/snapshot`
    const file = await this.#disk.open(path)
    try {
      const { position, reason } = await scanSegment(file, {
        from: 0,
        to: await file.size(),
        crc32c: this.#options.crc32c,
        visit: () => undefined,
      })
      if (reason === undefined) return []
      return [{ directory, path, position, offset: 0, kind: 'damage', reason }]
    } finally {
      await file.close()
    }
  }

  async repair(found: FoundLog, damage: LogDamage): Promise<LogRepair> {
    const { directory, segments, checkpoint } = found
    let cut = { bytes: 0, names: [] as string[] }
    const first = segments.findIndex(({ logPath }) => logPath === damage.path)
    if (first >= 0) {
      const shared = { disk: this.#disk, files: this.#files }
      cut = await cutSegments(shared, directory, segments.slice(first), damage.position)
    }
    const base = segments[0]?.baseOffset ?? damage.offset
    if (segments.length === 0) {
      // So that offsets which were given are not given again.
      const segment = new Segment(directory, base, { files: this.#files, indexes: this.#indexes })
      await (await this.#disk.open(segment.logPath, { create: true })).close()
    }
    // The next start checks what is left from the first byte on.
    const restart: Checkpoint = {
      startOffset: Math.min(Math.max(checkpoint?.startOffset ?? base, base), damage.offset),
      segmentBase: base,
      position: 0,
      offset: base,
      maxTimestamp: -1,
      maxTimestampOffset: -1,
      segmentTime: -1,
      lastEpoch: -1,
    }
    const bytes = encodeCheckpoint(restart, new ProducerState(), this.#options.crc32c)
    const path = `${directory}/${checkpointName}`
    await replaceFile(this.#disk, path, `${directory}/${checkpointTemporaryName}`, [bytes])
    await this.#disk.syncDirectory(directory)
    return { ...damage, bytesCut: cut.bytes, movedTo: cut.names, failure: undefined }
  }

  /** Is everything there that was synced when the checkpoint was written? */
  #checkEnd(
    directory: string,
    segments: readonly Segment[],
    checkpoint: Checkpoint | undefined,
    offset: number,
  ): LogDamage | undefined {
    if (checkpoint === undefined || offset >= checkpoint.offset) return undefined
    const last = segments.at(-1)
    return {
      directory,
      path: last?.logPath ?? directory,
      position: last?.size ?? 0,
      offset: segments.length === 0 ? checkpoint.offset : offset,
      kind: 'damage',
      reason: `the log ends at offset ${offset}, it was synced up to ${checkpoint.offset}`,
    }
  }
}

function isBelow(segment: Segment, position: number, checkpoint: Checkpoint | undefined): boolean {
  if (checkpoint === undefined || segment.baseOffset > checkpoint.segmentBase) return false
  return segment.baseOffset < checkpoint.segmentBase || position < checkpoint.position
}

function dumped(
  directory: string,
  path: string,
  position: number,
  header: BatchHeader,
  crcIsValid: boolean,
): DumpedBatch {
  const { attributes } = header
  return {
    directory,
    path,
    position,
    bytes: batchBytes(header),
    baseOffset: header.baseOffset,
    lastOffset: header.baseOffset + header.lastOffsetDelta,
    recordCount: header.recordCount,
    leaderEpoch: header.partitionLeaderEpoch,
    crcIsValid,
    baseTimestamp: header.baseTimestamp,
    maxTimestamp: header.maxTimestamp,
    compression: attributes & compressionMask,
    isStampedAtAppend: (attributes & logAppendTimeBit) !== 0,
    isTransactional: (attributes & transactionalBit) !== 0,
    isControl: (attributes & controlBit) !== 0,
    producerId: header.producerId,
    producerEpoch: header.producerEpoch,
    baseSequence: header.baseSequence,
  }
}
