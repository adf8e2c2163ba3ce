/**
 * The log against a plain array: any interleaving of appends, syncs, reads, look-ups by time, checkpoints,
 * rolls, deletions, full disks, clean restarts, kills and power failures, in both sync modes, on a disk that
 * loses and tears what was not synced.
 */
import assert from 'node:assert/strict'
import process from 'node:process'
import { test } from 'node:test'
import { setImmediate } from 'node:timers/promises'
import { ClosedError, DiskFullError, OffsetOutOfRangeError } from '@kaska/protocol'
import fc from 'fast-check'
import { SeededRandom } from '../../../../sim/seeded-random.ts'
import { SimulatedDisk } from '../../../../sim/simulated-disk.ts'
import {
  batchOf,
  MortalDisk,
  type OpenedDirectory,
  openDirectory,
  readAll,
} from '../../test/log-harness.ts'
import { defaultLogConfig, type SyncMode } from './log-config.ts'
import { MemoryBudget } from './memory-budget.ts'
import type { PartitionLog } from './partition-log.ts'

type Step =
  | { readonly kind: 'append'; readonly values: number; readonly size: number }
  | { readonly kind: 'wait' | 'read' | 'checkpoint' | 'roll' | 'fill' | 'free' }
  | { readonly kind: 'delete' | 'retain'; readonly part: number; readonly isAwaited: boolean }
  | { readonly kind: 'close' | 'kill' | 'crash' }

const simple = (kind: 'wait' | 'read' | 'checkpoint' | 'roll' | 'fill' | 'free') =>
  fc.constant<Step>({ kind })
const append = fc.record({
  kind: fc.constant('append' as const),
  values: fc.integer({ min: 1, max: 4 }),
  size: fc.oneof(
    { weight: 6, arbitrary: fc.integer({ min: 0, max: 300 }) },
    { weight: 1, arbitrary: fc.integer({ min: 2000, max: 12_000 }) },
  ),
})
const step: fc.Arbitrary<Step> = fc.oneof(
  { weight: 12, arbitrary: append },
  { weight: 4, arbitrary: simple('wait') },
  { weight: 2, arbitrary: simple('read') },
  { weight: 2, arbitrary: simple('checkpoint') },
  { weight: 1, arbitrary: simple('roll') },
  { weight: 1, arbitrary: simple('fill') },
  { weight: 2, arbitrary: simple('free') },
  {
    weight: 2,
    arbitrary: fc.record({
      kind: fc.constantFrom('delete' as const, 'retain' as const),
      part: fc.double({ min: 0, max: 1, noNaN: true }),
      isAwaited: fc.boolean(),
    }),
  },
  { weight: 1, arbitrary: fc.constant<Step>({ kind: 'close' }) },
  { weight: 1, arbitrary: fc.constant<Step>({ kind: 'kill' }) },
  { weight: 2, arbitrary: fc.constant<Step>({ kind: 'crash' }) },
)

interface ModelBatch {
  readonly baseOffset: number
  readonly values: readonly string[]
  readonly timestamp: number
  isAcknowledged: boolean
}

/** Runs the steps on a log, and keeps the array beside it. */
class Run {
  readonly #disk: SimulatedDisk
  readonly #random: SeededRandom
  readonly #mode: SyncMode
  #process: MortalDisk
  #opened: OpenedDirectory | undefined
  #log!: PartitionLog
  #batches: ModelBatch[] = []
  /** What a full disk refused: a kill before it is cut off may leave it. By its offset. */
  #refused = new Map<number, ModelBatch>()
  /** What readers have seen: it must stay. */
  #seenEnd = 0
  /** What was deleted, durably as far as anybody was told. */
  #start = 0
  /** On a full disk what readers miss already may come back once. */
  #wasFull = false
  #count = 0

  constructor(seed: number, mode: SyncMode) {
    this.#random = new SeededRandom(seed)
    this.#disk = new SimulatedDisk(this.#random)
    this.#mode = mode
    this.#process = this.#startProcess()
  }

