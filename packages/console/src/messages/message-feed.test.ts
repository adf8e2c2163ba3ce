import assert from 'node:assert/strict'
import { after, before, test } from 'node:test'
import { type Client, connect, UnsupportedCompressionError } from '@kaska/client'
import type { StoredMessage } from '@kaska/protocol'
import { startBroker, type TestBroker } from 'kaska/testing'
import { KeptMessages } from './kept-messages.ts'
import { MessageFeed } from './message-feed.ts'
import type { StartAt } from './start-at.ts'
import { TopicReader } from './topic-reader.ts'

let kaska: TestBroker
let sender: Client
before(async () => {
  kaska = await startBroker()
  sender = await connect(kaska.url)
})
after(async () => {
  await sender.close()
  await kaska.close()
})

const noPage = () => Promise.reject(new Error('not asked for'))

/** A feed of a topic, and a way to wait until something is true of it. */
function follow(
  topic: string,
  start: StartAt | ReadonlyMap<number, number>,
  options: { partition?: number; kept?: KeptMessages; wanted?: number } = {},
) {
  let check = () => {}
  let dropped = 0
  const feed = new MessageFeed({
    open: async (signal) => {
      const client = await connect(kaska.url)
      signal.addEventListener('abort', () => void client.close())
      const { partition } = options
      return TopicReader.open({ client, topic, partition, start, signal, fetchPage: noPage })
    },
    changed: (count) => {
      dropped += count
      check()
    },
    ...(options.kept === undefined ? {} : { kept: options.kept }),
  })
  feed.want(options.wanted ?? Number.POSITIVE_INFINITY)
  return {
    feed,
    dropped: () => dropped,
    until: (isTrue: () => boolean) =>
      new Promise<void>((resolve, reject) => {
        check = () => {
          if (feed.phase === 'failed') reject(feed.error)
          if (isTrue()) resolve()
        }
        check()
      }),
    [Symbol.dispose]: () => feed.end(),
  }
}

const numbers = (count: number, from = 0) =>
  Array.from({ length: count }, (_, index) => String(from + index))
const offsets = (messages: Iterable<StoredMessage>) => Array.from(messages, ({ offset }) => offset)

test('a burst of 20,000 while it follows, with a pause amid it: no gap, none twice', async () => {
  await sender.createTopic('burst')
  using following = follow('burst', { at: 'end' })
  const { feed, until } = following
  await until(() => feed.phase === 'waiting')
  const sending = sender.sendBatch('burst', numbers(10_000))
  await until(() => feed.kept.length > 0)
  feed.pause()
  await until(() => feed.phase === 'paused')
  await sending
  await sender.sendBatch('burst', numbers(10_000, 10_000))
  const paused = feed.kept.length
  assert.equal(feed.positions()?.get(0), paused)
  feed.resume()
  await until(() => feed.kept.length === 20_000)
  assert.deepEqual(offsets(feed.kept), [...Array(20_000).keys()])
})

test('what is kept is bounded, what went is counted, and it can be read again', async () => {
  await sender.createTopic('bounded')
  await sender.sendBatch('bounded', numbers(5000))
  const kept = new KeptMessages({ countMax: 1000, bytesMax: 1e9 })
  using following = follow('bounded', { at: 'start' }, { kept })
  await following.until(() => kept.dropped === 4000)
  assert.equal(following.dropped(), 4000)
  assert.deepEqual(
    offsets(kept),
    [...Array(1000).keys()].map((each) => each + 4000),
  )
  using again = follow('bounded', new Map([[0, 3900]]), { wanted: 10 })
  await again.until(() => again.feed.phase === 'full')
  assert.deepEqual(
    offsets(again.feed.kept),
    [...Array(10).keys()].map((each) => each + 3900),
  )
  again.feed.want(20)
  await again.until(() => again.feed.kept.length === 20)
})

