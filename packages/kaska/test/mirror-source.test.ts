/** What a mirror does with a source that loses topics and messages, is slow to answer, or has far too much in one place. */
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { ConnectionError, type Engine, topicNameOf } from '@kaska/protocol'
import { createTopicFilter } from '../src/mirror/topic-pattern.ts'
import { context } from './batches.ts'
import {
  deleteBefore,
  follow,
  mirrorOnce,
  numbered,
  readPartition,
  startSide,
  wrapEngine,
} from './mirror-harness.ts'

test('a topic that is deleted while it is copied is a failure, however slowly that is found out', async () => {
  await using from = await startSide()
  await using to = await startSide()
  await from.client.createTopic('t')
  await from.client.sendBatch('t', numbered(10))
  let polls = 0
  const source = wrapEngine(from.engine, {
    poll: async (request, asker) => {
      if (polls++ === 0) await from.client.deleteTopic('t')
      return await from.engine.poll(request, asker)
    },
    resolve: async (names, asker) => {
      for (let turn = 0; turn < 50; turn++) await new Promise(setImmediate)
      return await from.engine.resolve(names, asker)
    },
  })
  const { status, lines } = await mirrorOnce(source, to.engine)
  assert.equal(status.failures, 1)
  assert.deepEqual(lines, ['t is not mirrored any more: it was deleted at the source'])
})

test('a topic that is made again is told from the old one, even where the target has deleted all', async () => {
  await using from = await startSide()
  await using to = await startSide()
  await from.client.createTopic('t')
  await from.client.sendBatch('t', numbered(10))
  await mirrorOnce(from.engine, to.engine)
  const [copy] = await to.engine.resolve([topicNameOf('t')], context)
  await deleteBefore(to.broker, copy?.id ?? '', 10)
  await from.client.deleteTopic('t')
  await from.client.createTopic('t')
  await from.client.sendBatch('t', numbered(15))
  const { status, lines } = await mirrorOnce(from.engine, to.engine)
  assert.deepEqual([status.messages, status.failures], [0, 1])
  assert.match(
    lines[0] ?? '',
    /t\/0 is not mirrored.*another topic of this name.*delete the target/,
  )
})

test('a source that has lost messages which were mirrored is told of', async () => {
  await using from = await startSide()
  await using to = await startSide()
  await from.client.createTopic('t')
  await from.client.sendBatch('t', numbered(10))
  await mirrorOnce(from.engine, to.engine)
  const source = wrapEngine(from.engine, {
    offsets: async (topic, partition, asker) => {
      const bounds = await from.engine.offsets(topic, partition, asker)
      return { ...bounds, endOffset: 8 }
    },
  })
  const { status, lines } = await mirrorOnce(source, to.engine)
  assert.equal(status.failures, 1)
  assert.match(lines[0] ?? '', /t\/0 .*the source ends at offset 8, .* before 10: .*lost messages/)
})

test('a source that has others in the place of messages that were mirrored is told of', async () => {
  await using from = await startSide()
  await using to = await startSide()
  const { id } = await from.client.createTopic('t')
  await from.client.sendBatch('t', numbered(10))
  await mirrorOnce(from.engine, to.engine)
  // As after an older backup was put back, and producers went on.
  await using again = await startSide()
  const request = { name: topicNameOf('t'), partitions: 1, config: new Map<string, string>(), id }
  await again.engine.createTopic(request, context)
  await again.client.sendBatch('t', numbered(8))
  await again.client.sendBatch('t', numbered(8, 0, 100))
  const { status, lines } = await mirrorOnce(again.engine, to.engine)
  assert.equal(status.failures, 1)
  assert.match(lines[0] ?? '', /t\/0 .*offset 9 is not the one that was mirrored.*lost messages/)
  // What it has deleted cannot be compared.
  await deleteBefore(again.broker, id, 10)
  assert.equal((await mirrorOnce(again.engine, to.engine)).status.failures, 0)
})

