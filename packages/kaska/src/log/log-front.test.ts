/** What is deleted at a log's front: by which rule, how durably, and what readers notice. */
import assert from 'node:assert/strict'
import { mkdtemp, readdir, readlink, rm, utimes } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import path from 'node:path'
import process from 'node:process'
import { test } from 'node:test'
import { setImmediate } from 'node:timers/promises'
import {
  ClosedError,
  DiskFullError,
  OffsetOutOfRangeError,
  PartitionOfflineError,
} from '@kaska/protocol'
import { SeededRandom } from '../../../../sim/seeded-random.ts'
import { SimulatedDisk } from '../../../../sim/simulated-disk.ts'
import {
  batchOf,
  MortalDisk,
  openDirectory,
  readAll,
  TestClock,
  testConfig,
  testCrc,
} from '../../test/log-harness.ts'
import { openNodeDisk } from '../host/node-disk.ts'
import { type Disk, DiskError, type DiskFile } from './disk.ts'
import { repairLogs, verifyLogs } from './inspect.ts'
import type { SyncMode } from './log-config.ts'
import { MemoryBudget } from './memory-budget.ts'
import { MemoryDisk } from './memory-disk.ts'
import type { PartitionLog } from './partition-log.ts'

const noRetention = { ...testConfig, segmentBytes: 2 ** 31 - 1 }
const time = 1_700_000_000_000

/** A log with a segment for each of the timestamps, of ten messages each. */
async function logOf(timestamps: readonly number[], disk: Disk = new MemoryDisk()) {
  const opened = await openDirectory(disk)
  const log = await opened.directory.openPartition('t-0', noRetention)
  for (const [index, timestamp] of timestamps.entries()) {
    if (index > 0) await log.roll()
    await append(log, timestamp)
  }
  return { ...opened, log }
}

async function append(log: PartitionLog, timestamp: number): Promise<void> {
  const values = Array.from({ length: 10 }, (_, index) => `${index} ${'x'.repeat(100)}`)
  await log.append(batchOf(values, { timestamp })).acknowledged
}

async function segmentsOn(disk: Disk): Promise<number[]> {
  const names = (await disk.list('topics/t-0')).map(({ name }) => name)
  const bases = names
    .filter((name) => name.endsWith('.log'))
    .map((name) => Number(name.slice(0, 20)))
  return bases.sort((a, b) => a - b)
}

test('a segment is too old when its largest timestamp is', async () => {
  const disk = new MemoryDisk()
  const { log } = await logOf([1000, 3000, 2000, 9000], disk)
  log.config = { ...log.config, retentionMs: 5000 }
  assert.deepEqual(await log.applyRetention(6000), { deleted: 0, due: 6001 })
  assert.deepEqual(await log.applyRetention(6001), { deleted: 1, due: 8001 })
  assert.equal(log.startOffset, 10)
  // Behind one that is kept nothing is deleted: the one of 2000 waits for the one of 3000.
  assert.deepEqual(await log.applyRetention(7500), { deleted: 0, due: 8001 })
  assert.deepEqual(await log.applyRetention(8001), { deleted: 2, due: 14_001 })
  assert.deepEqual(await segmentsOn(disk), [30])
  assert.equal((await readAll(log)).length, 10)
  assert.throws(
    () => log.read(29, 1000),
    (error: unknown) =>
      error instanceof OffsetOutOfRangeError && error.startOffset === 30 && error.endOffset === 40,
  )
})

test('the segment that is written is ended and deleted when all of it is too old', async () => {
  const disk = new MemoryDisk()
  const { log } = await logOf([1000, 2000], disk)
  log.config = { ...log.config, retentionMs: 5000 }
  assert.deepEqual(await log.applyRetention(50_000), { deleted: 2, due: Number.POSITIVE_INFINITY })
  assert.deepEqual([log.startOffset, log.endOffset], [20, 20])
  assert.deepEqual(await segmentsOn(disk), [20])
  assert.equal((await log.applyRetention(60_000)).deleted, 0, 'an empty one stays')
  await append(log, 58_000)
  assert.deepEqual(await log.applyRetention(60_000), { deleted: 0, due: 63_001 })
})

