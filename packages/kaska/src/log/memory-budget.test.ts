/** The byte budget, and the tails that fill it. */
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { setImmediate } from 'node:timers/promises'
import { SeededRandom } from '../../../../sim/seeded-random.ts'
import { SimulatedDisk } from '../../../../sim/simulated-disk.ts'
import { batchOf, openDirectory, readAll, testConfig } from '../../test/log-harness.ts'
import { MemoryBudget } from './memory-budget.ts'

const total = 16 * 1024 * 1024
/** What large requests can have. */
const largeTotal = (total / 16) * 15

test('large requests wait in order; small ones have a reserve', async () => {
  const budget = new MemoryBudget(total)
  assert.ok(budget.tryReserve(largeTotal))
  assert.equal(budget.tryReserve(100_000), false)
  const order: string[] = []
  const first = budget.reserve(3_000_000).then(() => order.push('first'))
  const second = budget.reserve(1_000_000).then(() => order.push('second'))
  await budget.reserve(16_000).then(() => order.push('small'))
  assert.equal(budget.tryReserve(20_000), false, 'nobody overtakes')
  budget.release(1_500_000)
  await setImmediate()
  assert.deepEqual(order, ['small'])
  budget.release(2_600_000)
  await Promise.all([first, second])
  assert.deepEqual(order, ['small', 'first', 'second'])
  assert.ok(budget.used <= total)
})

test('who gives up is not waited for, and a request for everything gets it alone', async () => {
  const budget = new MemoryBudget(total)
  const controller = new AbortController()
  assert.ok(budget.tryReserve(1_000_000))
  const all = budget.reserve(2 * total, controller.signal)
  const next = budget.reserve(500_000)
  controller.abort(new Error('given up'))
  await assert.rejects(all, /given up/)
  await next
  budget.release(1_500_000)
  await budget.reserve(2 * total)
  assert.equal(budget.tryReserve(1), false)
  budget.release(2 * total)
  assert.equal(budget.used, 0)
  await assert.rejects(budget.reserve(1, controller.signal), /given up/)
})

test('a buffer counts once, and as a whole, however many views of it are kept', () => {
  const budget = new MemoryBudget(total)
  const { buffer } = new Uint8Array(65_536)
  budget.retain(buffer)
  budget.retain(buffer)
  assert.equal(budget.used, 65_536)
  budget.releaseBuffer(buffer)
  assert.equal(budget.used, 65_536)
  budget.releaseBuffer(buffer)
  assert.equal(budget.used, 0)
})

test('the tails fill what is free, and give it back, the oldest batch first', async () => {
  const budget = new MemoryBudget(total, { tailBytesMax: 400_000 })
  const disk = new SimulatedDisk(new SeededRandom(1))
  const { directory } = await openDirectory(disk, { budget, syncMode: 'os' })
  const logs = [
    await directory.openPartition('a-0', testConfig),
    await directory.openPartition('b-0', testConfig),
  ] as const
  for (let index = 0; index < 10; index++) {
    for (const log of logs) await log.append(batchOf(['x'.repeat(50_000)])).acknowledged
  }
  assert.ok(budget.used <= 400_000 && budget.used > 300_000, `${budget.used}`)
  // The newest of both are in memory, the oldest are not.
  for (const log of logs) {
    assert.ok(log.read(0, 1) instanceof Promise)
    const tail = log.read(9, 1)
    assert.ok(!(tail instanceof Promise))
    tail.release()
  }
  const held = logs[0].read(9, 1_000_000)
  assert.ok(!(held instanceof Promise))
  assert.ok(budget.tryReserve(largeTotal - 60_000))
  // Everything was evicted but what a reader holds.
  assert.ok(logs[1].read(9, 1) instanceof Promise)
  assert.ok(held.batches[0]?.records[0]?.length)
  const used = budget.used
  held.release()
  assert.ok(used - budget.used > 50_000)
})

test('what is on its way takes nothing from the tails, until it is half of all', async () => {
  const budget = new MemoryBudget(total, { tailBytesMax: 400_000 })
  const disk = new SimulatedDisk(new SeededRandom(1))
  const { directory } = await openDirectory(disk, { budget, syncMode: 'os' })
  const log = await directory.openPartition('a-0', testConfig)
  const isInMemory = (offset: number) => {
    const read = log.read(offset, 1)
    const found = !(read instanceof Promise)
    void Promise.resolve(read).then(({ release }) => release())
    return found
  }
  const { buffer } = new Uint8Array(total / 4)
  budget.retain(buffer)
  for (let index = 0; index < 10; index++) {
    await log.append(batchOf(['x'.repeat(50_000)])).acknowledged
  }
  assert.deepEqual([2, 3, 9].map(isInMemory), [false, true, true])
  const { buffer: more } = new Uint8Array(total / 4)
  budget.retain(more)
  await log.append(batchOf(['x'.repeat(50_000)])).acknowledged
  assert.deepEqual([9, 10].map(isInMemory), [false, false])
})

test('reads of the disk are counted until they are released, and take less when there is little', async () => {
  const budget = new MemoryBudget(total, { tailBytesMax: 0 })
  const disk = new SimulatedDisk(new SeededRandom(1))
  const { directory } = await openDirectory(disk, { budget, syncMode: 'os' })
  const log = await directory.openPartition('a-0', testConfig)
  for (let index = 0; index < 40; index++) {
    await log.append(batchOf(['x'.repeat(50_000)])).acknowledged
  }
  assert.equal(budget.used, 0)
  const stored = await log.read(0, 500_000)
  assert.ok(stored.batches.length >= 9)
  assert.ok(budget.used >= stored.bytes)
  stored.release()
  assert.equal(budget.used, 0)
  assert.ok(budget.tryReserve(largeTotal - 200_000))
  const { used } = budget
  const less = await log.read(0, 1_000_000)
  assert.ok(less.batches.length >= 1 && less.batches.length < 4)
  less.release()
  assert.equal(budget.used, used)
  budget.release(used)
  assert.equal((await readAll(log)).length, 40)
  assert.equal(budget.used, 0)
})

test('closing thousands of logs leaves nothing behind', async () => {
  const budget = new MemoryBudget(total)
  const disk = new SimulatedDisk(new SeededRandom(1))
  const { directory } = await openDirectory(disk, { budget, syncMode: 'os' })
  for (let index = 0; index < 1500; index++) {
    const log = await directory.openPartition(`${index}-0`, testConfig)
    for (let batch = 0; batch < 3; batch++) await log.append(batchOf(['x'])).acknowledged
    await log.close()
  }
  assert.equal(budget.used, 0)
  assert.ok(budget.evictables < 2500, `${budget.evictables}`)
})
