/** What tests of the log share: a clock that is set by hand, batches, and a directory to open. */
import { setImmediate } from 'node:timers/promises'
import {
  type Clock,
  type Crc32c,
  copyChunks,
  crc32c,
  RecordDecoder,
  RecordsBuilder,
} from '@kaska/protocol'
import { SeededRandom } from '../../../sim/seeded-random.ts'
import { DataDirectory, type DataDirectoryOptions } from '../src/log/data-directory.ts'
import type { Disk, DiskEntry, DiskFile } from '../src/log/disk.ts'
import type { AppendBatch, StoredBatch } from '../src/log/log-batches.ts'
import { defaultLogConfig, type LogConfig, type LogEvent } from '../src/log/log-config.ts'
import { MemoryBudget } from '../src/log/memory-budget.ts'
import type { PartitionLog } from '../src/log/partition-log.ts'

export const testCrc: Crc32c = crc32c

/** Stands still unless `time` is set; timers run by `fire`. */
export class TestClock implements Clock {
  time = 1_700_000_000_000
  readonly #timers = new Set<() => void>()

  now(): number {
    return this.time
  }

  monotonic(): number {
    return this.time
  }

  after(_delayMs: number, callback: () => void) {
    this.#timers.add(callback)
    return { cancel: () => void this.#timers.delete(callback) }
  }

  yield(): Promise<void> {
    return setImmediate()
  }

  get timers(): number {
    return this.#timers.size
  }

  /** Runs all timers that wait now. */
  fire(): void {
    for (const callback of [...this.#timers]) {
      this.#timers.delete(callback)
      callback()
    }
  }
}

export interface OpenedDirectory {
  readonly directory: DataDirectory
  readonly clock: TestClock
  readonly events: LogEvent[]
}

export async function openDirectory(
  disk: Disk,
  options: Partial<DataDirectoryOptions> & { clock?: TestClock } = {},
): Promise<OpenedDirectory> {
  const clock = options.clock ?? new TestClock()
  const events: LogEvent[] = []
  const directory = await DataDirectory.open({
    disk,
    random: new SeededRandom(1),
    crc32c: testCrc,
    syncMode: 'always',
    budget: new MemoryBudget(64 * 1024 * 1024),
    report: (event) => events.push(event),
    ...options,
    clock,
  })
  return { directory, clock, events }
}

export const testConfig: LogConfig = { ...defaultLogConfig, segmentBytes: 1024 * 1024 }

/** A batch of these values, without a producer unless one is given. */
export function batchOf(
  values: readonly string[],
  options: {
    timestamp?: number
    producer?: readonly [id: number, epoch: number, sequence: number]
  } = {},
): AppendBatch {
  const { timestamp = 1_700_000_000_000, producer = [-1, -1, -1] } = options
  const builder = new RecordsBuilder()
  for (const value of values) {
    builder.append({ key: null, value: new TextEncoder().encode(value), headers: [], timestamp })
  }
  const recordsLength = builder.length
  return {
    attributes: 0,
    baseTimestamp: timestamp,
    maxTimestamp: timestamp,
    recordCount: values.length,
    lastOffsetDelta: values.length - 1,
    records: builder.finish(),
    recordsLength,
    producerId: producer[0],
    producerEpoch: producer[1],
    baseSequence: producer[2],
  }
}

/** The values of a batch, as text. */
export function valuesOf(batch: StoredBatch): string[] {
  const decoder = new RecordDecoder(copyChunks(batch.records), batch.header.recordCount)
  const values: string[] = []
  for (;;) {
    const record = decoder.next()
    if (record === undefined) return values
    values.push(new TextDecoder().decode(record.value ?? new Uint8Array(0)))
  }
}

/** Everything from `from` to the high watermark: each value with its offset. */
export async function readAll(
  log: PartitionLog,
  from: number = log.startOffset,
  bytesMax = 1000,
): Promise<[offset: number, value: string][]> {
  const found: [number, string][] = []
  const end = log.endOffset
  let offset = from
  while (offset < end) {
    const stored = await log.read(offset, bytesMax)
    if (stored.batches.length === 0) break
    for (const batch of stored.batches) {
      for (const [index, value] of valuesOf(batch).entries()) {
        const at = batch.header.baseOffset + index
        if (at >= from && at < end) found.push([at, value])
      }
      offset = batch.header.baseOffset + batch.header.lastOffsetDelta + 1
    }
    stored.release()
  }
  return found
}

/**
 * A process's view of a disk: after `die` nothing that it does has an effect, or an answer. Operations
 * take effect and are answered after a pause, in any order.
 */
export class MortalDisk implements Disk {
  readonly #disk: Disk
  readonly #pause: () => Promise<void>
  readonly #writesAtOnce: () => boolean
  #isDead = false

  constructor(
    disk: Disk,
    options: { pause?: () => Promise<void>; writesAtOnce?: () => boolean } = {},
  ) {
    this.#disk = disk
    this.#pause = options.pause ?? (async () => {})
    this.#writesAtOnce = options.writesAtOnce ?? (() => true)
  }

  die(): void {
    this.#isDead = true
  }

  get bootId(): string | undefined {
    return this.#disk.bootId
  }

  get syncsMax(): number {
    return this.#disk.syncsMax
  }

  async open(path: string, options?: { create?: boolean }): Promise<DiskFile> {
    const file = await this.#while(() => this.#disk.open(path, options))
    return {
      path,
      size: () => this.#while(() => file.size()),
      read: (position, into) => this.#while(() => file.read(position, into)),
      write: (position, chunks) => {
        if (this.#isDead) return new Promise(() => {})
        if (this.#writesAtOnce()) return file.write(position, chunks)
        return this.#while(async () => file.write(position, chunks))
      },
      sync: () => this.#while(() => file.sync()),
      truncate: (length) => this.#while(() => file.truncate(length)),
      close: () => this.#while(() => file.close()),
    }
  }

  list(path: string): Promise<DiskEntry[]> {
    return this.#while(() => this.#disk.list(path))
  }

  makeDirectory(path: string): Promise<void> {
    return this.#while(() => this.#disk.makeDirectory(path))
  }

  rename(from: string, to: string): Promise<void> {
    return this.#while(() => this.#disk.rename(from, to))
  }

  remove(path: string): Promise<void> {
    return this.#while(() => this.#disk.remove(path))
  }

  syncDirectory(path: string): Promise<void> {
    return this.#while(() => this.#disk.syncDirectory(path))
  }

  freeBytes(): Promise<number> {
    return this.#while(() => this.#disk.freeBytes())
  }

  lock(): Promise<{ release(): Promise<void> }> {
    return this.#while(() => this.#disk.lock())
  }

  async #while<T>(operation: () => Promise<T>): Promise<T> {
    await this.#pause()
    if (this.#isDead) return new Promise(() => {})
    const result = operation()
    result.catch(() => {})
    await this.#pause()
    // Nobody is left to hear of it.
    return this.#isDead ? new Promise(() => {}) : result
  }
}