test('a timestamp in the future keeps its segment, and those behind it', async () => {
  const { log } = await logOf([1000, 90_000, 2000, 3000])
  log.config = { ...log.config, retentionMs: 5000 }
  assert.deepEqual(await log.applyRetention(50_000), { deleted: 1, due: 95_001 })
  assert.equal((await log.applyRetention(95_001)).deleted, 3)
})

test('where no message has a timestamp, the age of the file counts', async () => {
  const directory = await mkdtemp(path.join(tmpdir(), 'kaska-front-'))
  try {
    const { directory: data, log } = await logOf([-1, -1, -1], await openNodeDisk(directory))
    log.config = { ...log.config, retentionMs: 5000 }
    const now = Date.now()
    const waits = await log.applyRetention(now)
    assert.ok(waits.deleted === 0 && waits.due > now && waits.due < now + 60_000)
    await utimes(path.join(directory, 'topics/t-0/00000000000000000010.log'), 1, (now - 9e6) / 1000)
    await utimes(path.join(directory, 'topics/t-0/00000000000000000000.log'), 1, (now - 9e6) / 1000)
    await data.close()
    const again = await openDirectory(await openNodeDisk(directory))
    const config = { ...noRetention, retentionMs: 5000 }
    const reopened = await again.directory.openPartition('t-0', config)
    assert.equal((await reopened.applyRetention(now)).deleted, 2)
    assert.equal(reopened.startOffset, 20)
    await again.directory.close()
  } finally {
    await rm(directory, { recursive: true })
  }
})

test('where no disk tells the age of a file, it counts from when the segment was begun', async () => {
  const { log, clock } = await logOf([-1, -1])
  log.config = { ...log.config, retentionMs: 5000 }
  assert.equal((await log.applyRetention(clock.time + 5000)).deleted, 0)
  assert.equal((await log.applyRetention(clock.time + 5001)).deleted, 2)
})

test('a time index that was lost does not make messages older', async () => {
  const disk = new MemoryDisk()
  const { directory } = await logOf([time + 1e6, time], disk)
  await directory.close()
  await disk.remove('topics/t-0/00000000000000000000.timeindex')
  const again = await openDirectory(disk)
  const log = await again.directory.openPartition('t-0', { ...noRetention, retentionMs: 1000 })
  assert.equal((await log.applyRetention(time + 1e6)).deleted, 0)
  assert.equal((await log.applyRetention(time + 1e6 + 1001)).deleted, 2)
})

test('a log is kept to its size by whole segments', async () => {
  const disk = new MemoryDisk()
  const { log } = await logOf([1000, 1000, 1000, 1000], disk)
  const file = await disk.open('topics/t-0/00000000000000000000.log')
  const size = await file.size()
  for (const [retentionBytes, segments] of [
    [4 * size, [0, 10, 20, 30]],
    [3 * size + 1, [0, 10, 20, 30]],
    [3 * size, [10, 20, 30]],
    [1, [30]],
    [0, [40]],
  ] as const) {
    log.config = { ...log.config, retentionBytes }
    const { due } = await log.applyRetention(Number.MAX_SAFE_INTEGER)
    assert.deepEqual(await segmentsOn(disk), segments)
    assert.equal(due, Number.POSITIVE_INFINITY)
  }
})

test('who asks for a deletion in the middle of a segment keeps the file, and loses the messages', async () => {
  const disk = new MemoryDisk()
  const { log, directory } = await logOf([1000, 1000, 1000], disk)
  await log.deleteBefore(15)
  assert.deepEqual(await segmentsOn(disk), [10, 20])
  assert.equal((await readAll(log))[0]?.[0], 15)
  await log.deleteBefore(3)
  assert.equal(log.startOffset, 15)
  await assert.rejects(log.deleteBefore(31), OffsetOutOfRangeError)
  await log.deleteBefore(30)
  assert.deepEqual([log.startOffset, log.endOffset], [30, 30])
  assert.deepEqual(await segmentsOn(disk), [30])
  await directory.close()
  const again = await openDirectory(disk)
  const reopened = await again.directory.openPartition('t-0', noRetention)
  assert.deepEqual([reopened.startOffset, reopened.endOffset], [30, 30])
  await append(reopened, 1)
  assert.equal(reopened.endOffset, 40)
})