test('partitions with much to come keep no other waiting', async () => {
  await using from = await startSide()
  await using to = await startSide()
  await from.client.createTopic('t', { partitions: 7 })
  // An answer has room for four of them.
  const value = new Uint8Array(900_000)
  for (let count = 0; count < 30; count++) {
    await from.client.send('t', { value, partition: count % 6 })
  }
  await from.client.send('t', { value: 'small', partition: 6 })
  const sent: number[] = []
  const target = wrapEngine(to.engine, {
    send: async (request, asker) => {
      sent.push(...request.parts.map(({ partition }) => partition))
      return await to.engine.send(request, asker)
    },
  })
  const { status, lines } = await mirrorOnce(from.engine, target)
  assert.deepEqual([status.messages, lines], [31, []])
  for (const partition of [4, 5, 6]) assert.ok(sent.indexOf(partition) < 12, `${sent}`)
})

for (const side of ['source', 'target'] as const) {
  test(`a partition of the ${side} that nobody leads keeps no other waiting`, async () => {
    await using from = await startSide()
    await using to = await startSide()
    await from.client.createTopic('t', { partitions: 2 })
    for (const partition of [0, 1]) await from.client.sendBatch('t', numbered(10, partition))
    let isLed = false
    const withoutLeader = (engine: Engine): Engine =>
      wrapEngine(engine, {
        offsets: async (topic, partition, asker) => {
          if (partition === 0 && !isLed) throw new ConnectionError('nobody leads it')
          return await engine.offsets(topic, partition, asker)
        },
      })
    const source = side === 'source' ? withoutLeader(from.engine) : from.engine
    const target = side === 'target' ? withoutLeader(to.engine) : to.engine
    const mirror = follow(source, target)
    await mirror.until(({ messages }) => messages === 10)
    await from.client.sendBatch('t', numbered(10, 1, 10))
    await mirror.until(({ messages }) => messages === 20)
    isLed = true
    await mirror.until(({ messages }) => messages === 30)
    const { status, lines } = await mirror.stop()
    assert.deepEqual([status.failures, lines], [0, ['t/0: trying again: nobody leads it']])
  })
}

test('a name whose offsets cannot be read for now holds up no message and no other name', async () => {
  await using from = await startSide()
  await using to = await startSide()
  await from.client.createTopic('t')
  await from.client.sendBatch('t', numbered(10))
  await from.client.commit('other', 't', 4)
  let isHeld = true
  const source = wrapEngine(from.engine, {
    committed: async (group, topic, partition, asker) => {
      if (group === 'held' && isHeld) throw new ConnectionError('a transaction is under way')
      return await from.engine.committed(group, topic, partition, asker)
    },
  })
  const mirror = follow(source, to.engine, { groups: ['held', 'other'] })
  await mirror.until(({ messages }) => messages === 10)
  while ((await to.client.committed('other', 't')) !== 4) await mirror.until(() => true)
  await from.client.sendBatch('t', numbered(10, 0, 10))
  await mirror.until(({ messages }) => messages === 20)
  await from.client.commit('held', 't', 7)
  isHeld = false
  const { status, lines } = await mirror.stop()
  assert.deepEqual([status.failures, lines], [0, []])
  assert.equal(await to.client.committed('held', 't'), 7)
})

test('a topic that is made again while nobody mirrors it is copied where the target never had a message', async () => {
  await using from = await startSide()
  await using to = await startSide()
  await from.client.createTopic('t')
  const isWanted = createTopicFilter(['t'])
  await mirrorOnce(from.engine, to.engine, { isWanted })
  await from.client.deleteTopic('t')
  await from.client.createTopic('t')
  await from.client.sendBatch('t', numbered(3))
  const { status, lines } = await mirrorOnce(from.engine, to.engine, { isWanted })
  assert.deepEqual([status.messages, lines], [3, []])
  assert.equal((await readPartition(to.engine, 't')).length, 3)
})
