/**
 * The syncs of one log. One at a time, in the broker's queue; each covers everything that was written
 * before it began, the names of new files and of the directory among it. A file stays open from its
 * first unsynced write to its sync in `always`, so that no error of the operating system gets lost
 * between two handles. A sync that failed is not tried again: the log goes offline.
 */
import { Acknowledgements } from './acknowledgements.ts'
import type { OpenFile } from './file-cache.ts'
import type { LogShared } from './log-config.ts'
import { parentOf, type Segment } from './segment.ts'

/** What the syncer needs of the log around it. */
export interface SyncedLog {
  /** Behind the last batch that was written. */
  readonly writtenEnd: number
  /** Has the log ended, or gone offline? Then there is nothing to be synced any more. */
  readonly isOver: boolean
  /** Is a write under way? */
  readonly isWriting: boolean
  /** Everything before `end` is on the disk. */
  synced(end: number): void
  /** A sync failed. */
  syncFailed(error: Error): void
  /** No sync is under way any more, for now. */
  syncEnded(): void
}

export class LogSyncer {
  /** Everything before it is on the disk. */
  durableEnd: number
  /** Is a sync under way, or waiting for its turn? */
  isSyncing = false
  /** A file was made in the directory, and its name is not durable yet. */
  directoryUnsynced: boolean
  /** The same for the directory's own name. */
  parentUnsynced: boolean

  readonly #directory: string
  readonly #shared: LogShared
  readonly #log: SyncedLog
  readonly #flushing = new Acknowledgements()
  /** Segments with writes that no sync covers yet. */
  readonly #unsynced = new Set<Segment>()
  /** The one of them that was written last. */
  #newest: Segment | undefined
  /** The files that are kept open: of the segment that is written, and of unsynced ones. */
  readonly #open = new Map<Segment, OpenFile>()

  constructor(
    directory: string,
    shared: LogShared,
    log: SyncedLog,
    durable: { readonly end: number; readonly isNew: boolean },
  ) {
    this.#directory = directory
    this.#shared = shared
    this.#log = log
    this.durableEnd = durable.end
    // The process before may have been killed between making them and syncing their names.
    this.directoryUnsynced = !durable.isNew
    this.parentUnsynced = !durable.isNew
  }

  /** The open file of a segment; undefined where it is not open for the log. */
  fileOf(segment: Segment): OpenFile | undefined {
    return this.#open.get(segment)
  }

  /** Takes over a file that was acquired for writing. */
  opened(segment: Segment, open: OpenFile): void {
    this.#open.set(segment, open)
  }

  /** The segment was written. In either mode, one that was left behind is synced soon. */
  wrote(segment: Segment): void {
    if (segment === this.#newest) return
    const isRolled = this.#newest !== undefined
    this.#unsynced.add(segment)
    this.#newest = segment
    if (isRolled) this.request()
  }

  /** Resolves when everything before `endOffset`, which has its place, is on the disk. */
  flush(endOffset: number): Promise<void> {
    if (this.durableEnd >= endOffset) return Promise.resolve()
    const flushed = this.#flushing.add(endOffset)
    if (this.#log.writtenEnd > this.durableEnd) this.request()
    return flushed
  }

  /** Does somebody wait for the disk? */
  get isWanted(): boolean {
    return this.#shared.syncMode === 'always' || this.#flushing.length > 0
  }

  request(): void {
    if (this.isSyncing || this.#log.isOver) return
    this.isSyncing = true
    void this.#shared.syncQueue.run(() => this.#sync()).then(() => this.#ended())
  }

  /** Places from `end` on were taken back: nobody waits for them any more. */
  lower(end: number): void {
    this.#flushing.lower(end)
    this.#flushing.settle(this.durableEnd)
  }

  refuseAll(error: Error): void {
    this.#flushing.refuseAfter(-1, error)
  }

  /** Lets go of the files that are not being written and have nothing to be synced. */
  releaseFiles(): void {
    if (this.#log.isWriting || this.isSyncing) return
    const keepsUnsynced = this.#shared.syncMode === 'always' && !this.#log.isOver
    for (const segment of this.#open.keys()) {
      if (keepsUnsynced && this.#unsynced.has(segment)) continue
      this.release(segment)
    }
  }

  release(segment: Segment): void {
    this.#open.get(segment)?.release()
    this.#open.delete(segment)
  }

  async #sync(): Promise<void> {
    const { disk } = this.#shared
    const target = this.#log.writtenEnd
    const segments = [...this.#unsynced]
    this.#unsynced.clear()
    this.#newest = undefined
    const { directoryUnsynced, parentUnsynced } = this
    this.directoryUnsynced = false
    this.parentUnsynced = false
    try {
      // One after the other: a place in the queue is one thread of the pool. What comes second finds
      // its work done by the first on most file systems.
      for (const segment of segments) await this.#syncSegment(segment)
      if (directoryUnsynced) await disk.syncDirectory(this.#directory)
      if (parentUnsynced) await disk.syncDirectory(parentOf(this.#directory))
    } catch (error) {
      this.#log.syncFailed(error as Error)
      return
    }
    if (this.#log.isOver) return
    this.durableEnd = target
    this.#log.synced(target)
    this.#flushing.settle(target)
  }

  async #syncSegment(segment: Segment): Promise<void> {
    const { files } = this.#shared
    const open = this.#open.get(segment)?.retain() ?? (await files.acquire(segment.logPath))
    try {
      await open.file.sync()
    } finally {
      open.release()
    }
  }

  #ended(): void {
    this.isSyncing = false
    if (this.isWanted && this.#log.writtenEnd > this.durableEnd) this.request()
    this.releaseFiles()
    this.#log.syncEnded()
  }
}
