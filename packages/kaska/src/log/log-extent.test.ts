/** What is said of a log that is not open is what it says itself, or nothing. */
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { batchOf, openDirectory, testConfig } from '../../test/log-harness.ts'
import type { LogExtent } from './log-extent.ts'
import { MemoryDisk } from './memory-disk.ts'
import type { PartitionLog } from './partition-log.ts'

/** Of a log to which `write` was done, and which was closed, or killed. */
async function extentOf(
  write: (log: PartitionLog) => Promise<void>,
  { isClosed = true } = {},
): Promise<LogExtent | undefined> {
  const disk = new MemoryDisk()
  const { directory } = await openDirectory(disk)
  await write(await directory.openPartition('t-0', testConfig))
  if (isClosed) await directory.close()
  const again = await openDirectory(disk)
  const extent = await again.directory.partitionExtent('t-0')
  const log = await again.directory.openPartition('t-0', testConfig)
  const own = await log.extent()
  assert.deepEqual(log.knownExtent, own)
  if (extent !== undefined) assert.deepEqual(extent, own)
  await again.directory.close()
  return extent
}

async function append(log: PartitionLog, batches: number): Promise<void> {
  for (let index = 0; index < batches; index++) {
    await log.append(batchOf(['a', 'b'])).acknowledged
  }
}

test('a log that was never written holds nothing', async () => {
  assert.deepEqual(await extentOf(async () => {}), { startOffset: 0, endOffset: 0, bytes: 0 })
})

test('a log that was closed is known by its checkpoint and its files', async () => {
  const one = await extentOf((log) => append(log, 3))
  assert.equal(one?.endOffset, 6)
  const several = await extentOf(async (log) => {
    await append(log, 2)
    await log.roll()
    await append(log, 1)
  })
  assert.deepEqual(several, one)
})

test('messages that were deleted do not count', async () => {
  const some = await extentOf(async (log) => {
    await append(log, 3)
    await log.deleteBefore(3)
  })
  assert.deepEqual([some?.startOffset, some?.endOffset], [3, 6])
  const all = await extentOf(async (log) => {
    await append(log, 3)
    await log.deleteBefore(6)
  })
  assert.deepEqual(all, { startOffset: 6, endOffset: 6, bytes: 0 })
})

test('nothing is said of a log that was not closed', async () => {
  assert.equal(await extentOf((log) => append(log, 1), { isClosed: false }), undefined)
  const written = await extentOf(
    async (log) => {
      await append(log, 1)
      await log.checkpoint()
      await append(log, 1)
    },
    { isClosed: false },
  )
  assert.equal(written, undefined)
  const checkpointed = await extentOf(
    async (log) => {
      await append(log, 2)
      await log.checkpoint()
    },
    { isClosed: false },
  )
  assert.equal(checkpointed?.endOffset, 4)
})