test('a deletion and a checkpoint that both wait for a third are made one after the other', async () => {
  const disk = new SimulatedDisk(new SeededRandom(1))
  const gate = Promise.withResolvers<void>()
  const begun = Promise.withResolvers<void>()
  let isSlow = false
  const open = async (name: string, options?: { create?: boolean }): Promise<DiskFile> => {
    const file = await disk.open(name, options)
    if (!name.endsWith('checkpoint.new')) return file
    const sync = async (): Promise<void> => {
      if (isSlow) {
        begun.resolve()
        await gate.promise
      }
      await file.sync()
    }
    return { ...file, sync }
  }
  const slow = new Proxy(disk, {
    get: (_, key) => (key === 'open' ? open : memberOf(disk, key)),
  })
  const { log } = await logOf([time, time], slow)
  isSlow = true
  const first = log.checkpoint()
  await begun.promise
  await append(log, time)
  const deleting = log.deleteBefore(15)
  for (let turn = 0; turn < 5; turn++) await setImmediate()
  const second = log.checkpoint()
  gate.resolve()
  await deleting
  await Promise.all([first, second])
  // What a start finds is what was told.
  const copy = await openDirectory(await copyOf(disk))
  const found = await copy.directory.openPartition('t-0', noRetention)
  assert.deepEqual([found.startOffset, found.endOffset], [15, 30])
})

test('a log that is deleted, or closed, leaves nobody waiting for the disk', async () => {
  for (const end of ['delete', 'close'] as const) {
    for (let turns = 0; turns < 40; turns++) {
      const disk = new MortalDisk(new MemoryDisk(), { pause: () => setImmediate() })
      const { directory } = await openDirectory(disk, { syncMode: 'os' })
      const log = await directory.openPartition('t-0', noRetention)
      await append(log, time)
      await append(log, time)
      const deleting = Promise.allSettled([log.deleteBefore(10), log.maxTimestamp(), log.flush()])
      for (let turn = 0; turn < turns; turn++) await null
      const appending = Promise.allSettled([append(log, time)])
      await log[end]()
      await Promise.all([deleting, appending])
      await assert.rejects(log.maxTimestamp(), ClosedError)
      await directory.close()
    }
  }
})

test('an offline log keeps its files', async () => {
  const disk = new SimulatedDisk(new SeededRandom(1))
  const { log } = await logOf([1000, 1000], disk)
  const next = disk.operations + 2
  disk.fails = (operation) => operation === next
  await assert.rejects(log.append(batchOf(['x'])).acknowledged, PartitionOfflineError)
  disk.fails = () => false
  log.config = { ...log.config, retentionMs: 1 }
  await assert.rejects(log.applyRetention(1e6), PartitionOfflineError)
  await assert.rejects(log.deleteBefore(10), PartitionOfflineError)
  assert.deepEqual(await segmentsOn(disk), [0, 10])
  assert.equal((await readAll(log)).length, 20)
})

/** The files that this process has open in a directory; those without a name end with (deleted). */
async function openFilesIn(directory: string): Promise<string[]> {
  const links = (await readdir('/proc/self/fd')).map(async (fd) => {
    return await readlink(`/proc/self/fd/${fd}`).catch(() => '')
  })
  return (await Promise.all(links)).filter((link) => link.startsWith(directory))
}

function memberOf(target: object, key: string | symbol): unknown {
  const member: unknown = Reflect.get(target, key, target)
  return typeof member === 'function' ? member.bind(target) : member
}

const isLinux = process.platform === 'linux'

test('a reader keeps its file until it has read; then its space is free', {
  skip: !isLinux,
}, async () => {
  const directory = await mkdtemp(path.join(tmpdir(), 'kaska-front-'))
  try {
    const budget = new MemoryBudget(16 << 20, { tailBytesMax: 0 })
    const disk = await openNodeDisk(directory)
    // The file is open, and its bytes take their time.
    const begun = Promise.withResolvers<void>()
    const gate = Promise.withResolvers<void>()
    const open = async (name: string, options?: { create?: boolean }): Promise<DiskFile> => {
      const file = await disk.open(name, options)
      if (!name.endsWith('00000.log')) return file
      const read: DiskFile['read'] = async (position, into) => {
        begun.resolve()
        await gate.promise
        return await file.read(position, into)
      }
      return new Proxy(file, {
        get: (_, key) => (key === 'read' ? read : memberOf(file, key)),
      })
    }
    const slow = new Proxy(disk, {
      get: (_, key) => (key === 'open' ? open : memberOf(disk, key)),
    })
    const { directory: data } = await openDirectory(slow, { budget })
    const log = await data.openPartition('t-0', noRetention)
    await append(log, 1000)
    await log.roll()
    await append(log, 1000)
    const deletedFiles = async () =>
      (await openFilesIn(directory)).filter((name) => name.endsWith('00000.log (deleted)'))
    const reading = log.read(0, 100_000)
    await begun.promise
    await log.deleteBefore(10)
    assert.deepEqual(await segmentsOn(disk), [10])
    assert.equal((await deletedFiles()).length, 1)
    gate.resolve()
    const stored = await reading
    assert.equal(stored.batches[0]?.header.baseOffset, 0)
    stored.release()
    while ((await deletedFiles()).length > 0) await setImmediate()
    await data.close()
  } finally {
    await rm(directory, { recursive: true })
  }
})

