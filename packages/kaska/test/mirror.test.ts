/** A mirror between two engines: what arrives, how it goes on, and what it refuses. */
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { gzipSync } from 'node:zlib'
import { createTopicFilter } from '../src/mirror/topic-pattern.ts'
import { batchOf, compressed, context } from './batches.ts'
import {
  contentsOf,
  deleteBefore,
  follow,
  mirrorOnce,
  numbered,
  readPartition,
  startSide,
} from './mirror-harness.ts'

test('topics arrive with partitions, settings, keys, headers and timestamps', async () => {
  await using from = await startSide()
  await using to = await startSide()
  await from.client.createTopic('orders', {
    partitions: 3,
    config: { 'retention.ms': '123456789', 'segment.bytes': '1048576' },
  })
  await from.client.createTopic('empty', { partitions: 2 })
  for (let partition = 0; partition < 3; partition++) {
    await from.client.sendBatch('orders', numbered(100 * (partition + 1), partition))
  }
  await from.client.send('orders', { value: null, key: null, timestamp: 5, partition: 1 })
  await from.client.send('orders', { value: '', key: '', timestamp: 6, partition: 1 })
  const { status, lines } = await mirrorOnce(from.engine, to.engine)
  assert.deepEqual(lines, [])
  assert.deepEqual(
    { ...status, bytes: 0 },
    { topics: 2, partitions: 5, messages: 602, bytes: 0, behind: 0, missed: 0, failures: 0 },
  )
  for (let partition = 0; partition < 3; partition++) {
    const original = await readPartition(from.engine, 'orders', partition)
    const copy = await readPartition(to.engine, 'orders', partition)
    assert.deepEqual(contentsOf(copy), contentsOf(original))
    assert.deepEqual(
      copy.map(({ origin }) => origin),
      original.map(({ offset }) => offset),
    )
  }
  const described = await to.client.describeTopic('orders')
  assert.equal(described.partitions, 3)
  const set = new Map(described.config.map(({ name, value }) => [name, value]))
  assert.equal(set.get('retention.ms'), '123456789')
  assert.equal(set.get('segment.bytes'), '1048576')
  assert.equal((await to.client.describeTopic('empty')).partitions, 2)
  // Once more: there is nothing to do, and nothing is done.
  const again = await mirrorOnce(from.engine, to.engine)
  assert.equal(again.status.messages, 0)
  assert.deepEqual(again.lines, [])
})

test('it goes on where the target ends; compressed batches are expanded', async () => {
  await using from = await startSide()
  await using to = await startSide()
  const { id } = await from.client.createTopic('t')
  await from.client.sendBatch('t', numbered(10))
  await mirrorOnce(from.engine, to.engine)
  const batch = compressed(batchOf(['a', 'b', 'c'], { timestamp: 77, key: 'k' }), 1, gzipSync)
  const parts = [{ topic: id, partition: 0, baseSequence: -1, batch }]
  const [result] = await from.engine.send({ producer: undefined, parts }, context)
  assert.equal(result?.error, undefined)
  await from.client.sendBatch('t', numbered(5, 0, 10))
  const { status, lines } = await mirrorOnce(from.engine, to.engine)
  assert.deepEqual(lines, [])
  assert.equal(status.messages, 8)
  const original = await readPartition(from.engine, 't')
  assert.deepEqual(contentsOf(await readPartition(to.engine, 't')), contentsOf(original))
})

