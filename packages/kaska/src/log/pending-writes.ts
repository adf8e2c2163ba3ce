/**
 * The batches of a log that have their places and are not written yet, and their writing: one write at a
 * time, which holds as much as there is for one segment.
 *
 *   push ──▶ [ b ][ b ][ b ] ──the end of the turn, or enough bytes──▶ one write ──▶ wrote
 *                  ^  what comes meanwhile waits for the next write        |
 *                  '------------------ failed: pop() takes places back ----'
 */
import { batchHeaderBytes, type Chunks } from '@kaska/protocol'
import { AppendQueue } from './append-queue.ts'
import type { LogShared } from './log-config.ts'
import type { Place } from './log-place.ts'
import type { LogSyncer } from './log-syncer.ts'
import type { TailBatch } from './log-tail.ts'
import type { ProducerEntry } from './producer-state.ts'
import type { Segment } from './segment.ts'
import { batchBytes } from './segment-scan.ts'

/** A batch that has its place and is not written yet. */
export interface PendingBatch {
  readonly batch: TailBatch
  readonly segment: Segment
  readonly before: Place
  readonly after: Place
  readonly producerBefore: ProducerEntry | undefined
}

/** What the writing needs of the log around it. */
export interface WrittenLog {
  /** Has the log ended, or gone offline? Then nothing is written any more. */
  readonly isOver: boolean
  /** Makes the segment's file where it is missing, and opens it. */
  prepare(segment: Segment): Promise<void>
  /** The batch is written. */
  wrote(pending: PendingBatch): void
  /** All batches of one write are. */
  wroteAll(): void
  /**
   * A write, or what comes before it, failed: `first` is the first batch that it was to hold. The writing
   * stands still until `pump` or `stop`.
   */
  writeFailed(error: unknown, first: PendingBatch): void
  /** Nothing is being written any more, for now. */
  writeEnded(): void
}

/** A gathered write that is larger is split, so that nobody waits long for his part. */
const writeBytesMax = 4 * 1024 * 1024
/** A batch of at least this size waits for others in the same turn; so much is written before it ends. */
const gatherBytesMin = 16 * 1024
const gatherBytesMax = 256 * 1024
const done = Promise.resolve()

export class PendingWrites {
  readonly #shared: LogShared
  readonly #syncer: LogSyncer
  readonly #log: WrittenLog
  readonly #pending = new AppendQueue<PendingBatch>()
  /** Bytes that wait for the end of this turn; -1 while none do. */
  #gatheredBytes = -1
  #isWriting = false

  constructor(shared: LogShared, syncer: LogSyncer, log: WrittenLog) {
    this.#shared = shared
    this.#syncer = syncer
    this.#log = log
  }

  /** Is a write under way, or about to begin? */
  get isWriting(): boolean {
    return this.#isWriting
  }

  /** The batch is to be written, soon. */
  push(pending: PendingBatch, length: number): void {
    // Until it is written: whoever sent it may let go of it at once, and some want no answer.
    pending.batch.retain(this.#shared.budget)
    this.#pending.push(pending)
    this.#gather(length)
  }

  /** Takes back the last batch; undefined: there is none. */
  pop(): PendingBatch | undefined {
    const pending = this.#pending.pop()
    pending?.batch.release(this.#shared.budget)
    return pending
  }

  /** The log works on its files itself: what is pushed waits for `pump`. */
  start(): void {
    this.#isWriting = true
  }

  /** After a failure: nothing is written any more. */
  stop(): void {
    this.#isWriting = false
  }

  /** Writes what is pending, at once as far as the disk allows. */
  pump(): void {
    for (;;) {
      const first = this.#pending.first()
      if (first === undefined || this.#log.isOver) break
      const open = this.#syncer.fileOf(first.segment)
      if (open === undefined || !first.segment.exists) {
        this.#log.prepare(first.segment).then(
          () => this.pump(),
          (error) => this.#log.writeFailed(error, first),
        )
        return
      }
      const group = this.#takeGroup(first)
      let writing: Promise<void> | undefined
      try {
        writing = open.file.write(
          first.after.position - batchBytes(first.batch.header),
          group.chunks,
        )
      } catch (error) {
        writing = Promise.reject(error)
      }
      if (writing === undefined) {
        this.#wrote(group.count)
      } else {
        // While it is under way nobody may free what it writes, even if all its senders are told that
        // the log has ended.
        const release = this.#hold(group.chunks)
        writing.then(
          () => {
            this.#wrote(group.count)
            release()
            this.pump()
          },
          (error) => {
            release()
            this.#log.writeFailed(error, first)
          },
        )
        return
      }
    }
    this.#isWriting = false
    this.#log.writeEnded()
  }

  /**
   * What comes in together joins one write: a write costs by the call, and a large one costs the
   * operating system less a byte. Small batches come in one piece of the socket, and are written after
   * it; larger ones are waited for until the turn of the event loop ends, but not without end, so that
   * the disk works while the rest still comes in.
   */
  #gather(bytes: number): void {
    if (!this.#isWriting) {
      this.#isWriting = true
      this.#gatheredBytes = 0
      const gathered = bytes < gatherBytesMin ? done : this.#shared.clock.yield()
      void gathered.then(() => this.#endGathering())
    }
    if (this.#gatheredBytes < 0) return
    this.#gatheredBytes += bytes
    if (this.#gatheredBytes >= gatherBytesMax) this.#endGathering()
  }

  #endGathering(): void {
    if (this.#gatheredBytes < 0) return
    this.#gatheredBytes = -1
    this.pump()
  }

  #hold(chunks: Chunks): () => void {
    const { budget } = this.#shared
    for (const chunk of chunks) budget.retain(chunk.buffer)
    return () => {
      for (const chunk of chunks) budget.releaseBuffer(chunk.buffer)
    }
  }

  /** The views of the pending batches that go to the first one's segment in one write. */
  #takeGroup(first: PendingBatch): { chunks: Uint8Array[]; count: number } {
    const chunks: Uint8Array[] = []
    let count = 0
    let bytes = 0
    for (const { batch, segment } of this.#pending) {
      bytes += batchHeaderBytes + batch.recordsLength
      if (segment !== first.segment || (count > 0 && bytes > writeBytesMax)) break
      chunks.push(batch.headerBytes)
      for (const chunk of batch.records) chunks.push(chunk)
      count++
    }
    return { chunks, count }
  }

  #wrote(count: number): void {
    if (this.#log.isOver) return
    const { budget } = this.#shared
    for (let index = 0; index < count; index++) {
      const pending = this.#pending.shift() as PendingBatch
      this.#log.wrote(pending)
      pending.batch.release(budget)
    }
    this.#log.wroteAll()
  }
}
