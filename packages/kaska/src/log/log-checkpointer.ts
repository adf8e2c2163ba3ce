/**
 * The checkpoint of one log (`checkpoint-file.ts`), written every now and then, and whenever the log is
 * to begin at a later offset: then the new start is durable before any reader is told of it, and before
 * a file is removed. One checkpoint is written at a time.
 */
import {
  checkpointName,
  checkpointTemporaryName,
  encodeCheckpoint,
  replaceFile,
} from './checkpoint-file.ts'
import type { Checkpointed } from './checkpoints.ts'
import { DiskError } from './disk.ts'
import type { LogShared } from './log-config.ts'
import type { LogWriter } from './log-writer.ts'
import type { Segment } from './segment.ts'

export class LogCheckpointer implements Checkpointed {
  /** The segment that the checkpoint on the disk names; undefined where none can be read. */
  base: number | undefined
  readonly #directory: string
  readonly #shared: LogShared
  readonly #writer: LogWriter
  #running: Promise<void> | undefined
  #isNeeded = false

  constructor(directory: string, shared: LogShared, writer: LogWriter, base: number | undefined) {
    this.#directory = directory
    this.#shared = shared
    this.#writer = writer
    this.base = base
  }

  get needsCheckpoint(): boolean {
    return this.#isNeeded && !this.#writer.isOver && this.#writer.segments.length > 0
  }

  /** Something was written: it is checkpointed within a minute, or at once where it is `urgent`. */
  noteWritten(urgent: boolean): void {
    if (!this.#isNeeded) {
      this.#isNeeded = true
      this.#shared.checkpoints.add(this)
    }
    if (urgent && this.#running === undefined) void this.checkpoint()
  }

  /** Makes durable what was written, and remembers it. Never rejects. */
  async checkpoint(): Promise<void> {
    await this.#inTurn(async () => {
      if (!this.needsCheckpoint) return
      try {
        await this.#write(this.#writer.startOffset)
      } catch (error) {
        if (this.#writer.isOver) return
        this.noteWritten(false)
        // Batches that the checkpoint counts were taken back: that is said where it happens.
        if (error instanceof OvertakenError) return
        const text = `${this.#directory}: the checkpoint failed: ${(error as Error).message}`
        this.#shared.report({ kind: 'checkpoint-failed', directory: this.#directory, text })
      }
    })
  }

  /**
   * Makes the log begin at `offset`, which is below its end: a durable change when this resolves.
   * Rejects with DiskError, PartitionOfflineError, ClosedError; then a start may find it so, or not.
   */
  async moveStart(offset: number): Promise<void> {
    const writer = this.#writer
    let failure: unknown
    await this.#inTurn(async () => {
      if (offset <= writer.startOffset) return
      try {
        await this.#write(offset)
        await this.#shared.disk.syncDirectory(this.#directory)
        writer.startOffset = offset
      } catch (error) {
        failure = error
        if (!writer.isOver) this.noteWritten(false)
      }
    })
    if (failure !== undefined) throw failure
  }

  /** Resolves when no checkpoint is under way. */
  async idle(): Promise<void> {
    while (this.#running !== undefined) await this.#running
  }

  /** Runs the task, which never rejects, when no other one is under way. */
  async #inTurn(task: () => Promise<void>): Promise<void> {
    // Between the end of the last one and the beginning of this one nothing is awaited.
    while (this.#running !== undefined) await this.#running
    this.#running = task()
    try {
      await this.#running
    } finally {
      this.#running = undefined
    }
  }

  async #write(startOffset: number): Promise<void> {
    const { disk, crc32c, clock, syncQueue } = this.#shared
    const writer = this.#writer
    const { segment, position, offset, maxTimestamp, maxTimestampOffset, lastEpoch } = writer.next
    if (segment === undefined) return
    const { rewinds } = writer
    this.#isNeeded = false
    writer.startCheckpoint()
    const producersNow = Math.floor(clock.monotonic())
    writer.producers.expire(producersNow)
    const checkpoint = {
      startOffset,
      segmentBase: segment.baseOffset,
      position,
      offset,
      maxTimestamp,
      maxTimestampOffset,
      segmentTime: segment.time,
      lastEpoch,
    }
    const bytes = encodeCheckpoint(checkpoint, writer.producers, crc32c, producersNow)
    await writer.flush()
    // A start must find the segment that it names: one that was rolled has its file yet to come.
    writer.refuse()
    if (rewinds !== writer.rewinds || !segment.exists) throw new OvertakenError()
    const base = this.base ?? -1
    for (const written of [...writer.segments]) {
      const isNew = written.baseOffset >= base && written.baseOffset <= segment.baseOffset
      if (isNew) await this.#syncIndex(written)
    }
    // What was flushed has its name, but nothing need have been written to it yet.
    if (position === 0) await disk.syncDirectory(this.#directory)
    await replaceFile(
      disk,
      `${this.#directory}/${checkpointName}`,
      `${this.#directory}/${checkpointTemporaryName}`,
      [bytes],
      (file) => syncQueue.run(() => file.sync()),
    )
    this.base = segment.baseOffset
  }

  /** Syncs the segment's indexes, up to what is written. */
  async #syncIndex(segment: Segment): Promise<void> {
    const { files, syncQueue } = this.#shared
    await segment.index.flushAndSync(async (path) => {
      const open = await files.acquire(path)
      try {
        await syncQueue.run(() => open.file.sync())
      } finally {
        open.release()
      }
    })
  }
}

/** What the checkpoint was to say is not there: a full disk took it back, or refused its file. */
class OvertakenError extends DiskError {
  constructor() {
    super('full', 'the disk was full meanwhile')
  }
}