test('it follows, meets new topics, and ends with all that it began', async () => {
  await using from = await startSide()
  await using to = await startSide()
  await from.client.createTopic('t', { partitions: 2 })
  await from.client.sendBatch('t', numbered(10, 1))
  const mirror = follow(from.engine, to.engine)
  await mirror.until(({ messages }) => messages === 10)
  await from.client.sendBatch('t', numbered(10, 0))
  await from.client.sendBatch('t', numbered(10, 1, 10))
  await mirror.until(({ messages }) => messages === 30)
  await from.client.createTopic('later')
  await from.client.send('later', 'x')
  await mirror.until(({ messages }) => messages === 31)
  const { status, lines } = await mirror.stop()
  assert.deepEqual(lines, [])
  assert.equal(status.failures, 0)
  for (const partition of [0, 1]) {
    assert.deepEqual(
      contentsOf(await readPartition(to.engine, 't', partition)),
      contentsOf(await readPartition(from.engine, 't', partition)),
    )
  }
})

test('patterns: * is any text, ? one character; without one all but __names', () => {
  const names = ['orders', 'orders.eu', 'a.b', 'axb', '__consumer_offsets', 'ü🙂']
  const chosen = (...patterns: string[]) => names.filter(createTopicFilter(patterns))
  assert.deepEqual(chosen(), ['orders', 'orders.eu', 'a.b', 'axb', 'ü🙂'])
  assert.deepEqual(chosen('orders*'), ['orders', 'orders.eu'])
  assert.deepEqual(chosen('a.b', '?🙂'), ['a.b', 'ü🙂'])
  assert.deepEqual(chosen('a?b'), ['a.b', 'axb'])
  assert.deepEqual(chosen('*'), names)
})

test('a target that somebody else has written to is refused, and one that he begins to', async () => {
  await using from = await startSide()
  await using to = await startSide()
  await from.client.createTopic('t')
  await from.client.sendBatch('t', numbered(10))
  await to.client.createTopic('t')
  await to.client.send('t', 'mine')
  const refused = await mirrorOnce(from.engine, to.engine)
  assert.equal(refused.status.failures, 1)
  assert.equal(refused.status.messages, 0)
  assert.match(refused.lines.join('\n'), /t\/0 is not mirrored.*was not written by a mirror/)

  await from.client.createTopic('u')
  await from.client.sendBatch('u', numbered(10))
  const isWanted = createTopicFilter(['u'])
  const mirror = follow(from.engine, to.engine, { isWanted })
  await mirror.until(({ messages }) => messages === 10)
  await to.client.send('u', 'mine')
  await from.client.send('u', 'next')
  await mirror.until(({ failures }) => failures === 1)
  const { lines } = await mirror.stop()
  assert.match(lines.join('\n'), /u\/0 .*somebody else writes to the target/)

  // Without a message of the source behind it, it is seen before the end.
  await from.client.createTopic('v')
  await from.client.sendBatch('v', numbered(10))
  const second = follow(from.engine, to.engine, { isWanted: createTopicFilter(['v']) })
  await second.until(({ messages }) => messages === 10)
  await to.client.send('v', 'mine')
  const end = await second.stop()
  assert.equal(end.status.failures, 1)
  assert.match(end.lines.join('\n'), /v\/0 .*somebody else writes to the target/)
})

test('partitions that differ, and a topic that is its own target, are refused', async () => {
  await using from = await startSide()
  await using to = await startSide()
  await from.client.createTopic('t', { partitions: 2 })
  await to.client.createTopic('t', { partitions: 3 })
  const { lines, status } = await mirrorOnce(from.engine, to.engine)
  assert.equal(status.failures, 1)
  assert.match(lines[0] ?? '', /t is not mirrored: it has 2 partitions at the source and 3/)
  const self = await mirrorOnce(from.engine, from.engine)
  assert.match(self.lines[0] ?? '', /t is not mirrored: source and target are the same topic/)
})

