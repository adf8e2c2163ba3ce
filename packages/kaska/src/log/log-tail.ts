/**
 * The tail of a log in memory: the batches that were written last, as the views that were received.
 * Readers at the end are served from here and never touch the disk; a log that has none keeps little. All
 * tails share the broker's byte budget, and the batch that was written first, of any log, goes first.
 */
import type { BatchHeader, Chunks } from '@kaska/protocol'
import { AppendQueue } from './append-queue.ts'
import type { Evictable, MemoryBudget } from './memory-budget.ts'
import { batchBytes } from './segment-scan.ts'

/** What a batch takes in memory beside its bytes: objects, views, its place in the queues. */
const overheadBytes = 600

/** A batch in memory; counted in the budget while the tail or a reader holds it. */
export class TailBatch {
  readonly header: BatchHeader
  readonly headerBytes: Uint8Array
  readonly records: Chunks
  readonly recordsLength: number
  /** The tail is one, each reader another. */
  #holders = 0

  constructor(
    header: BatchHeader,
    headerBytes: Uint8Array,
    records: Chunks,
    recordsLength: number,
  ) {
    this.header = header
    this.headerBytes = headerBytes
    this.records = records
    this.recordsLength = recordsLength
  }

  retain(budget: MemoryBudget): void {
    if (this.#holders++ > 0) return
    for (const chunk of this.records) budget.retain(chunk.buffer)
    budget.charge(overheadBytes)
  }

  release(budget: MemoryBudget): void {
    if (--this.#holders > 0) return
    for (const chunk of this.records) budget.releaseBuffer(chunk.buffer)
    budget.charge(-overheadBytes)
  }
}

export class LogTail implements Evictable {
  readonly #budget: MemoryBudget
  readonly #batches = new AppendQueue<TailBatch>()
  #bytes = 0

  constructor(budget: MemoryBudget) {
    this.#budget = budget
  }

  /** The first offset that is in memory; undefined where none is. */
  get startOffset(): number | undefined {
    return this.#batches.first()?.header.baseOffset
  }

  push(batch: TailBatch): void {
    batch.retain(this.#budget)
    const number = this.#batches.push(batch)
    this.#bytes += bytesOf(batch)
    this.#budget.addEvictable(this, number, bytesOf(batch))
  }

  isThere(number: number): boolean {
    return this.#batches.at(number) !== undefined
  }

  evict(number: number): boolean {
    return this.isThere(number) && this.#dropOldest()
  }

  /**
   * Batches from the one that holds `offset` (which is not before `startOffset`) on, those before
   * `endOffset`: as many as the bytes allow, at least one if there is one.
   */
  read(offset: number, endOffset: number, bytesMax: number): TailBatch[] {
    const batches: TailBatch[] = []
    let number = this.#batches.lastWhere(({ header }) => header.baseOffset <= offset)
    let bytes = 0
    for (;;) {
      const batch = this.#batches.at(number++)
      if (batch === undefined || batch.header.baseOffset >= endOffset) return batches
      bytes += batchBytes(batch.header)
      if (bytes > bytesMax && batches.length > 0) return batches
      batches.push(batch)
    }
  }

  /** Lets go of the oldest batches until the rest takes no more than so many bytes. */
  trim(bytesMax: number): void {
    let pieces = 0
    for (; this.#bytes > bytesMax && this.#dropOldest(); pieces++);
    if (pieces > 0) this.#budget.forget(pieces)
  }

  /** Lets go of everything: the log is closed, or what is in memory is not to be read. */
  clear(): void {
    this.trim(-1)
  }

  /** Lets go of the batches from `offset` on. */
  cutFrom(offset: number): void {
    let pieces = 0
    for (;;) {
      const last = this.#batches.last()
      if (last === undefined || last.header.baseOffset < offset) break
      this.#batches.pop()
      this.#letGo(last)
      pieces++
    }
    if (pieces > 0) this.#budget.forget(pieces)
  }

  #dropOldest(): boolean {
    const batch = this.#batches.shift()
    if (batch !== undefined) this.#letGo(batch)
    return batch !== undefined
  }

  #letGo(batch: TailBatch): void {
    this.#bytes -= bytesOf(batch)
    this.#budget.tailGaveBack(bytesOf(batch))
    batch.release(this.#budget)
  }
}

function bytesOf({ recordsLength }: TailBatch): number {
  return recordsLength + overheadBytes
}
