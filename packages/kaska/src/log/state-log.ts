/**
 * A small state (topics, committed offsets, producer ids) kept as a log of its changes, in the same
 * format as everything else, and bounded by snapshots:
 *
 *   state/<name>/
 *     <base>.log ...     batches of entries, one record an entry
 *     snapshot           entries that make up the state as of an offset of the log, or later
 *
 * When the log has outgrown the state, a snapshot is written while the changes go on, replaces the old
 * one atomically, and the log before it is deleted. A start applies the snapshot's entries and then
 * the log's from the snapshot's offset on, some of which the snapshot may contain: entries say what
 * is, not what to add, so that applying them again in order changes nothing.
 *
 * A snapshot file is a row of record batches; the last record of all is the trailer, the offset and
 * the count of the entries in text, so a file that was cut anywhere is not taken for a whole one.
 */
import {
  batchCrc,
  batchHeaderBytes,
  type Chunks,
  chunksLength,
  DataDirectoryError,
  DiskFullError,
  decodeBatchHeader,
  encodeBatchHeader,
  joinChunks,
  type KaskaError,
  RecordDecoder,
  setBatchCrc,
  varintLength,
  writeVarint,
} from '@kaska/protocol'
import { replaceFile } from './checkpoint-file.ts'
import { DiskError, type DiskFile, withFile } from './disk.ts'
import type { AppendBatch } from './log-batches.ts'
import { defaultLogConfig, type LogConfig, type LogShared } from './log-config.ts'
import { PartitionLog } from './partition-log.ts'
import { batchBytes, headerProblem } from './segment-scan.ts'

/** What is kept: the owner's maps, changed only by `apply`. */
export interface State {
  /**
   * Applies one entry. Called when the entry is appended, at once, and again for each entry at a
   * start. Must be idempotent: at a start, the entries that were appended while the snapshot was
   * written are applied a second time, in order.
   */
  apply(entry: Chunks): void
  /**
   * Entries that rebuild the state in a new one. Iterated in slices while `apply` goes on (a Map's own
   * iterator allows that).
   */
  entries(): Iterable<Chunks>
}

export interface StateLogOptions {
  /** `state/topics` */
  readonly directory: string
  readonly shared: LogShared
  readonly state: State
  /** The log may grow to so many bytes before there is a snapshot, however small the state is. */
  readonly logBytesMin?: number
}

const logBytesMinDefault = 2 * 1024 * 1024
/** A snapshot is written in batches of about this size, with a turn of the event loop between. */
const snapshotBatchBytes = 128 * 1024
const readBytes = 1024 * 1024

const stateLogConfig: LogConfig = {
  ...defaultLogConfig,
  maxMessageBytes: 2 ** 31 - 1,
  segmentBytes: 64 * 1024 * 1024,
}

export class StateLog {
  readonly #options: StateLogOptions
  readonly #log: PartitionLog
  #snapshotBytes = 0
  #bytesSinceSnapshot = 0
  #snapshotting: Promise<void> | undefined
  #isClosing = false

  /** Rebuilds the state. Rejects with DataDirectoryError where the files are damaged. */
  static async open(options: StateLogOptions): Promise<StateLog> {
    const { directory, shared } = options
    const config = stateLogConfig
    const log = await PartitionLog.open({ directory, config, shared, tailBytesMax: () => 0 })
    const stateLog = new StateLog(options, log)
    try {
      await stateLog.#replay()
    } catch (error) {
      await log.close()
      if (!(error instanceof DiskError)) throw error
      throw new DataDirectoryError(`${directory} cannot be read: ${error.message}`, {
        cause: error,
      })
    }
    return stateLog
  }

  private constructor(options: StateLogOptions, log: PartitionLog) {
    this.#options = options
    this.#log = log
  }

  /**
   * Applies the entries to the state at once and appends them as one batch: all or none survive.
   * `acknowledged` resolves under the rule of the sync mode. If it rejects with DiskFullError, the
   * entries are not in the log: the owner undoes what it applied. Throws what an append throws; then
   * nothing was applied. `urgent` gives up the reserve of the disk for it (deletions). `isApplied`: the
   * owner has applied them already, in its own way. The entries'
   * views go to the disk by identity (a topic's name: contract 11), and must not change any more.
   */
  append(
    entries: readonly Chunks[],
    options?: { readonly urgent?: boolean; readonly isApplied?: boolean },
  ): { readonly acknowledged: Promise<void> } {
    const batch = this.#batch(entries)
    let acknowledged: Promise<void>
    try {
      acknowledged = this.#log.append(batch).acknowledged
    } catch (error) {
      if (!options?.urgent || !(error instanceof DiskFullError)) throw error
      acknowledged = Promise.reject(error)
    }
    if (!options?.isApplied) for (const entry of entries) this.#options.state.apply(entry)
    if (options?.urgent) {
      acknowledged = acknowledged.catch((error) => this.#appendUrgently(batch, error))
    }
    this.#bytesSinceSnapshot += batch.recordsLength + batchHeaderBytes
    this.#snapshotIfDue()
    return { acknowledged }
  }

  /** Why the state takes no more changes. */
  get offline(): string | undefined {
    return this.#log.offline
  }

  /** Resolves when everything that was appended is on the disk. */
  flush(): Promise<void> {
    return this.#log.flush()
  }

  async close(): Promise<void> {
    await this.#snapshotting
    // Much may have come while the last snapshot was written: the next start is to find little.
    this.#snapshotIfDue()
    this.#isClosing = true
    await this.#snapshotting
    await this.#log.close()
  }

  #batch(entries: readonly Chunks[]): AppendBatch {
    const { clock } = this.#options.shared
    return {
      ...encodeEntries(entries, clock.now()),
      producerId: -1,
      producerEpoch: -1,
      baseSequence: -1,
    }
  }

