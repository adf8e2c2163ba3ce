/** Which batches that come from the disk have their CRC looked at, at each read and once a process. */
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { batchHeaderBytes, PartitionOfflineError } from '@kaska/protocol'
import { batchOf, openDirectory, testConfig, testCrc, valuesOf } from '../../test/log-harness.ts'
import type { CrcChecks } from './log-batches.ts'
import { MemoryBudget } from './memory-budget.ts'
import { MemoryDisk } from './memory-disk.ts'
import type { PartitionLog } from './partition-log.ts'
import { Segment } from './segment.ts'

/** A log that keeps nothing in memory, and a count of the CRCs that were computed. */
async function openLog(disk: MemoryDisk) {
  const counted = { crcs: 0 }
  const { directory } = await openDirectory(disk, {
    budget: new MemoryBudget(16 << 20, { tailBytesMax: 0 }),
    crc32c: (bytes, previous) => {
      if (bytes.length > batchHeaderBytes) counted.crcs++
      return testCrc(bytes, previous)
    },
  })
  return { log: await directory.openPartition('t-0', testConfig), directory, counted }
}

async function read(log: PartitionLog, offset: number, crcs: CrcChecks): Promise<string[]> {
  const stored = await log.read(offset, 1, undefined, crcs)
  stored.release()
  return stored.batches.flatMap(valuesOf)
}

const long = (letter: string): string => letter.repeat(100)

test('what a process has written or read is not checked again for who gets the CRC too', async () => {
  const disk = new MemoryDisk()
  {
    const { log, directory, counted } = await openLog(disk)
    for (const letter of ['a', 'b', 'c']) await log.append(batchOf([long(letter)])).acknowledged
    counted.crcs = 0
    assert.deepEqual(await read(log, 1, 'once'), [long('b')])
    assert.equal(counted.crcs, 0, 'it was computed at the append')
    assert.deepEqual(await read(log, 1, 'each'), [long('b')])
    assert.equal(counted.crcs, 1)
    await directory.close()
  }
  const { log, counted } = await openLog(disk)
  counted.crcs = 0
  for (const offset of [0, 1, 0, 1]) await read(log, offset, 'once')
  assert.equal(counted.crcs, 2, 'another process looks at each once')
  await log.append(batchOf([long('d')])).acknowledged
  counted.crcs = 0
  assert.deepEqual(await read(log, 3, 'once'), [long('d')])
  assert.equal(counted.crcs, 0)
})

test('damage from before the start is found by either reader', async () => {
  for (const crcs of ['each', 'once'] as const) {
    const disk = new MemoryDisk()
    const { log, directory } = await openLog(disk)
    await log.append(batchOf([long('a')])).acknowledged
    await directory.close()
    const { log: again } = await openLog(disk)
    const [entry] = (await disk.list('topics/t-0')).filter(({ name }) => name.endsWith('.log'))
    const file = await disk.open(`topics/t-0/${entry?.name}`)
    await file.write(100, [Uint8Array.of(0)])
    await assert.rejects(read(again, 0, crcs), PartitionOfflineError)
  }
})

test('a segment knows one stretch of sound batches', () => {
  const shared = {} as ConstructorParameters<typeof Segment>[2]
  const segment = new Segment('t', 0, shared)
  assert.ok(!segment.isSound(0, 10))
  segment.checked(20, 30)
  segment.checked(30, 40)
  segment.checked(10, 20)
  segment.checked(60, 70)
  assert.ok(segment.isSound(10, 40) && !segment.isSound(5, 15) && !segment.isSound(60, 70))
  // What is written elsewhere takes its place: it is what readers want next.
  segment.wrote(100, 110)
  segment.wrote(110, 120)
  assert.ok(segment.isSound(100, 120) && !segment.isSound(10, 40))
  // A place that was taken back is written anew.
  segment.wrote(110, 115)
  assert.ok(segment.isSound(100, 115) && !segment.isSound(100, 120))
})
