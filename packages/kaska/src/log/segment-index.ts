/**
 * The two sparse indexes of one segment. New entries gather in memory and are written some hundreds
 * at a time; they are never waited for and never needed: an index is a hint, which recovery cuts back
 * to what was checkpointed and fills again, and whose every answer is checked against the batch
 * found there. What is in the files is read through a cache that all segments share.
 */
import { DiskError } from './disk.ts'
import type { FileCache } from './file-cache.ts'
import {
  encodeOffsetEntries,
  encodeTimeEntries,
  IndexEntries,
  type OffsetEntry,
  offsetEntryBytes,
  type TimeEntry,
  timeEntryBytes,
} from './index-entries.ts'

/** The index files that were read last, up to a number of bytes. */
export class IndexCache {
  readonly #bytesMax: number
  #bytes = 0
  readonly #entries = new Map<string, IndexEntries>()

  constructor(bytesMax: number) {
    this.#bytesMax = bytesMax
  }

  get(path: string): IndexEntries | undefined {
    const entries = this.#entries.get(path)
    if (entries !== undefined) {
      this.#entries.delete(path)
      this.#entries.set(path, entries)
    }
    return entries
  }

  set(path: string, entries: IndexEntries): void {
    this.delete(path)
    this.#entries.set(path, entries)
    this.#bytes += entries.bytes.length
    for (const [oldest, { bytes }] of this.#entries) {
      if (this.#bytes <= this.#bytesMax) return
      this.#entries.delete(oldest)
      this.#bytes -= bytes.length
    }
  }

  delete(path: string): void {
    const entries = this.#entries.get(path)
    if (entries === undefined) return
    this.#entries.delete(path)
    this.#bytes -= entries.bytes.length
  }
}

/** Where the files may be believed to. */
export interface IndexTrust {
  readonly position: number
  readonly relativeOffset: number
}

export interface IndexShared {
  readonly files: FileCache
  readonly indexes: IndexCache
}

const entriesBetweenFlushes = 256
const done = Promise.resolve()

export class SegmentIndex {
  /** `topics/<id>/<base>`, without the ending. */
  readonly #path: string
  readonly #shared: IndexShared
  /** Undefined once the files were looked at. */
  #trust: IndexTrust | undefined
  /** Lengths of the files' sound part; known once the files were looked at. */
  #offsetBytes = 0
  #timeBytes = 0
  #newestTimestamp = 0
  #offsets: OffsetEntry[] = []
  #times: TimeEntry[] = []
  #bytesSinceEntry = 0
  /** The writes that are under way, or wait for their turn; never rejects. */
  #flushing: Promise<void> | undefined
  #settling: Promise<void> | undefined
  /** Counts the changes of the files, so that nothing older than the last one is cached. */
  #version = 0
  /** Was the segment removed? Then no file is made any more. */
  #isForgotten = false

  constructor(path: string, shared: IndexShared, trust: IndexTrust) {
    this.#path = path
    this.#shared = shared
    this.#trust = trust
  }

  /** Are there entries that no file has? */
  get isDirty(): boolean {
    return this.#offsets.length > 0 || this.#times.length > 0
  }

  /** Should `flush` be called soon? */
  get wantsFlush(): boolean {
    return this.#offsets.length >= entriesBetweenFlushes && this.#flushing === undefined
  }

  /**
   * Notes a batch that was written at `position`, by Kafka's rule: an entry for the first batch that
   * begins more than `intervalBytes` behind the last entry's. The time is the largest of the segment
   * so far.
   */
  note(position: number, length: number, lastOffset: number, time: TimeEntry, interval: number) {
    if (this.#bytesSinceEntry > interval) {
      this.#offsets.push({ relativeOffset: lastOffset, position })
      this.noteTime(time)
      this.#bytesSinceEntry = 0
    }
    this.#bytesSinceEntry += length
  }

  /** Notes the segment's largest timestamp so far, if it is larger than what was noted before. */
  noteTime(time: TimeEntry): void {
    const newest = this.#times.at(-1)?.timestamp ?? this.#newestTimestamp
    if (time.timestamp > newest) this.#times.push(time)
  }