  /** There is no space: with what was kept for this, once more. */
  async #appendUrgently(batch: AppendBatch, error: KaskaError): Promise<void> {
    if (!(error instanceof DiskFullError)) throw error
    if (!(await this.#options.shared.giveUpReserve())) throw error
    await this.#log.append(batch).acknowledged
  }

  async #replay(): Promise<void> {
    const { directory, state } = this.#options
    const log = this.#log
    if (log.offline !== undefined) {
      throw new DataDirectoryError(`${directory} is damaged: ${log.offline}`)
    }
    let offset = (await this.#loadSnapshot()) ?? log.startOffset
    if (offset < log.startOffset || offset > log.endOffset) {
      throw new DataDirectoryError(
        `${directory} is damaged: its snapshot is of offset ${offset}, its log has ` +
          `${log.startOffset} to ${log.endOffset}`,
      )
    }
    while (offset < log.endOffset) {
      const stored = await log.read(offset, readBytes)
      for (const { header, records } of stored.batches) {
        const end = header.baseOffset + header.lastOffsetDelta + 1
        // After a crash between a snapshot and the deletion of the log before it, batches come first
        // which the snapshot has.
        if (header.baseOffset >= offset) {
          for (const entry of entriesOf(records, header.recordCount)) state.apply([entry])
        }
        offset = end
        this.#bytesSinceSnapshot += batchBytes(header)
      }
      stored.release()
    }
  }

  #snapshotIfDue(): void {
    const { logBytesMin = logBytesMinDefault } = this.#options
    const bytesMax = Math.max(logBytesMin, 2 * this.#snapshotBytes)
    if (this.#bytesSinceSnapshot < bytesMax || this.#isClosing) return
    if (this.#snapshotting !== undefined) return
    this.#bytesSinceSnapshot = 0
    this.#snapshotting = this.#snapshot()
      .catch((error: Error) => {
        if (this.#log.offline !== undefined) return
        // The log has everything: the next one will do.
        this.#options.shared.report({
          kind: 'checkpoint-failed',
          directory: this.#options.directory,
          text: `${this.#options.directory}: the snapshot failed: ${error.message}`,
        })
      })
      .then(() => {
        this.#snapshotting = undefined
      })
  }

  async #snapshot(): Promise<void> {
    const { directory, shared } = this.#options
    const { disk, syncQueue } = shared
    const { rewinds } = this.#log
    // What is applied from here on is in the log from this offset on.
    const offset = await this.#log.roll()
    let bytes = 0
    let isSound = true
    await replaceFile(
      disk,
      `${directory}/snapshot`,
      `${directory}/snapshot.new`,
      [],
      async (file) => {
        bytes = await this.#writeSnapshot(file, offset)
        // What was applied and then refused by a full disk must not survive here.
        await this.#log.flush()
        isSound = rewinds === this.#log.rewinds
        if (!isSound) throw new DiskError('full', 'the disk was full meanwhile')
        await syncQueue.run(() => file.sync())
      },
    )
    await disk.syncDirectory(directory)
    this.#snapshotBytes = bytes
    await this.#log.deleteBefore(offset)
  }

  /** Writes all entries and the trailer; returns the bytes. */
  async #writeSnapshot(file: DiskFile, offset: number): Promise<number> {
    const { state, shared } = this.#options
    let position = 0
    let count = 0
    let entries: Chunks[] = []
    let length = 0
    const write = async () => {
      const batch = this.#sealSnapshotBatch(entries, count - entries.length)
      await file.write(position, batch)
      for (const chunk of batch) position += chunk.length
      entries = []
      length = 0
    }
    for (const entry of state.entries()) {
      entries.push(entry)
      count++
      length += chunksLength(entry)
      if (length < snapshotBatchBytes) continue
      await write()
      await shared.clock.yield()
    }
    entries.push([new TextEncoder().encode(JSON.stringify({ offset, count }))])
    count++
    await write()
    return position
  }

