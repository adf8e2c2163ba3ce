/** A log on a disk that fails at the first operation, at the second, ..., or is full. */
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { DiskFullError, KaskaError, PartitionOfflineError } from '@kaska/protocol'
import { SeededRandom } from '../../../../sim/seeded-random.ts'
import { SimulatedDisk } from '../../../../sim/simulated-disk.ts'
import { batchOf, MortalDisk, openDirectory, readAll, testConfig } from '../../test/log-harness.ts'
import type { SyncMode } from './log-config.ts'
import type { PartitionLog } from './partition-log.ts'

/** What a run of a broker was told about its messages. */
interface Told {
  readonly acknowledged: string[]
  readonly refused: string[]
}

async function tryAppend(log: PartitionLog, value: string, told: Told): Promise<void> {
  try {
    await log.append(batchOf([value])).acknowledged
    told.acknowledged.push(value)
  } catch (error) {
    assert.ok(error instanceof KaskaError, String(error))
    told.refused.push(value)
  }
}

/** The life of a broker: appends, a roll, a checkpoint, a deletion, a restart. */
async function live(disk: SimulatedDisk, mode: SyncMode): Promise<Told> {
  const told: Told = { acknowledged: [], refused: [] }
  for (let life = 0; life < 2; life++) {
    const process = new MortalDisk(disk)
    try {
      const { directory } = await openDirectory(process, { syncMode: mode })
      const log = await directory.openPartition('t-0', testConfig)
      for (let index = 0; index < 3; index++) await tryAppend(log, `${life}.a${index}`, told)
      await log.roll().catch(expectKaskaError)
      for (let index = 0; index < 3; index++) await tryAppend(log, `${life}.b${index}`, told)
      await log.checkpoint()
      await tryAppend(log, `${life}.c`, told)
      const all = await readAll(log).catch(expectKaskaError)
      for (const value of told.acknowledged) {
        if (all === undefined || log.offline !== undefined) break
        assert.ok(
          all.some(([, found]) => found === value),
          value,
        )
      }
      await directory.close()
    } catch (error) {
      expectKaskaError(error)
      // A broker that cannot start, or stop, is killed.
    }
    process.die()
    disk.kill()
  }
  return told
}

function expectKaskaError(error: unknown): undefined {
  const isExpected = error instanceof KaskaError || (error as Error).name === 'DiskError'
  assert.ok(isExpected, (error as Error).stack)
  return undefined
}

for (const mode of ['always', 'os'] as const) {
  test(`the nth operation of the disk fails, sync ${mode}`, async () => {
    let failures = 0
    for (let n = 1; ; n++) {
      const disk = new SimulatedDisk(new SeededRandom(n))
      disk.fails = (operation) => operation === n
      const told = await live(disk, mode)
      if (disk.operations < n) break
      failures++
      disk.fails = () => false
      const { directory, events } = await openDirectory(disk, { syncMode: mode })
      const log = await directory.openPartition('t-0', testConfig)
      assert.equal(log.offline, undefined, `operation ${n}: ${JSON.stringify(events)}`)
      const values = (await readAll(log)).map(([, value]) => value)
      for (const value of told.acknowledged) {
        assert.ok(values.includes(value), `operation ${n}: ${value} is lost, of ${values}`)
      }
      const known = [...told.acknowledged, ...told.refused]
      for (const value of values) assert.ok(known.includes(value), `operation ${n}: ${value}`)
      await directory.close()
    }
    assert.ok(failures > 50, `${failures} operations`)
  })

  test(`every operation from the nth on fails, sync ${mode}`, async () => {
    for (let n = 1; ; n++) {
      const disk = new SimulatedDisk(new SeededRandom(n))
      disk.fails = (operation) => operation >= n
      const told = await live(disk, mode)
      if (disk.operations < n) break
      disk.fails = () => false
      if (mode === 'always') disk.crash()
      const { directory } = await openDirectory(disk, { syncMode: mode })
      const log = await directory.openPartition('t-0', testConfig)
      assert.equal(log.offline, undefined, `operation ${n}`)
      const values = (await readAll(log)).map(([, value]) => value)
      for (const value of told.acknowledged) {
        assert.ok(values.includes(value), `operation ${n}: ${value} is lost`)
      }
      await directory.close()
    }
  })
}

