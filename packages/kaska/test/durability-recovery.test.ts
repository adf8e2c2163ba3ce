/**
 * Ways in which a crash once lost something, or showed what was not durable: each was found by the
 * simulation (sim/), and is told here by itself.
 */
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { DiskFullError, PartitionOfflineError, type PollResult, topicNameOf } from '@kaska/protocol'
import { SeededRandom } from '../../../sim/seeded-random.ts'
import { SimulatedDisk } from '../../../sim/simulated-disk.ts'
import { createBroker } from '../src/broker.ts'
import { type Disk, DiskError, type DiskFile } from '../src/log/disk.ts'
import * as batches from './batches.ts'
import { batchOf, MortalDisk, openDirectory, readAll, testConfig } from './log-harness.ts'

const directory = 'topics/t-0'
const segment = `${directory}/00000000000000000000.log`
const seeds = Array.from({ length: 12 }, (_, seed) => seed)

/** What the process before had made when it was killed, and had not synced. */
const leftovers: Record<string, (disk: SimulatedDisk) => Promise<void>> = {
  'a directory': (disk) => disk.makeDirectory(directory),
  'a directory and an empty segment': async (disk) => {
    await disk.makeDirectory(directory)
    await disk.open(segment, { create: true })
  },
  'a directory and a written segment': async (disk) => {
    const process = new MortalDisk(disk)
    const { directory: opened } = await openDirectory(process, { syncMode: 'os' })
    const log = await opened.openPartition('t-0', testConfig)
    await log.append(batchOf(['before'])).acknowledged
    process.die()
    disk.kill()
  },
}

for (const [what, leave] of Object.entries(leftovers)) {
  test(`${what} left by a killed process: what is acknowledged after it survives the power`, async () => {
    for (const seed of seeds) {
      const disk = new SimulatedDisk(new SeededRandom(seed))
      const first = await openDirectory(disk)
      await first.directory.close()
      await leave(disk)
      const process = new MortalDisk(disk)
      const second = await openDirectory(process)
      const log = await second.directory.openPartition('t-0', testConfig)
      await log.append(batchOf(['acknowledged'])).acknowledged
      const expected = await readAll(log)
      process.die()
      disk.crash()
      const third = await openDirectory(disk)
      assert.deepEqual(
        await readAll(await third.directory.openPartition('t-0', testConfig)),
        expected,
      )
      await third.directory.close()
    }
  })
}

test('a torn tail on a full disk: retriable, and no reader hears that its log is gone', async () => {
  const disk = new SimulatedDisk(new SeededRandom(1))
  const process = new MortalDisk(disk)
  const opened = await openDirectory(process)
  const log = await opened.directory.openPartition('t-0', testConfig)
  await log.append(batchOf(['kept'])).acknowledged
  process.die()
  disk.kill()
  disk.damage(segment, (bytes) => Uint8Array.from([...bytes, ...new Uint8Array(100).fill(7)]))
  const again = await openDirectory(disk)
  disk.bytesMax = disk.bytes + 50
  const aside = () => disk.paths().filter((path) => path.includes('.cut-'))
  for (let tries = 0; tries < 3; tries++) {
    await assert.rejects(again.directory.openPartition('t-0', testConfig), DiskFullError)
    assert.deepEqual(aside(), [], 'no part of a copy')
  }
  disk.bytesMax = Number.POSITIVE_INFINITY
  const recovered = await again.directory.openPartition('t-0', testConfig)
  assert.deepEqual(await readAll(recovered), [[0, 'kept']])
  assert.equal(aside().length, 1)
  await again.directory.close()
})

/** A disk on which the syncs of some files fail. */
function withFailingSyncs(disk: Disk, fails: (path: string) => boolean): Disk {
  const open = async (path: string, options?: { create?: boolean }): Promise<DiskFile> => {
    const file = await disk.open(path, options)
    const sync = async (): Promise<void> => {
      if (fails(path)) throw new DiskError('failed', `cannot sync ${path}`)
      await file.sync()
    }
    return new Proxy(file, {
      get: (target, name) => {
        if (name === 'sync') return sync
        const member: unknown = Reflect.get(target, name, target)
        return typeof member === 'function' ? member.bind(target) : member
      },
    })
  }
  return new Proxy(disk, {
    get: (target, name) => {
      if (name === 'open') return open
      const member: unknown = Reflect.get(target, name, target)
      return typeof member === 'function' ? member.bind(target) : member
    },
  })
}