  #sealSnapshotBatch(entries: readonly Chunks[], baseOffset: number): Chunks {
    const { crc32c, leaderEpoch, clock } = this.#options.shared
    const batch = encodeEntries(entries, clock.now())
    const headerBytes = encodeBatchHeader({
      baseOffset,
      batchLength: batch.recordsLength + batchHeaderBytes - 12,
      partitionLeaderEpoch: leaderEpoch,
      magic: 2,
      crc: 0,
      attributes: 0,
      lastOffsetDelta: batch.lastOffsetDelta,
      baseTimestamp: batch.baseTimestamp,
      maxTimestamp: batch.maxTimestamp,
      producerId: -1,
      producerEpoch: -1,
      baseSequence: -1,
      recordCount: batch.recordCount,
    })
    setBatchCrc(headerBytes, batchCrc(headerBytes, batch.records, crc32c))
    return [headerBytes, ...batch.records]
  }

  /** Applies the snapshot, if there is one, and returns the offset from which the log goes on. */
  async #loadSnapshot(): Promise<number | undefined> {
    const { directory, shared, state } = this.#options
    return await withFile(shared.disk, `${directory}/snapshot`, async (file) => {
      const size = await file.size()
      this.#snapshotBytes = size
      let count = 0
      let trailer: Uint8Array | undefined
      for (let position = 0; position < size; ) {
        const { bytes, header } = await this.#readSnapshotBatch(file, position, size)
        for (const entry of entriesOf([bytes.subarray(batchHeaderBytes)], header.recordCount)) {
          // The last one is not an entry: each is applied when the next one is seen.
          if (trailer !== undefined) state.apply([trailer])
          trailer = entry
          count++
        }
        position += bytes.length
      }
      return this.#checkTrailer(trailer, count)
    })
  }

  async #readSnapshotBatch(file: DiskFile, position: number, size: number) {
    const { crc32c } = this.#options.shared
    const headerBytes = new Uint8Array(batchHeaderBytes)
    await file.read(position, headerBytes)
    const header = decodeBatchHeader(headerBytes)
    const problem = headerProblem(header, size - position)
    if (problem !== undefined) throw this.#damagedSnapshot(problem)
    const bytes = new Uint8Array(batchBytes(header))
    await file.read(position, bytes)
    if (crc32c(bytes.subarray(21), 0) !== header.crc) throw this.#damagedSnapshot('a CRC is wrong')
    return { bytes, header }
  }

  #checkTrailer(trailer: Uint8Array | undefined, count: number): number {
    try {
      const parsed = JSON.parse(new TextDecoder().decode(trailer)) as Record<string, unknown>
      const { offset } = parsed
      if (parsed['count'] === count - 1 && Number.isSafeInteger(offset)) return offset as number
    } catch {
      // Said below.
    }
    throw this.#damagedSnapshot('its end is missing')
  }

  #damagedSnapshot(reason: string): DataDirectoryError {
    return new DataDirectoryError(
      `${this.#options.directory}/snapshot is damaged: ${reason}; restore the file from a backup`,
    )
  }
}

/** Of a record: its length, attributes, two deltas and no key, and behind its value no header. */
const recordHeadBytesMax = 8 + 1 + 1 + 8 + 1 + 8

/** One record an entry, whose value is the entry's views as they are. */
function encodeEntries(entries: readonly Chunks[], now: number) {
  const records: Uint8Array[] = []
  let recordsLength = 0
  const heads = new Uint8Array(entries.length * (recordHeadBytesMax + 1))
  let end = 0
  for (const [index, entry] of entries.entries()) {
    const valueLength = chunksLength(entry)
    const bodyLength = 4 + varintLength(2 * index) + varintLength(2 * valueLength) + valueLength
    const start = end
    end = writeVarint(heads, end, 2 * bodyLength)
    heads[end++] = 0
    heads[end++] = 0
    end = writeVarint(heads, end, 2 * index)
    heads[end++] = 1
    end = writeVarint(heads, end, 2 * valueLength)
    const head = heads.subarray(start, end)
    heads[end++] = 0
    const tail = heads.subarray(end - 1, end)
    records.push(head, ...entry, tail)
    recordsLength += head.length + valueLength + 1
  }
  return {
    attributes: 0,
    baseTimestamp: now,
    maxTimestamp: now,
    recordCount: entries.length,
    lastOffsetDelta: entries.length - 1,
    records,
    recordsLength,
  }
}

function* entriesOf(records: Chunks, recordCount: number): Iterable<Uint8Array> {
  const decoder = new RecordDecoder(joinChunks(records), recordCount)
  for (;;) {
    const record = decoder.next()
    if (record === undefined) return
    yield record.value ?? new Uint8Array(0)
  }
}