  #startProcess(): MortalDisk {
    return new MortalDisk(this.#disk, {
      writesAtOnce: () => this.#random.chance(0.5),
      pause: async () => {
        if (this.#random.chance(0.3)) await setImmediate()
      },
    })
  }

  async run(steps: readonly Step[]): Promise<void> {
    await this.#open(false)
    for (const one of steps) await this.#step(one)
    await this.#step({ kind: 'free' })
    await this.#step({ kind: 'close' })
    await this.#check()
  }

  async #step(one: Step): Promise<void> {
    const log = this.#log
    switch (one.kind) {
      case 'append':
        this.#append(one.values, one.size)
        return
      case 'wait':
        for (let turn = 0; turn < 3; turn++) await setImmediate()
        return
      case 'read':
        return this.#check()
      case 'checkpoint':
        void log.checkpoint()
        return
      case 'roll':
        void log.roll().catch(() => {})
        return
      case 'fill':
        this.#disk.bytesMax = this.#disk.bytes + this.#random.between(0, 2000)
        this.#wasFull = true
        return
      case 'free':
        this.#disk.bytesMax = Number.POSITIVE_INFINITY
        for (let turn = 0; turn < 20; turn++) await setImmediate()
        return
      case 'delete':
      case 'retain': {
        const deleting = one.kind === 'delete' ? this.#delete(one.part) : this.#retain(one.part)
        return one.isAwaited ? deleting : undefined
      }
      case 'close':
        await this.#opened?.directory.close()
        for (const batch of this.#batches) assert.ok(batch.isAcknowledged, 'close waits')
        return this.#open(true)
      case 'kill':
        this.#stop()
        this.#disk.kill()
        return this.#open(this.#mode === 'os')
      case 'crash':
        this.#stop()
        this.#disk.crash()
        return this.#open(false)
    }
  }

  async #delete(part: number): Promise<void> {
    const log = this.#log
    const ends = this.#batches.filter(({ baseOffset }) => baseOffset <= log.endOffset)
    const offset = ends[Math.floor(part * ends.length)]?.baseOffset ?? log.endOffset
    try {
      await log.deleteBefore(offset)
    } catch (error) {
      assert.ok(error instanceof DiskFullError || error instanceof ClosedError, String(error))
      return
    }
    assert.ok(log.startOffset >= offset)
    this.#start = Math.max(this.#start, offset)
  }

  async #retain(part: number): Promise<void> {
    const log = this.#log
    log.config = { ...log.config, retentionBytes: Math.floor(part * 10_000) }
    try {
      await log.applyRetention(0)
      this.#start = Math.max(this.#start, log.startOffset)
    } catch (error) {
      assert.ok(error instanceof DiskFullError || error instanceof ClosedError, String(error))
    }
  }

  #append(count: number, size: number): void {
    const values = Array.from({ length: count }, () => `${this.#count++} ${'x'.repeat(size)}`)
    // Time goes on, and back now and then.
    const timestamp = 1000 + this.#count + this.#random.pick([0, 0, 0, -20, 15])
    const next = this.#next()
    let appended: ReturnType<PartitionLog['append']>
    try {
      appended = this.#log.append(batchOf(values, { timestamp }))
    } catch (error) {
      assert.ok(error instanceof DiskFullError, String(error))
      return
    }
    assert.equal(appended.baseOffset, next)
    const batch: ModelBatch = { baseOffset: next, values, timestamp, isAcknowledged: false }
    const batches = this.#batches
    batches.push(batch)
    appended.acknowledged.then(
      () => {
        batch.isAcknowledged = true
      },
      (error) => {
        if (batches !== this.#batches) return
        assert.ok(error instanceof DiskFullError, String(error))
        const index = batches.indexOf(batch)
        assert.ok(batches.slice(index).every(({ isAcknowledged }) => !isAcknowledged))
        // A place that was taken back is given again; what came behind it is taken back as well.
        if (index >= 0) batches.splice(index, 1)
        this.#refused.set(next, batch)
      },
    )
  }

  /** The process is gone: nothing of it has an effect any more. */
  #stop(): void {
    if (!this.#wasFull) this.#start = Math.max(this.#start, this.#log.startOffset)
    this.#process.die()
    this.#process = this.#startProcess()
    this.#batches = this.#batches.map((batch) => ({ ...batch }))
  }

  /** Opens the directory; `isWhole`: everything that was written must be there. */
  async #open(isWhole: boolean): Promise<void> {
    const before = this.#batches
    const { bytesMax } = this.#disk
    this.#disk.bytesMax = Number.POSITIVE_INFINITY
    this.#wasFull = bytesMax !== Number.POSITIVE_INFINITY
    this.#opened = await openDirectory(this.#process, {
      syncMode: this.#mode,
      budget: new MemoryBudget(this.#random.pick([20_000, 10_000_000])),
    })
    const segmentBytes = this.#random.pick([3000, 20_000, 10_000_000])
    const indexIntervalBytes = this.#random.pick([100, 700, 4096])
    const config = { ...defaultLogConfig, segmentBytes, indexIntervalBytes }
    this.#log = await this.#opened.directory.openPartition('topic-0', config)
    this.#disk.bytesMax = bytesMax
    const log = this.#log
    assert.equal(log.offline, undefined)
    // Whole batches, from the first one on.
    const kept = before.filter(({ baseOffset }) => baseOffset < log.endOffset)
    this.#batches = kept.map((batch) => ({ ...batch, isAcknowledged: true }))
    for (;;) {
      const left = this.#next() < log.endOffset ? this.#refused.get(this.#next()) : undefined
      if (left === undefined) break
      this.#batches.push({ ...left, isAcknowledged: true })
    }
    this.#refused.clear()
    assert.equal(this.#next(), log.endOffset, 'the end is the end of a batch that was appended')
    if (this.#mode === 'always' || isWhole) {
      for (const batch of before) {
        assert.ok(!batch.isAcknowledged || kept.includes(batch), `lost ${batch.baseOffset}`)
      }
      assert.ok(log.endOffset >= this.#seenEnd, 'what was seen stays')
    }
    assert.ok(log.startOffset >= this.#start, 'what was deleted is gone')
    this.#start = log.startOffset
    this.#seenEnd = log.endOffset
    await this.#check()
  }

  async #check(): Promise<void> {
    const log = this.#log
    const end = log.endOffset
    assert.ok(end >= this.#seenEnd, 'the end never goes back')
    this.#seenEnd = end
    const from = Math.max(this.#start, log.startOffset)
    const expected: [number, string][] = []
    for (const { baseOffset, values } of this.#batches) {
      for (const [index, value] of values.entries()) {
        const offset = baseOffset + index
        if (offset >= from && offset < end) expected.push([offset, value])
      }
    }
    const found = await readAll(log, from).catch((error: unknown) => {
      if (!(error instanceof OffsetOutOfRangeError && log.startOffset > from)) throw error
    })
    // Some of it was deleted meanwhile: what is left is looked at.
    if (found === undefined) return this.#check()
    assert.deepEqual(found, expected)
    for (let look = 0; look < 3; look++) {
      await this.#lookUp(980 + this.#random.between(0, this.#count + 40))
    }
    await this.#lookUpNewest()
  }

  /** The first offset at or after a time. */
  async #lookUp(time: number): Promise<void> {
    const log = this.#log
    const { startOffset, endOffset } = log
    const batch = this.#batches.find(({ timestamp, baseOffset, values }) => {
      const isThere = baseOffset + values.length > startOffset && baseOffset < endOffset
      return isThere && timestamp >= time
    })
    const expected = batch && Math.max(startOffset, batch.baseOffset)
    const found = await log.offsetAt(time)
    // What was deleted meanwhile may be missing, what came meanwhile may be found.
    if (startOffset !== log.startOffset || (found ?? -1) >= endOffset) {
      assert.ok(expected === undefined || startOffset !== log.startOffset, `at ${time}`)
    } else {
      assert.equal(found, expected, `at ${time}`)
    }
  }

  /** The largest timestamp; of what is below the start as well, as long as its segment is there. */
  async #lookUpNewest(): Promise<void> {
    const log = this.#log
    const { startOffset, rewinds } = log
    const all = [...this.#batches]
    const largest = await log.maxTimestamp().catch((error: unknown) => {
      assert.ok(error instanceof DiskFullError, String(error))
    })
    if (largest === undefined || startOffset !== log.startOffset || rewinds !== log.rewinds) return
    const left = all.filter(({ baseOffset }) => baseOffset >= startOffset)
    const least = Math.max(-1, ...left.map(({ timestamp }) => timestamp))
    const most = Math.max(-1, ...all.map(({ timestamp }) => timestamp))
    assert.ok(largest >= least && largest <= most, `${largest} is not in ${least} to ${most}`)
  }

  #next(): number {
    const last = this.#batches.at(-1)
    return last === undefined ? 0 : last.baseOffset + last.values.length
  }
}

for (const mode of ['always', 'os'] as const) {
  test(`any interleaving equals an array, sync ${mode}`, async () => {
    await fc.assert(
      fc.asyncProperty(
        fc.integer(),
        fc.array(step, { minLength: 1, maxLength: 60 }),
        async (seed, steps) => {
          await new Run(seed, mode).run(steps)
        },
      ),
      { numRuns: Number(process.env['KASKA_TEST_RUNS'] ?? 150) },
    )
  })
}
