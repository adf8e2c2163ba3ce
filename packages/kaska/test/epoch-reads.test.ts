/**
 * A reader of messages that were written before the last start says with every poll which leader epoch
 * it saw last. Where that epoch ended is looked up once: it used to be a search on the disk each time.
 */
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { SeededRandom } from '../../../sim/seeded-random.ts'
import { SimulatedDisk } from '../../../sim/simulated-disk.ts'
import { batchOf, MortalDisk, openDirectory, testConfig } from './log-harness.ts'

test('where an epoch ended is looked up once', async () => {
  const disk = new SimulatedDisk(new SeededRandom(1))
  const write = async (count: number) => {
    const process = new MortalDisk(disk)
    const { directory } = await openDirectory(process)
    const log = await directory.openPartition('t-0', { ...testConfig, indexIntervalBytes: 0 })
    for (let number = 0; number < count; number++) {
      await log.append(batchOf([`${number}`])).acknowledged
    }
    return { log, die: () => process.die() }
  }
  const first = await write(100)
  first.die()
  disk.kill()
  const { log } = await write(50)
  assert.equal(log.lastEpoch, 1)
  assert.deepEqual(await log.endOffsetForEpoch(0), { epoch: 0, endOffset: 100 })
  const { operations } = disk
  for (let count = 0; count < 10; count++) {
    assert.deepEqual(await log.endOffsetForEpoch(0), { epoch: 0, endOffset: 100 })
    assert.deepEqual(await log.endOffsetForEpoch(1), { epoch: 1, endOffset: 150 })
  }
  assert.equal(disk.operations, operations)
  await log.append(batchOf(['later'])).acknowledged
  assert.deepEqual(await log.endOffsetForEpoch(1), { epoch: 1, endOffset: 151 })
})
