/**
 * A reader at the end of what is durable goes on where it stopped, also when more is written behind it,
 * and a new segment begun, before it comes again: it once skipped what had been written but not synced.
 */
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { SeededRandom } from '../../../sim/seeded-random.ts'
import { SimulatedDisk } from '../../../sim/simulated-disk.ts'
import type { Disk } from '../src/log/disk.ts'
import { MemoryBudget } from '../src/log/memory-budget.ts'
import { batchOf, openDirectory, readAll, testConfig } from './log-harness.ts'

/** A disk whose syncs of files wait for what `gate` gives. */
function gated(disk: Disk, gate: () => Promise<void>): Disk {
  return new Proxy(disk, {
    get: (target, name) => {
      const member: unknown = Reflect.get(target, name, target)
      if (typeof member !== 'function') return member
      if (name !== 'open') return member.bind(target)
      return async (...argv: Parameters<Disk['open']>) => {
        const file = await target.open(...argv)
        const sync = file.sync.bind(file)
        file.sync = () => gate().then(sync)
        return file
      }
    },
  })
}

test('a read goes on at the first batch that was not durable yet', async () => {
  let gate = Promise.resolve()
  const disk = gated(new SimulatedDisk(new SeededRandom(1)), () => gate)
  const budget = new MemoryBudget(16 * 1024 * 1024, { tailBytesMax: 0 })
  const { directory } = await openDirectory(disk, { budget })
  const batch = (number: number) => batchOf([`${number} ${'x'.repeat(100)}`])
  const batchBytes = 61 + batch(0).recordsLength
  const log = await directory.openPartition('t-0', { ...testConfig, segmentBytes: 2 * batchBytes })
  await log.append(batch(0)).acknowledged

  const { promise, resolve } = Promise.withResolvers<void>()
  gate = promise
  const second = log.append(batch(1))
  // Written, since the disk writes at once, and not synced.
  await new Promise((later) => setImmediate(later))
  assert.equal(log.endOffset, 1)
  assert.equal((await readAll(log)).length, 1)
  resolve()
  await second.acknowledged
  await log.append(batch(2)).acknowledged
  assert.equal(log.endOffset, 3)
  const stored = await log.read(1, 1)
  assert.equal(stored.batches[0]?.header.baseOffset, 1)
  stored.release()
  await directory.close()
})