  /** Where to begin looking for an offset: at or before the batch that holds it. */
  async positionFloor(relativeOffset: number): Promise<number> {
    const first = this.#offsets[0]
    if (first !== undefined && first.relativeOffset <= relativeOffset) {
      const entries = new IndexEntries(encodeOffsetEntries(this.#offsets))
      return entries.offsetFloor(relativeOffset)?.position ?? 0
    }
    return (await this.#read('.index')).offsetFloor(relativeOffset)?.position ?? 0
  }

  /** An offset up to which everything is older than the timestamp; -1 where the index knows none. */
  async offsetBelow(timestamp: number): Promise<number> {
    const first = this.#times[0]
    if (first !== undefined && first.timestamp < timestamp) {
      const entries = new IndexEntries(encodeTimeEntries(this.#times))
      return entries.timeBelow(timestamp)?.relativeOffset ?? -1
    }
    return (await this.#read('.timeindex')).timeBelow(timestamp)?.relativeOffset ?? -1
  }

  /** The positions of the batches that the index knows, ascending. */
  async positions(): Promise<number[]> {
    const entries = await this.#read('.index')
    const positions: number[] = []
    for (let index = 0; index < entries.offsetCount; index++) {
      positions.push(entries.offsetEntry(index).position)
    }
    for (const { position } of this.#offsets) positions.push(position)
    return positions
  }

  /** The last entry of a segment that is written no more: the largest timestamp that it holds. */
  async lastTime(): Promise<TimeEntry | undefined> {
    const pending = this.#times.at(-1)
    if (pending !== undefined) return pending
    const entries = await this.#read('.timeindex')
    return entries.timeCount === 0 ? undefined : entries.timeEntry(entries.timeCount - 1)
  }

  /** Writes the entries that no file has. After a failure they are kept for the next time. */
  flush(): Promise<void> {
    return this.#inTurn(async () => {
      if (this.isDirty) await this.#flush()
    })
  }

  /** The same, and cuts off what the files hold beyond that. */
  rewrite(): Promise<void> {
    return this.#inTurn(() => this.#flush())
  }

  /** Writes all entries, and makes the files durable with `sync`. */
  async flushAndSync(sync: (path: string) => Promise<void>): Promise<void> {
    await this.flush()
    if (this.#offsetBytes > 0) await sync(`${this.#path}.index`)
    if (this.#timeBytes > 0) await sync(`${this.#path}.timeindex`)
  }

  /** Resolves when no write is under way. */
  async quiet(): Promise<void> {
    while (this.#flushing !== undefined) await this.#flushing
  }

  /** Forgets all entries, those of the files too: the caller notes every batch again. */
  reset(): void {
    this.#trust = { position: 0, relativeOffset: 0 }
    this.#offsets = []
    this.#times = []
    this.#bytesSinceEntry = 0
    this.#newestTimestamp = 0
    this.#forgetCached()
  }

  /** To be called when the segment was removed. Whoever still reads it does so without an index. */
  forget(): void {
    this.#isForgotten = true
    this.#forgetCached()
    for (const ending of ['.index', '.timeindex']) this.#shared.files.forget(this.#path + ending)
  }

  /** One at a time: each begins to write where the one before it has ended. */
  #inTurn(task: () => Promise<void>): Promise<void> {
    const turn = (this.#flushing ?? done).then(task)
    const flushing = turn
      .catch(() => {})
      .then(() => {
        if (this.#flushing === flushing) this.#flushing = undefined
      })
    this.#flushing = flushing
    return turn
  }

  async #flush(): Promise<void> {
    await this.#settle()
    if (this.#isForgotten) return
    const offsets = this.#offsets
    const times = this.#times.filter(({ timestamp }) => timestamp > this.#newestTimestamp)
    const timesTaken = this.#times.length
    await this.#write('.index', this.#offsetBytes, encodeOffsetEntries(offsets))
    this.#offsetBytes += offsets.length * offsetEntryBytes
    this.#offsets = this.#offsets.slice(offsets.length)
    await this.#write('.timeindex', this.#timeBytes, encodeTimeEntries(times))
    this.#timeBytes += times.length * timeEntryBytes
    this.#newestTimestamp = times.at(-1)?.timestamp ?? this.#newestTimestamp
    this.#times = this.#times.slice(timesTaken)
    this.#forgetCached()
  }

  /** Looks at the files once: how much of them is sound, and cuts the rest. */
  async #settle(): Promise<void> {
    while (this.#trust !== undefined) {
      this.#settling ??= this.#settleWith(this.#trust)
      try {
        await this.#settling
      } finally {
        this.#settling = undefined
      }
    }
  }

  async #settleWith(trust: IndexTrust): Promise<void> {
    const offsets = await this.#load('.index')
    const offsetCount = offsets.soundOffsetCount(trust.position, trust.relativeOffset)
    const times = await this.#load('.timeindex')
    const timeCount = times.soundTimeCount(trust.relativeOffset)
    await this.#cut('.index', offsets.bytes.length, offsetCount * offsetEntryBytes)
    await this.#cut('.timeindex', times.bytes.length, timeCount * timeEntryBytes)
    this.#offsetBytes = offsetCount * offsetEntryBytes
    this.#timeBytes = timeCount * timeEntryBytes
    if (timeCount > 0) this.#newestTimestamp = times.timeEntry(timeCount - 1).timestamp
    // A reset while the files were looked at wants them looked at again.
    if (this.#trust === trust) this.#trust = undefined
  }

  async #read(ending: '.index' | '.timeindex'): Promise<IndexEntries> {
    const cached = this.#shared.indexes.get(this.#path + ending)
    if (cached !== undefined) return cached
    await this.#settle()
    const version = this.#version
    const length = ending === '.index' ? this.#offsetBytes : this.#timeBytes
    const entries = new IndexEntries((await this.#load(ending)).bytes.subarray(0, length))
    if (version === this.#version && !this.#isForgotten) {
      this.#shared.indexes.set(this.#path + ending, entries)
    }
    return entries
  }

  async #load(ending: string): Promise<IndexEntries> {
    try {
      const open = await this.#shared.files.acquire(this.#path + ending)
      try {
        const bytes = new Uint8Array(await open.file.size())
        return new IndexEntries(bytes.subarray(0, await open.file.read(0, bytes)))
      } finally {
        open.release()
      }
    } catch (error) {
      if (error instanceof DiskError && error.kind === 'missing') {
        return new IndexEntries(new Uint8Array(0))
      }
      throw error
    }
  }

  async #write(ending: string, position: number, bytes: Uint8Array): Promise<void> {
    if (bytes.length === 0) return
    const open = await this.#shared.files.acquire(this.#path + ending, { create: true })
    try {
      await open.file.write(position, [bytes])
    } finally {
      open.release()
    }
  }

  async #cut(ending: string, length: number, sound: number): Promise<void> {
    if (length === sound) return
    const open = await this.#shared.files.acquire(this.#path + ending)
    try {
      await open.file.truncate(sound)
    } finally {
      open.release()
    }
  }

  #forgetCached(): void {
    this.#version++
    for (const ending of ['.index', '.timeindex']) this.#shared.indexes.delete(this.#path + ending)
  }
}
