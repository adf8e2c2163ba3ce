/** Old messages are deleted by themselves, and topics that nobody uses cost next to nothing. */
import assert from 'node:assert/strict'
import { test } from 'node:test'
import {
  OffsetOutOfRangeError,
  PartitionOfflineError,
  type TopicInfo,
  topicNameOf,
} from '@kaska/protocol'
import { ManualClock } from '../../../sim/manual-clock.ts'
import { type Broker, type BrokerOptions, createBroker } from '../src/broker.ts'
import { DiskError, type DiskFile } from '../src/log/disk.ts'
import { MemoryDisk } from '../src/log/memory-disk.ts'
import type { LocalEngine } from '../src/topics/local-engine.ts'
import { batchOf, context, messagesOf } from './batches.ts'
import { startNativeBroker } from './native-broker.ts'

const minute = 60_000

/** Counts what it is asked for below `topics/`. */
class CountingDisk extends MemoryDisk {
  asked = 0

  override list(path: string) {
    if (path.startsWith('topics/')) this.asked++
    return super.list(path)
  }

  override open(path: string, options?: { create?: boolean }) {
    if (path.startsWith('topics/')) this.asked++
    return super.open(path, options)
  }
}

class Setup {
  readonly clock = new ManualClock()
  readonly disk = new CountingDisk()
  readonly reports: string[] = []
  broker!: Broker

  async start(options: BrokerOptions = {}): Promise<this> {
    const { clock, disk } = this
    const report = (line: string) => this.reports.push(line)
    this.broker = await this.during(createBroker({ disk, clock, report, ...options }))
    return this
  }

  get engine(): LocalEngine {
    return this.broker.engine as LocalEngine
  }

  /** Lets time pass while it takes. */
  during<T>(promise: Promise<T>): Promise<T> {
    return this.clock.runUntil(promise, 1_000_000)
  }

  create(name: string, config: Record<string, string> = {}, partitions = 1): Promise<TopicInfo> {
    const request = { name: topicNameOf(name), partitions, config: new Map(Object.entries(config)) }
    return this.during(this.engine.createTopic(request, context))
  }

  async send({ id }: TopicInfo, value = 'x', partition = 0): Promise<void> {
    const batch = batchOf([value], { timestamp: this.clock.now() })
    const parts = [{ topic: id, partition, baseSequence: -1, batch }]
    const [result] = await this.during(this.engine.send({ producer: undefined, parts }, context))
    assert.equal(result?.error, undefined)
  }

  async bounds({ id }: TopicInfo, partition = 0): Promise<[number, number]> {
    const { startOffset, endOffset } = await this.during(
      this.engine.offsets(id, partition, context),
    )
    return [startOffset, endOffset]
  }

  async close(): Promise<void> {
    await this.during(this.broker.close())
    assert.deepEqual(this.reports, [])
  }
}

test('what is older than retention.ms is gone at the next check, and readers are told', async () => {
  const setup = await new Setup().start()
  const { clock } = setup
  const topic = await setup.create('t', { 'retention.ms': String(10 * minute), 'segment.ms': '1' })
  for (let index = 0; index < 4; index++) {
    await setup.send(topic)
    await clock.advance(4 * minute)
  }
  // At 0, 4, 8 and 12 minutes; it is checked at 0:30 and then every five minutes.
  assert.deepEqual(await setup.bounds(topic), [2, 4])
  const poll = setup.engine.poll(
    { parts: [{ topic: topic.id, partition: 0, offset: 1 }], waitMs: 0, bytesMax: 1000 },
    context,
  )
  const { failures } = await setup.during(poll)
  const [failure] = failures
  assert.ok(failure?.error instanceof OffsetOutOfRangeError)
  assert.deepEqual([failure.error.startOffset, failure.error.endOffset], [2, 4])
  await clock.advance(60 * minute)
  assert.deepEqual(await setup.bounds(topic), [4, 4])
  await setup.close()
  await setup.start()
  assert.deepEqual(await setup.bounds(topic), [4, 4])
  await setup.send(topic)
  assert.deepEqual(await setup.bounds(topic), [4, 5])
  await setup.close()
})

test('log.retention.check.interval.ms says how often', async () => {
  const config = { 'log.retention.check.interval.ms': '1000' }
  const setup = await new Setup().start({ config })
  const topic = await setup.create('t', { 'retention.ms': '5000' })
  await setup.send(topic)
  await setup.clock.advance(5500)
  assert.deepEqual(await setup.bounds(topic), [0, 1])
  await setup.clock.advance(1000)
  assert.deepEqual(await setup.bounds(topic), [1, 1])
  await setup.close()
})