test('a read that comes to a segment when it is gone is out of range, and gets no later messages', async () => {
  // A disk that takes its time to open a file.
  let opening: PromiseWithResolvers<void> | undefined
  class SlowDisk extends MemoryDisk {
    override async open(name: string, options?: { create?: boolean }) {
      if (name.endsWith('00.log') && opening !== undefined) await opening.promise
      return await super.open(name, options)
    }
  }
  const disk = new SlowDisk()
  const budget = new MemoryBudget(16 << 20, { tailBytesMax: 0 })
  const opened = await openDirectory(disk, { budget, openFilesMax: 0 })
  const log = await opened.directory.openPartition('t-0', noRetention)
  for (let index = 0; index < 3; index++) {
    await append(log, 1000 + index)
    await log.roll()
  }
  opening = Promise.withResolvers()
  const reading = log.read(3, 1000)
  const looking = log.offsetAt(1000)
  const ending = log.endOffsetForEpoch(0)
  await log.deleteBefore(12)
  opening.resolve()
  await assert.rejects(
    async () => await reading,
    (error: unknown) => error instanceof OffsetOutOfRangeError && error.startOffset === 12,
  )
  assert.equal(await looking, 12)
  assert.deepEqual(await ending, { epoch: 0, endOffset: 30 })
  const names = (await disk.list('topics/t-0')).map(({ name }) => name)
  assert.deepEqual(
    names.filter((name) => /^0+\./.test(name)),
    [],
  )
})

test('what a crash left below the start is no damage, and is removed', async () => {
  const disk = new MemoryDisk()
  const { log, directory } = await logOf([1000, 1000, 1000], disk)
  const path = 'topics/t-0/00000000000000000000.log'
  const file = await disk.open(path)
  const bytes = new Uint8Array(await file.size())
  await file.read(0, bytes)
  await log.deleteBefore(20)
  await directory.close()
  // The removal of the first one was lost, that of the second was not.
  await (await disk.open(path, { create: true })).write(0, [bytes])
  const inspect = { disk, crc32c: testCrc, clock: new TestClock() }
  assert.deepEqual(await verifyLogs(inspect), [])
  assert.deepEqual(await repairLogs(inspect), [])
  const again = await openDirectory(disk)
  const reopened = await again.directory.openPartition('t-0', noRetention)
  assert.deepEqual([reopened.startOffset, reopened.endOffset], [20, 30])
  assert.deepEqual(await segmentsOn(disk), [20])
})

test('a full disk does not keep retention from making room', async () => {
  const disk = new SimulatedDisk(new SeededRandom(3))
  const { log, directory } = await logOf([1000, 1000, 1000, time], disk)
  await log.checkpoint()
  disk.bytesMax = disk.bytes
  // No reserve to give up either.
  await disk.remove('reserve')
  disk.bytesMax = disk.bytes
  await assert.rejects(log.append(batchOf(['x'])).acknowledged, DiskFullError)
  log.config = { ...log.config, retentionMs: 1000 }
  assert.equal((await log.applyRetention(time)).deleted, 3)
  assert.equal(log.startOffset, 30)
  await append(log, time)
  await directory.close()
})

