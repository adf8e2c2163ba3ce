/** What a deleted topic leaves on the disk: nothing, or what the next start removes. */
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { type TopicInfo, topicNameOf } from '@kaska/protocol'
import { SeededRandom } from '../../../sim/seeded-random.ts'
import { SimulatedDisk } from '../../../sim/simulated-disk.ts'
import { type Broker, createBroker } from '../src/broker.ts'
import { DiskError } from '../src/log/disk.ts'
import { MemoryDisk } from '../src/log/memory-disk.ts'
import { batchOf, context } from './batches.ts'
import { MortalDisk } from './log-harness.ts'

/** A topic of two partitions with a message in each. */
async function writtenTopic({ engine }: Broker, name: string): Promise<TopicInfo> {
  const request = { name: topicNameOf(name), partitions: 2, config: new Map() }
  const topic = await engine.createTopic(request, context)
  const parts = [0, 1].map((partition) => {
    return { topic: topic.id, partition, baseSequence: -1, batch: batchOf(['x']) }
  })
  for (const { error } of await engine.send({ producer: undefined, parts }, context)) {
    assert.equal(error, undefined)
  }
  return topic
}

/** Keeps the first partition of each topic. */
class StubbornDisk extends MemoryDisk {
  isStubborn = true

  override async remove(path: string): Promise<void> {
    if (this.isStubborn && /^topics\/.*-0$/.test(path)) {
      throw new DiskError('failed', `cannot remove ${path}`)
    }
    await super.remove(path)
  }
}

test('a topic whose files cannot be removed is deleted, and they are removed at the next start', async () => {
  const disk = new StubbornDisk()
  const reports: string[] = []
  const broker = await createBroker({ disk, report: (line) => reports.push(line) })
  const { id } = await writtenTopic(broker, 'orders')
  await broker.engine.deleteTopic(topicNameOf('orders'), context)
  assert.equal(await broker.engine.topicCount(context), 0)
  assert.match(
    reports.join('\n'),
    new RegExp(`^what the deleted topic ${id} left cannot be removed`),
  )
  assert.deepEqual(await disk.list('topics'), [{ name: `${id}-0`, isDirectory: true }])
  await broker.close()

  disk.isStubborn = false
  const again = await createBroker({ disk })
  await again.close()
  assert.deepEqual(await disk.list('topics'), [])
})

test('nothing of a deleted topic comes back after a power failure, and stays', async () => {
  for (let seed = 0; seed < 20; seed++) {
    const disk = new SimulatedDisk(new SeededRandom(seed))
    const process = new MortalDisk(disk)
    const broker = await createBroker({ disk: process })
    await writtenTopic(broker, 'orders')
    await broker.engine.deleteTopic(topicNameOf('orders'), context)
    // Behind it in the log of topics, so that all which was recorded of the deletion is durable.
    const request = { name: topicNameOf('other'), partitions: 1, config: new Map() }
    await broker.engine.createTopic(request, context)
    process.die()
    disk.crash()
    const again = await createBroker({ disk })
    await again.close()
    assert.deepEqual(await disk.list('topics'), [], `seed ${seed}`)
  }
})