test('logs that are not open are looked at once, and opened when something is due', async () => {
  const setup = await new Setup().start({ openPartitionsMax: 0 })
  const { clock, disk } = setup
  const count = 200
  const topics: TopicInfo[] = []
  for (let index = 0; index < count; index++) {
    const config: Record<string, string> = { 'retention.ms': String(600 * minute) }
    const topic = await setup.create(`t${index}`, index < count / 2 ? config : {})
    if (index % 2 === 0) await setup.send(topic)
    topics.push(topic)
  }
  await setup.close()

  await setup.start({ openPartitionsMax: 0 })
  disk.asked = 0
  await clock.advance(3 * minute)
  // The names and the checkpoint of those that are limited; nothing of the others.
  const looks = count / 2 + count / 4
  assert.equal(disk.asked, looks)
  await clock.advance(590 * minute)
  assert.equal(disk.asked, looks, 'nothing more, before something is due')
  assert.equal(setup.broker.openPartitions, 0)
  await clock.advance(30 * minute)
  assert.ok(disk.asked > looks)
  assert.equal(setup.broker.openPartitions, 0, 'they were closed again')
  disk.asked = 0
  await clock.advance(6000 * minute)
  assert.equal(disk.asked, 0, 'they are empty')
  for (const [index, topic] of topics.entries()) {
    const end = index % 2 === 0 ? 1 : 0
    assert.deepEqual(await setup.bounds(topic), [index < count / 2 ? end : 0, end])
  }
  await setup.close()
})

test('new settings count for logs that are open, and for those that are not', async () => {
  const setup = await new Setup().start({ openPartitionsMax: 1 })
  const { clock, engine } = setup
  const topic = await setup.create('t', { 'retention.ms': '-1' }, 3)
  for (let partition = 0; partition < 3; partition++) await setup.send(topic, 'x', partition)
  await clock.advance(100 * minute)
  const configure = (config: Record<string, string>) => {
    const settings = new Map(Object.entries(config))
    return setup.during(engine.configureTopic(topicNameOf('t'), settings, context))
  }
  await configure({ 'retention.ms': String(500 * minute) })
  await clock.advance(100 * minute)
  for (let partition = 0; partition < 3; partition++) {
    assert.deepEqual(await setup.bounds(topic, partition), [0, 1])
  }
  await configure({ 'retention.bytes': '0' })
  await clock.advance(6 * minute)
  for (let partition = 0; partition < 3; partition++) {
    assert.deepEqual(await setup.bounds(topic, partition), [1, 1])
  }
  await setup.close()
})

test('a poll that cannot read one partition reads the others, and releases each once', async () => {
  let isBroken = false
  class BrokenDisk extends MemoryDisk {
    override async open(path: string, options?: { create?: boolean }) {
      const file = await super.open(path, options)
      if (!path.endsWith('-0/00000000000000000000.log')) return file
      const read: DiskFile['read'] = async (position, into) => {
        if (isBroken) throw new DiskError('failed', 'simulated')
        return await file.read(position, into)
      }
      return { ...file, read }
    }
  }
  const disk = new BrokenDisk()
  const request = { name: topicNameOf('t'), partitions: 3, config: new Map<string, string>() }
  const first = await startNativeBroker({ disk })
  const { id } = await first.engine.createTopic(request, context)
  const parts = [0, 1, 2].map((partition) => ({
    topic: id,
    partition,
    baseSequence: -1,
    batch: batchOf([`in ${partition}`]),
  }))
  await first.engine.send({ producer: undefined, parts }, context)
  await first.close()

  const { engine, budget, close } = await startNativeBroker({ disk })
  for (const { partition } of parts) await engine.offsets(id, partition, context)
  const { available } = budget
  isBroken = true
  const polling = engine.poll(
    {
      parts: parts.map(({ partition }) => ({ topic: id, partition, offset: 0 })),
      waitMs: 0,
      bytesMax: 1e6,
    },
    context,
  )
  const { batches, failures, release } = await polling
  assert.ok(failures[0]?.error instanceof PartitionOfflineError)
  assert.deepEqual(
    messagesOf(batches).map(({ value }) => value),
    ['in 1', 'in 2'],
  )
  release()
  assert.equal(budget.available, available)
  await close()
})

test('a topic may be deleted while old messages are, and the broker closed', async () => {
  for (let turns = 0; turns < 40; turns++) {
    const setup = await new Setup().start({ openPartitionsMax: 0 })
    const topics: TopicInfo[] = []
    for (let index = 0; index < 3; index++) {
      const topic = await setup.create(`t${index}`, { 'retention.ms': '1000' }, 2)
      await setup.send(topic)
      topics.push(topic)
    }
    setup.clock.jump(60 * minute)
    const running = setup.engine.applyRetention()
    for (let turn = 0; turn < turns; turn++) await null
    const deleting = setup.engine.deleteTopic(topicNameOf('t1'), context)
    const sending = setup.send(topics[0] as TopicInfo)
    for (let turn = 0; turn < turns; turn++) await null
    await sending
    if (turns % 2 === 0) {
      await setup.during(deleting)
      await setup.during(running)
      assert.deepEqual((await setup.bounds(topics[2] as TopicInfo))[0], 1)
    }
    await setup.close()
    await setup.during(Promise.allSettled([deleting, running]))
    await setup.start()
    assert.equal(await setup.during(setup.engine.topicCount(context)), 2)
    const [, end] = await setup.bounds(topics[0] as TopicInfo)
    assert.equal(end, 2)
    await setup.close()
  }
})
