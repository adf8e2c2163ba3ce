/** A request for many partitions reads them from the disk beside each other, within its bytes and the budget. */
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { type Clock, topicNameOf } from '@kaska/protocol'
import { nodeClock } from '../src/host/node-clock.ts'
import type { DiskFile } from '../src/log/disk.ts'
import { MemoryDisk } from '../src/log/memory-disk.ts'
import { context as asking, batchOf } from './batches.ts'
import { startNativeBroker } from './native-broker.ts'

const messageBytes = 10_000
const partitions = 6

/** Counts the reads of logs that are under way at the same time; each takes some turns of the event loop. */
class SlowDisk extends MemoryDisk {
  underWay = 0
  most = 0

  override async open(path: string, options?: { create?: boolean }): Promise<DiskFile> {
    const file = await super.open(path, options)
    if (!path.endsWith('.log')) return file
    const read = file.read.bind(file)
    file.read = async (position, into) => {
      this.underWay++
      this.most = Math.max(this.most, this.underWay)
      for (let turn = 0; turn < 20; turn++) await new Promise((resolve) => setImmediate(resolve))
      this.underWay--
      return await read(position, into)
    }
    return file
  }
}

/** On a busy machine the disk may take longer than a read has patience: here nobody gives up. */
const patientClock: Clock = { ...nodeClock, after: () => ({ cancel() {} }) }

/** A topic whose messages are on the disk alone: the broker was closed and opened again. */
async function startWithMessages(memoryBytesMax?: number) {
  const disk = new SlowDisk()
  {
    await using before = await startNativeBroker({ disk })
    const { engine } = before
    await engine.createTopic({ name: topicNameOf('a'), partitions, config: new Map() }, asking)
    const topic = engine.topicNamed('a')?.id ?? ''
    for (let partition = 0; partition < partitions; partition++) {
      for (const text of ['x', 'y']) {
        const batch = batchOf([`${partition}${text}`.padEnd(messageBytes, '.')])
        const parts = [{ topic, partition, baseSequence: -1, batch }]
        const [result] = await engine.send({ producer: undefined, parts }, asking)
        assert.equal(result?.error, undefined)
      }
    }
  }
  const broker = await startNativeBroker({
    disk,
    clock: patientClock,
    ...(memoryBytesMax === undefined ? {} : { memoryBytesMax }),
  })
  const topic = broker.engine.topicNamed('a')?.id ?? ''
  const read = async (bytesMax: number, partBytesMax = 1_000_000) => {
    disk.most = 0
    const parts = Array.from({ length: partitions }, (_, partition) => {
      return { topic, partition, offset: 0, bytesMax: partBytesMax }
    })
    return await broker.engine.readStored({ parts, waitMs: 0, bytesMin: 1, bytesMax }, asking)
  }
  return { disk, broker, read, [Symbol.asyncDispose]: () => broker.close() }
}

type Read = Awaited<ReturnType<Awaited<ReturnType<typeof startWithMessages>>['read']>>

/** How many batches there are of each part; those of a part are its own, in order. */
function countsOf({ parts }: Read): number[] {
  return parts.map(({ batches, error }, partition) => {
    assert.equal(error, undefined)
    for (const [index, { header, records }] of batches.entries()) {
      assert.equal(header.baseOffset, index)
      const text = Buffer.concat(records).toString()
      assert(text.includes(`${partition}${index === 0 ? 'x' : 'y'}...`), `part ${partition}`)
    }
    return batches.length
  })
}

test('the parts behind the first are read at the same time, each for itself', async () => {
  await using started = await startWithMessages()
  const { disk, broker, read } = started
  const before = broker.budget.used
  const stored = await read(10_000_000)
  assert.deepEqual(countsOf(stored), [2, 2, 2, 2, 2, 2])
  assert.equal(disk.most, partitions - 1)
  stored.release()
  assert.equal(broker.budget.used, before)
})

test('together they bring no more than was asked for', async () => {
  await using started = await startWithMessages()
  const { read } = started
  const stored = await read(3 * messageBytes + 2000)
  assert.deepEqual(countsOf(stored), [2, 1, 0, 0, 0, 0])
  stored.release()
  // What one part does not need is there for those behind it.
  const each = await read(9 * messageBytes, messageBytes + 1000)
  assert.deepEqual(countsOf(each), [1, 1, 1, 1, 1, 1])
  each.release()
})

test('where memory is short the first parts are read, and nothing is kept of the others', async () => {
  await using started = await startWithMessages(1_300_000)
  const { broker, read } = started
  const before = broker.budget.used
  const stored = await read(10_000_000)
  const counts = countsOf(stored)
  assert.equal(counts[0], 2)
  assert.equal(counts.at(-1), 0)
  stored.release()
  assert.equal(broker.budget.used, before)
})
