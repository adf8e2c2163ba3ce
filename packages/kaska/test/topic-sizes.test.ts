/** What topics hold is the same however it is known: by open logs, by closed ones, by directories. */
import assert from 'node:assert/strict'
import { cpSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import path from 'node:path'
import { test } from 'node:test'
import { connect } from '@kaska/client'
import { PartitionOfflineError } from '@kaska/protocol'
import { type Broker, type BrokerOptions, createBroker } from '../src/broker.ts'
import { MemoryDisk } from '../src/log/memory-disk.ts'
import type { LocalEngine } from '../src/topics/local-engine.ts'

const asking = { principal: null, clientId: '', address: 'test' }
const patience = 10_000

async function open(disk: MemoryDisk, options: Partial<BrokerOptions> = {}) {
  const broker: Broker = await createBroker({ disk, ...options })
  const engine = broker.engine as LocalEngine
  const figures = async (name: string, waitMs = patience) => {
    const topic = engine.topicNamed(name)
    assert(topic !== undefined)
    return await engine.topicFigures(topic.id, waitMs)
  }
  return { broker, engine, figures }
}

async function send(broker: Broker, partitions: Iterable<number>): Promise<void> {
  const client = await connect(broker)
  for (const partition of partitions) await client.send('orders', { value: 'x', partition })
  await client.close()
}

test('messages and bytes stay the same over a restart, and while partitions come into use', async () => {
  const disk = new MemoryDisk()
  const first = await open(disk, { topics: [{ name: 'orders', partitions: 40 }] })
  assert.equal((await first.figures('orders')).messages, 0)
  await send(
    first.broker,
    Array.from({ length: 60 }, (_, index) => index % 30),
  )
  const before = await first.figures('orders')
  assert.equal(before.messages, 60)
  assert.equal(before.messagesIn, 60)
  assert.equal(before.bytesIn, before.bytes)
  assert(before.isWhole)
  await first.broker.close()

  const second = await open(disk)
  const { broker, engine, figures } = second
  const unseen = await figures('orders', 0)
  assert.deepEqual([unseen.messages, unseen.isWhole], [0, false])
  const seen = await figures('orders')
  assert.deepEqual([seen.messages, seen.bytes, seen.isWhole], [60, before.bytes, true])
  assert.equal(broker.openPartitions, 0)
  assert.equal(await engine.storedBytes(patience), before.bytes)
  // Used, but only read: nothing changes.
  const topic = engine.topicNamed('orders')
  assert(topic !== undefined)
  for (const partition of [0, 7, 35]) await engine.offsets(topic.id, partition, asking)
  assert.deepEqual(await figures('orders'), seen)
  await send(broker, [0, 8, 35])
  const written = await figures('orders')
  assert.deepEqual([written.messages, written.messagesIn, written.isWhole], [63, 3, true])
  assert.equal(written.bytes - before.bytes, written.bytesIn)
  await engine.growTopic('orders', 50, asking)
  await send(broker, [45])
  assert.deepEqual(
    [(await figures('orders')).messages, (await figures('orders')).isWhole],
    [64, true],
  )
  await broker.close()
})

test('logs that are closed since nobody uses them keep their figures', async () => {
  const { broker, figures } = await open(new MemoryDisk(), {
    topics: [{ name: 'orders', partitions: 20 }],
    openPartitionsMax: 2,
  })
  for (let round = 0; round < 3; round++) {
    await send(
      broker,
      Array.from({ length: 20 }, (_, index) => index),
    )
  }
  const { messages, messagesIn, bytes, bytesIn } = await figures('orders')
  assert.deepEqual([messages, messagesIn], [60, 60])
  assert.equal(bytes, bytesIn)
  assert(broker.openPartitions < 10, `${broker.openPartitions} are open`)
  await broker.close()
})

test('after a crash, what cannot be told from outside is opened', async (context) => {
  const directory = mkdtempSync(path.join(tmpdir(), 'kaska-sizes-'))
  context.after(() => rmSync(directory, { recursive: true }))
  const data = path.join(directory, 'data')
  const first = await createBroker({ data, topics: [{ name: 'orders', partitions: 4 }] })
  await send(first, [0, 1, 1])
  // As a crash leaves it: the logs are there, their checkpoints are not.
  const copy = path.join(directory, 'copy')
  cpSync(data, copy, { recursive: true })
  await first.close()
  const broker = await createBroker({ data: copy })
  const engine = broker.engine as LocalEngine
  const topic = engine.topicNamed('orders')
  assert(topic !== undefined)
  const { messages, isWhole } = await engine.topicFigures(topic.id, patience)
  assert.deepEqual([messages, isWhole], [3, true])
  assert.equal(broker.openPartitions, 2)
  await broker.close()
})

test('what a partition that came up offline holds is not known', async (context) => {
  const directory = mkdtempSync(path.join(tmpdir(), 'kaska-sizes-'))
  context.after(() => rmSync(directory, { recursive: true }))
  const data = path.join(directory, 'data')
  const first = await createBroker({ data, topics: [{ name: 'orders', partitions: 2 }] })
  await send(first, [0, 0, 1])
  const copy = path.join(directory, 'copy')
  cpSync(data, copy, { recursive: true })
  await first.close()
  const id = (first.engine as LocalEngine).topicNamed('orders')?.id ?? ''
  // The first batch is damaged, and a sound one follows.
  const file = path.join(copy, 'topics', `${id}-0`, '00000000000000000000.log')
  const bytes = readFileSync(file)
  bytes[65] = (bytes[65] ?? 0) ^ 0xff
  writeFileSync(file, bytes)
  const broker = await createBroker({ data: copy })
  const engine = broker.engine as LocalEngine
  await assert.rejects(engine.offsets(id, 0, asking), PartitionOfflineError)
  assert.equal(await engine.extentOf(id, 0), undefined)
  assert.equal((await engine.extentOf(id, 1))?.endOffset, 1)
  await broker.close()
})

test('many ask at once: each directory is looked at once', async () => {
  const disk = new MemoryDisk()
  const first = await open(disk, { topics: [{ name: 'orders', partitions: 100 }] })
  await send(first.broker, [3, 99])
  await first.broker.close()
  const { broker, engine, figures } = await open(disk)
  let lists = 0
  const list = disk.list.bind(disk)
  disk.list = (path) => {
    if (path.startsWith('topics/')) lists++
    return list(path)
  }
  const answers = await Promise.all(Array.from({ length: 5 }, () => figures('orders')))
  assert.deepEqual(
    answers.map(({ messages }) => messages),
    [2, 2, 2, 2, 2],
  )
  await engine.storedBytes(patience)
  await figures('orders')
  assert.equal(lists, 100)
  await broker.close()
})