test('a topic that is made again at the source is told, while it follows and at the next start', async () => {
  await using from = await startSide()
  await using to = await startSide()
  await from.client.createTopic('t', { partitions: 2 })
  await from.client.sendBatch('t', numbered(10, 0))
  const mirror = follow(from.engine, to.engine)
  await mirror.until(({ messages }) => messages === 10)
  await from.client.deleteTopic('t')
  await from.client.createTopic('t', { partitions: 2 })
  await from.client.sendBatch('t', numbered(3, 0))
  await mirror.until(({ failures }) => failures > 0)
  const { lines, status } = await mirror.stop()
  assert.equal(status.failures, 1)
  assert.equal(lines.length, 1)
  assert.match(lines[0] ?? '', /t is not mirrored any more: it was deleted at the source/)
  const again = await mirrorOnce(from.engine, to.engine)
  assert.match(again.lines.join('\n'), /t\/0 .*messages of another topic of this name/)
  assert.equal((await readPartition(to.engine, 't')).length, 10)
})

test('what the source deletes before it is mirrored is told and counted', async () => {
  await using from = await startSide()
  await using to = await startSide()
  const { id } = await from.client.createTopic('t')
  await from.client.sendBatch('t', numbered(10))
  await mirrorOnce(from.engine, to.engine)
  await from.client.sendBatch('t', numbered(10, 0, 10))
  await from.client.sendBatch('t', numbered(10, 0, 20))
  // As retention does.
  await deleteBefore(from.broker, id, 15)
  const { lines, status } = await mirrorOnce(from.engine, to.engine)
  assert.equal(status.missed, 5)
  assert.equal(status.messages, 15)
  assert.match(lines.join('\n'), /t\/0: the source has deleted offsets 10 to 14/)
  const copy = await readPartition(to.engine, 't')
  assert.deepEqual(
    copy.map(({ origin }) => origin),
    [...Array(10).keys(), ...Array.from({ length: 15 }, (_, index) => index + 15)],
  )
})

test('a group goes on with the same message, whatever the offsets are', async () => {
  await using from = await startSide()
  await using to = await startSide()
  const { id } = await from.client.createTopic('t', { partitions: 2 })
  await from.client.sendBatch('t', numbered(100))
  await from.client.sendBatch('t', numbered(20, 1))
  await deleteBefore(from.broker, id, 40)
  await from.client.commit('billing', 't', 61)
  await from.client.commit('billing', 't', 20, 1)
  await from.client.commit('early', 't', 3)
  await from.client.commit('ahead', 't', 50)
  const groups = ['billing', 'early', 'ahead', 'nobody']
  await mirrorOnce(from.engine, to.engine, { groups })
  const copy = await readPartition(to.engine, 't')
  const place = await to.client.committed('billing', 't')
  assert.equal(copy.find(({ offset }) => offset === place)?.origin, 61)
  assert.equal(await to.client.committed('billing', 't', 1), 20)
  assert.equal(await to.client.committed('early', 't'), 0)
  assert.equal(await to.client.committed('nobody', 't'), undefined)
  // What a group has done at the target stays; what it does at the source goes on being translated.
  await to.client.commit('ahead', 't', 30)
  await from.client.commit('ahead', 't', 52)
  await from.client.commit('billing', 't', 70)
  await mirrorOnce(from.engine, to.engine, { groups })
  assert.equal(await to.client.committed('ahead', 't'), 30)
  assert.equal(await to.client.committed('billing', 't'), 30)
})

test('offsets that are left out at the source do not lead a group astray', async () => {
  await using from = await startSide()
  await using to = await startSide()
  const { id } = await from.client.createTopic('t')
  await from.client.sendBatch('t', numbered(50))
  await mirrorOnce(from.engine, to.engine)
  await from.client.sendBatch('t', numbered(50, 0, 50))
  await deleteBefore(from.broker, id, 70)
  for (const group of ['g10', 'g55', 'g70', 'g90']) {
    await from.client.commit(group, 't', Number(group.slice(1)))
  }
  const groups = ['g10', 'g55', 'g70', 'g90']
  await mirrorOnce(from.engine, to.engine, { groups })
  const places = await Promise.all(groups.map((group) => to.client.committed(group, 't')))
  assert.deepEqual(places, [10, 50, 50, 70])
})