const context = batches.context

test('a tail that cannot be made durable is not served, and its readers wait for it', async () => {
  const disk = new SimulatedDisk(new SeededRandom(1))
  const process = new MortalDisk(disk)
  const broker = await createBroker({ disk: process, sync: 'os' })
  const request = { name: topicNameOf('orders'), partitions: 1, config: new Map() }
  const { id } = await broker.engine.createTopic(request, context)
  for (const value of ['0', '1', '2']) {
    const part = { topic: id, partition: 0, baseSequence: -1, batch: batches.batchOf([value]) }
    await broker.engine.send({ producer: undefined, parts: [part] }, context)
  }
  process.die()
  disk.kill()

  let isFailing = true
  const failing = withFailingSyncs(disk, (path) => isFailing && path.startsWith('topics/'))
  const again = await createBroker({ disk: failing, sync: 'always' })
  const poll = (from: typeof again): Promise<PollResult> => {
    const parts = [{ topic: id, partition: 0, offset: 3, lastEpoch: 0 }]
    return from.engine.poll({ parts, waitMs: 0, bytesMax: 1000 }, context)
  }
  const refused = await poll(again)
  assert.equal(refused.batches.length, 0)
  // Not that the log was cut back, nor that 3 is out of range.
  assert.ok(refused.failures[0]?.error instanceof PartitionOfflineError)
  await assert.rejects(again.engine.offsets(id, 0, context), PartitionOfflineError)
  isFailing = false
  disk.kill()

  await using sound = await createBroker({ disk, sync: 'always' })
  assert.deepEqual((await poll(sound)).failures, [])
  assert.deepEqual(await sound.engine.offsets(id, 0, context), { startOffset: 0, endOffset: 3 })
})

test('a wall clock that jumps makes no partition forget its producers', async () => {
  const disk = new SimulatedDisk(new SeededRandom(1))
  let process = new MortalDisk(disk)
  const opened = await openDirectory(process)
  let wallTime = 1_700_000_000_000
  opened.clock.now = () => wallTime
  const log = await opened.directory.openPartition('t-0', testConfig)
  const batch = () => batchOf(['once'], { producer: [5, 0, 0] })
  await log.append(batch()).acknowledged
  wallTime += 48 * 3600 * 1000
  await log.checkpoint()
  assert.equal(log.append(batch()).duplicate, true)

  // And over a start of which nobody knows how long after the stop it is.
  process.die()
  disk.kill()
  process = new MortalDisk(disk)
  const again = await openDirectory(process)
  wallTime += 48 * 3600 * 1000
  again.clock.now = () => wallTime
  const recovered = await again.directory.openPartition('t-0', testConfig)
  await recovered.checkpoint()
  assert.equal(recovered.append(batch()).duplicate, true)
  await again.directory.close()
})

test('whether a topic exists is not known while the log of topics is offline', async () => {
  const disk = new SimulatedDisk(new SeededRandom(1))
  let isFailing = false
  const failing = withFailingSyncs(disk, (path) => isFailing && path.startsWith('state/topics/'))
  const broker = await createBroker({ disk: failing })
  isFailing = true
  const name = topicNameOf('orders')
  const request = { name, partitions: 1, config: new Map() }
  await assert.rejects(broker.engine.createTopic(request, context), PartitionOfflineError)
  // Not UnknownTopicError: the next start finds the creation in the log.
  await assert.rejects(broker.engine.deleteTopic(name, context), PartitionOfflineError)
  isFailing = false
  disk.kill()
  await using again = await createBroker({ disk })
  assert.equal(await again.engine.topicCount(context), 1)
})
