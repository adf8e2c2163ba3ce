/** A log that is not open is looked at neither too late nor in vain. */
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { batchOf, openDirectory, testConfig } from '../../test/log-harness.ts'
import type { LogConfig } from './log-config.ts'
import { MemoryDisk } from './memory-disk.ts'

const never = Number.POSITIVE_INFINITY
const day = { ...testConfig, retentionMs: 1000 }
const both = { ...day, retentionBytes: 100 }
const nothing = { ...testConfig, retentionBytes: 0 }

/** When a log is due that has a segment for each of these timestamps; it was closed, or killed. */
async function dueOf(
  timestamps: readonly number[],
  config: LogConfig,
  { isClosed = true, deletesAll = false } = {},
): Promise<number> {
  const disk = new MemoryDisk()
  const { directory } = await openDirectory(disk)
  const log = await directory.openPartition('t-0', testConfig)
  for (const [index, timestamp] of timestamps.entries()) {
    if (index > 0) await log.roll()
    await log.append(batchOf(['x'], { timestamp })).acknowledged
  }
  if (deletesAll) await log.deleteBefore(log.endOffset)
  if (isClosed) await directory.close()
  const again = await openDirectory(disk)
  const due = await again.directory.retentionDue('t-0', config)
  // What the log itself says when it is opened is no earlier.
  const opened = await again.directory.openPartition('t-0', config)
  const { due: own } = await opened.applyRetention(due === never ? 1e12 : due - 1)
  assert.ok(own >= due, `${own} is before ${due}`)
  await again.directory.close()
  return due
}

test('by the checkpoint of a log of one segment', async () => {
  assert.equal(await dueOf([], day), never)
  assert.equal(await dueOf([5000], testConfig), never)
  assert.equal(await dueOf([5000], day), 6001)
  assert.equal(await dueOf([5000], both), 6001)
  assert.equal(await dueOf([5000], day, { deletesAll: true }), never)
})

test('by the first time index of a log of several', async () => {
  assert.equal(await dueOf([5000, 2000], day), 6001)
  assert.equal(await dueOf([5000, 9000, 1000], day), 6001)
})

test('where only opening it can tell, it is due', async () => {
  assert.equal(await dueOf([5000], day, { isClosed: false }), 0, 'there is no checkpoint')
  assert.equal(await dueOf([-1], day), 0)
  assert.equal(await dueOf([-1, 5000], day), 0)
  assert.equal(await dueOf([5000, 5000], both), 0, 'how large is it?')
  assert.equal(await dueOf([5000], nothing), 0)
})