test('bytes are bounded too, and the last message stays', () => {
  const message = (offset: number, length: number): StoredMessage => ({
    topic: 't',
    partition: 0,
    offset,
    timestamp: 0,
    key: null,
    value: new Uint8Array(length),
    headers: [],
  })
  const kept = new KeptMessages({ countMax: 1000, bytesMax: 10_000 })
  for (let offset = 0; offset < 100; offset++) kept.push([message(offset, 1000)])
  assert.ok(kept.bytes <= 10_000)
  assert.equal(kept.at(kept.length - 1)?.offset, 99)
  kept.push([message(100, 50_000)])
  assert.deepEqual(offsets(kept), [100])
})

test('each way to begin', async () => {
  await sender.createTopic('starts')
  const messages = numbers(10).map((value, index) => ({ value, timestamp: 1000 + index * 10 }))
  await sender.sendBatch('starts', messages)
  const cases: readonly (readonly [StartAt, number])[] = [
    [{ at: 'start' }, 0],
    [{ at: 'offset', offset: 7 }, 7],
    [{ at: 'time', timestamp: 1031 }, 4],
    [{ at: 'last', count: 2 }, 8],
    [{ at: 'last', count: 200 }, 0],
  ]
  for (const [start, first] of cases) {
    using following = follow('starts', start)
    await following.until(() => following.feed.kept.length === 10 - first)
    assert.equal(following.feed.kept.at(0)?.offset, first, JSON.stringify(start))
  }
  using beyond = follow('starts', { at: 'offset', offset: 1000 })
  await beyond.until(() => beyond.feed.phase === 'waiting')
  await sender.send('starts', 'next')
  await beyond.until(() => beyond.feed.kept.length === 1)
})

test('one partition, and all of them in the order of time', async () => {
  await sender.createTopic('parts', { partitions: 3 })
  const messages = numbers(30).map((value, index) => ({
    value,
    partition: index % 3,
    timestamp: 1000 + index,
  }))
  await sender.sendBatch('parts', messages)
  using one = follow('parts', { at: 'start' }, { partition: 1 })
  await one.until(() => one.feed.kept.length === 10)
  assert.ok([...one.feed.kept].every(({ partition }) => partition === 1))
  assert.deepEqual([...(one.feed.positions() ?? [])], [[1, 10]])
  using all = follow('parts', { at: 'start' })
  await all.until(() => all.feed.kept.length === 30)
  assert.deepEqual(
    Array.from(all.feed.kept, ({ timestamp }) => timestamp - 1000),
    [...Array(30).keys()],
  )
})

test('a topic that is not there', async () => {
  using following = follow('nowhere', { at: 'start' })
  await assert.rejects(
    following.until(() => false),
    /there is no topic 'nowhere'/,
  )
  using beside = follow('starts', { at: 'start' }, { partition: 1 })
  await assert.rejects(
    beside.until(() => false),
    /has no partition 1/,
  )
})

test('what cannot be expanded here is asked for by the other way', async () => {
  await sender.createTopic('packed')
  await sender.sendBatch('packed', numbers(5))
  const client = await connect(kaska.url, {})
  const { signal } = new AbortController()
  const polled = client.poll.bind(client)
  // As if the first batch were compressed.
  client.poll = (options) =>
    client.position('packed') < 3
      ? Promise.reject(new UnsupportedCompressionError('no codec'))
      : polled(options)
  const reader = await TopicReader.open({
    client,
    topic: 'packed',
    partition: undefined,
    start: { at: 'start' },
    signal,
    fetchPage: (topic, partition, offset) =>
      Promise.resolve({
        messages: [0, 1, 2].slice(offset).map((each) => ({
          topic,
          partition,
          offset: each,
          timestamp: 0,
          key: null,
          value: null,
          headers: [],
        })),
        nextOffset: 3,
      }),
  })
  const seen: number[] = []
  for (let count = 0; count < 5; count++) {
    assert.equal(reader.positions().get(0), count)
    seen.push((await reader.next(1000, signal))?.offset ?? -1)
  }
  assert.deepEqual(seen, [0, 1, 2, 3, 4])
  assert.equal(await reader.next(0, signal), undefined)
  await client.close()
})