test('a roll that fails leaves nothing undone', async () => {
  const disk = new SimulatedDisk(new SeededRandom(3))
  const isFull = { is: false }
  const open = async (name: string, options?: { create?: boolean }): Promise<DiskFile> => {
    if (isFull.is && name.endsWith('.log')) throw new DiskError('full', 'no space for a file')
    return await disk.open(name, options)
  }
  const full = new Proxy(disk, {
    get: (_, key) => (key === 'open' ? open : memberOf(disk, key)),
  })
  const { log, directory, events } = await logOf([time], full)
  isFull.is = true
  log.config = { ...log.config, retentionMs: 1000 }
  await assert.rejects(log.applyRetention(time + 5000), DiskFullError)
  assert.deepEqual([log.startOffset, log.endOffset], [0, 10])
  await log.checkpoint()
  // A start looks for the segment that its checkpoint names.
  const copy = await openDirectory(await copyOf(disk))
  const found = await copy.directory.openPartition('t-0', noRetention)
  assert.deepEqual([found.offline, found.endOffset], [undefined, 10])
  isFull.is = false
  assert.equal((await log.applyRetention(time + 1000)).deleted, 0)
  await append(log, time + 1)
  await directory.close()
  assert.deepEqual(
    events.filter(({ kind }) => kind === 'offline'),
    [],
  )
  const again = await openDirectory(disk)
  const reopened = await again.directory.openPartition('t-0', noRetention)
  assert.deepEqual([reopened.offline, reopened.endOffset], [undefined, 20])
  assert.equal(await reopened.maxTimestamp(), time + 1)
})

/** What a kill now would leave to the next broker. */
async function copyOf(disk: SimulatedDisk): Promise<Disk> {
  const copy = new MemoryDisk()
  const copyAll = async (directory: string): Promise<void> => {
    for (const { name, isDirectory } of await disk.list(directory)) {
      const file = directory === '' ? name : `${directory}/${name}`
      if (isDirectory) {
        await copy.makeDirectory(file)
        await copyAll(file)
      } else {
        const target = await copy.open(file, { create: true })
        await target.write(0, [disk.contentOf(file).slice()])
      }
    }
  }
  await copyAll('')
  return copy
}

for (const mode of ['always', 'os'] as const) {
  test(`whatever step a deletion is stopped at, nothing told as deleted comes back, sync ${mode}`, async () => {
    let deaths = 0
    for (let step = 0; ; step++) {
      for (const isCrash of [false, true]) {
        const disk = new SimulatedDisk(new SeededRandom(step))
        const died = await dieAt(disk, step, mode)
        if (died === undefined) {
          assert.ok(deaths > 20, `${deaths} steps`)
          return
        }
        deaths++
        if (isCrash) disk.crash()
        else disk.kill()
        const { directory, events } = await openDirectory(disk, { syncMode: mode })
        const log = await directory.openPartition('t-0', noRetention)
        const what = `step ${step}, crash ${isCrash}: ${JSON.stringify(events)}`
        assert.equal(log.offline, undefined, what)
        assert.ok(log.startOffset >= died.startOffset, what)
        assert.ok([0, 10, 35, 40].includes(log.startOffset), `${log.startOffset} ${what}`)
        assert.equal(log.endOffset, 40, what)
        assert.equal((await readAll(log)).length, 40 - log.startOffset, what)
        // What was left below the start is gone, and nothing else.
        const [first] = await segmentsOn(disk)
        assert.equal(first, Math.floor(log.startOffset / 10) * 10, what)
        await log.deleteBefore(40)
        await append(log, time)
        assert.equal(log.endOffset, 50)
        await directory.close()
      }
    }
  })
}

/** Deletes, and dies before the nth operation of the disk; undefined: there are fewer. */
async function dieAt(disk: SimulatedDisk, step: number, mode: SyncMode) {
  let left = Number.POSITIVE_INFINITY
  let isOver = false
  let isDead = false
  const process = new MortalDisk(disk, {
    pause: async () => {
      if (left-- > 0) return
      isDead = true
      process.die()
    },
  })
  const { directory } = await openDirectory(process, { syncMode: mode })
  const log = await directory.openPartition('t-0', noRetention)
  for (let index = 0; index < 4; index++) {
    if (index > 0) await log.roll()
    await append(log, time)
  }
  await log.flush()
  left = step
  const deleting = async () => {
    log.config = { ...log.config, retentionBytes: 3000 }
    await log.applyRetention(time)
    await log.deleteBefore(35)
    log.config = { ...log.config, retentionMs: 1000 }
    await log.applyRetention(time + 5000)
    isOver = true
  }
  void deleting()
  while (!isOver && !isDead) await setImmediate()
  return isOver ? undefined : { startOffset: log.startOffset }
}