test('a failed sync takes the partition offline; its durable part stays readable', async () => {
  const disk = new SimulatedDisk(new SeededRandom(1))
  const { directory, events } = await openDirectory(disk)
  const log = await directory.openPartition('t-0', testConfig)
  const other = await directory.openPartition('t-1', testConfig)
  await log.append(batchOf(['one'])).acknowledged
  let wakes = 0
  log.onAdvance(() => wakes++)
  const { acknowledged } = log.append(batchOf(['two']))
  // The write is at once; the next operation is its sync.
  const next = disk.operations + 2
  disk.fails = (operation) => operation === next
  await assert.rejects(acknowledged, PartitionOfflineError)
  assert.match(log.offline ?? '', /a sync failed/)
  assert.equal(wakes, 1)
  assert.deepEqual(
    events.map(({ kind }) => kind),
    ['offline'],
  )
  assert.equal(log.endOffset, 1)
  assert.deepEqual(await readAll(log), [[0, 'one']])
  assert.throws(() => log.append(batchOf(['three'])), PartitionOfflineError)
  assert.throws(() => log.read(1, 100), PartitionOfflineError)
  await other.append(batchOf(['sound'])).acknowledged
  await directory.close()

  // What was written and never synced may or may not be there; nothing is pretended meanwhile.
  const again = await openDirectory(disk)
  const reopened = await again.directory.openPartition('t-0', testConfig)
  assert.equal(reopened.offline, undefined)
  assert.deepEqual((await readAll(reopened))[0], [0, 'one'])
  await again.directory.close()
})

for (const mode of ['always', 'os'] as const) {
  test(`a full disk refuses, keeps no part, and goes on when there is space, sync ${mode}`, async () => {
    const disk = new SimulatedDisk(new SeededRandom(1))
    const { directory, events } = await openDirectory(disk, { syncMode: mode })
    const log = await directory.openPartition('t-0', testConfig)
    const producer = (sequence: number) => ({ producer: [7, 0, sequence] as const })
    await log.append(batchOf(['a'], producer(0))).acknowledged
    disk.bytesMax = disk.bytes + 400
    const large = 'x'.repeat(300)
    const refused = [
      log.append(batchOf([large], producer(1))),
      log.append(batchOf([large], producer(2))),
      log.append(batchOf(['b'], producer(3))),
    ]
    const results = await Promise.allSettled(refused.map(({ acknowledged }) => acknowledged))
    for (const result of results) {
      assert.ok(result.status === 'rejected' && result.reason instanceof DiskFullError)
      assert.ok(result.reason.retriable)
    }
    assert.deepEqual(
      events.map(({ kind }) => kind),
      ['disk-full'],
    )
    // Reads go on; nothing was left behind, in the file or in the offsets.
    assert.deepEqual(await readAll(log), [[0, 'a']])
    const path = 'topics/t-0/00000000000000000000.log'
    await log.flush()
    await new Promise(setImmediate)
    assert.equal(disk.contentOf(path).length, 61 + batchOf(['a']).recordsLength)
    disk.bytesMax = Number.POSITIVE_INFINITY
    for (const [index, value] of [large, large, 'b'].entries()) {
      const again = log.append(batchOf([value], producer(1 + index)))
      assert.deepEqual([again.baseOffset, again.duplicate], [1 + index, false])
      await again.acknowledged
    }
    assert.equal(log.append(batchOf(['b'], producer(3))).duplicate, true)
    await directory.close()
    const reopened = await (await openDirectory(disk)).directory.openPartition('t-0', testConfig)
    assert.deepEqual(
      (await readAll(reopened)).map(([, value]) => value),
      ['a', large, large, 'b'],
    )
  })
}

test('a full disk at the first append of a partition, and at a roll', async () => {
  const disk = new SimulatedDisk(new SeededRandom(1))
  const { directory } = await openDirectory(disk)
  const log = await directory.openPartition('t-0', { ...testConfig, segmentBytes: 200 })
  disk.bytesMax = disk.bytes + 10
  await assert.rejects(log.append(batchOf(['first'])).acknowledged, DiskFullError)
  assert.throws(() => log.append(batchOf(['at once'])), DiskFullError)
  disk.bytesMax = disk.bytes + 220
  for (;;) {
    try {
      await log.append(batchOf(['y'.repeat(60)])).acknowledged
      break
    } catch (error) {
      assert.ok(error instanceof DiskFullError)
      await new Promise(setImmediate)
    }
  }
  // This one begins a segment, for which there is no space.
  const { baseOffset, acknowledged } = log.append(batchOf(['z'.repeat(100)]))
  assert.equal(baseOffset, 1)
  await assert.rejects(acknowledged, DiskFullError)
  disk.bytesMax = Number.POSITIVE_INFINITY
  for (;;) {
    try {
      await log.append(batchOf(['z'])).acknowledged
      break
    } catch (error) {
      assert.ok(error instanceof DiskFullError)
      await new Promise(setImmediate)
    }
  }
  await directory.close()
  const again = await openDirectory(disk)
  const reopened = await again.directory.openPartition('t-0', testConfig)
  assert.equal(reopened.offline, undefined)
  assert.deepEqual(await readAll(reopened), [
    [0, 'y'.repeat(60)],
    [1, 'z'],
  ])
})
