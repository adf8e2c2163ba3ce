import assert from 'node:assert/strict'
import { test } from 'node:test'
import {
  ClosedError,
  ConnectionError,
  DiskFullError,
  OverloadedError,
  TopicExistsError,
  UnknownTopicError,
} from '@kaska/protocol'
import { createModelClient } from '../test/model-client.ts'

const lost = (): Error => new ConnectionError('the answer was lost')

test('requests are made again after a lost answer, without harm', async () => {
  const model = createModelClient()
  const { client, engine } = model
  engine.failures.push(lost(), lost())
  const topic = await model.run(client.createTopic('a'))
  assert.deepEqual(engine.calls, ['createTopic a', 'createTopic a', 'createTopic a'])
  await assert.rejects(client.createTopic('a'), TopicExistsError)
  engine.failures.push(lost())
  assert.deepEqual(await model.run(client.topics()), [topic])
  engine.failures.push(lost())
  await model.run(client.deleteTopic('a'))
  await assert.rejects(client.deleteTopic('a'), UnknownTopicError)
  engine.failures.push(new OverloadedError('later'))
  assert.equal(await model.run(client.topicCount()), 0)
  // What is not about the connection is the caller's to decide.
  engine.failures.push(new DiskFullError('full'))
  await assert.rejects(model.run(client.createTopic('b')), DiskFullError)
  assert.equal(model.holds(), 0)
})

test('a list of topics is read page by page', async () => {
  const model = createModelClient()
  const { client, engine } = model
  for (const name of ['a', 'b', 'c', 'd', 'e']) await client.createTopic(name)
  engine.calls.length = 0
  assert.deepEqual(
    (await client.topics()).map(({ name }) => name),
    ['a', 'b', 'c', 'd', 'e'],
  )
  assert.deepEqual(engine.calls, ['listTopics 0', 'listTopics 2', 'listTopics 4'])
})

test('a request gives up after requestTimeoutMs, and at once when its signal is aborted', async () => {
  const model = createModelClient({ requestTimeoutMs: 1000 })
  const { client, clock, engine } = model
  engine.isDown = true
  const start = clock.monotonic()
  await assert.rejects(model.run(client.topicCount()), ConnectionError)
  assert.ok(clock.monotonic() - start <= 1000)
  assert.ok(clock.monotonic() - start >= 400)
  const controller = new AbortController()
  const asked = client.topicCount({ signal: controller.signal })
  const isRejected = assert.rejects(asked, /enough/)
  await clock.advance(100)
  controller.abort(new Error('enough'))
  await isRejected
  assert.equal(model.holds(), 0)
})

test('a commit that is made again does not overtake a later one', async () => {
  const model = createModelClient()
  const { client, clock, engine } = model
  await client.createTopic('a', { partitions: 2 })
  await client.commit('g', 'a', 0)
  engine.calls.length = 0
  engine.failures.push(lost())
  const first = client.commit('g', 'a', 1)
  await clock.advance(1)
  const other = client.commit('g', 'a', 9, 1)
  const second = client.commit('g', 'a', 2)
  await second
  assert.equal(await client.committed('g', 'a'), 2)
  await model.run(Promise.all([first, other]))
  assert.equal(await client.committed('g', 'a'), 2)
  assert.equal(await client.committed('g', 'a', 1), 9)
  assert.deepEqual(
    engine.calls.filter((call) => call.startsWith('commit ')),
    ['commit g 1', 'commit g 9', 'commit g 2'],
  )
  // The one that is left out settles as the one does that overtook it.
  engine.failures.push(lost())
  const third = client.commit('g', 'a', 3)
  await clock.advance(1)
  engine.failures.push(new DiskFullError('full'))
  const fourth = client.commit('g', 'a', 4)
  await assert.rejects(fourth, DiskFullError)
  await assert.rejects(model.run(third), DiskFullError)
})

test('a name that stands for another topic by now is looked up once more', async () => {
  const model = createModelClient()
  const { client, engine } = model
  await client.createTopic('a')
  assert.equal(await client.endOffset('a'), 0)
  engine.topics.delete('a')
  await assert.rejects(client.endOffset('a'), UnknownTopicError)
  await assert.rejects(client.commit('g', 'a', 0), UnknownTopicError)
  const request = { name: { text: 'a', bytes: [] }, partitions: 1, config: new Map() }
  await engine.createTopic(request)
  assert.equal(await client.endOffset('a'), 0)
  engine.topics.delete('a')
  await engine.createTopic(request)
  engine.calls.length = 0
  await client.commit('g', 'a', 5)
  assert.deepEqual(engine.calls, ['commit g 5', 'resolve a', 'commit g 5'])
})

test('close ends what waits at once, and sends when they are done', async () => {
  const model = createModelClient()
  const { client, clock, engine } = model
  await client.createTopic('a')
  await client.subscribe(['a'])
  engine.isDown = true
  const waiting = [
    assert.rejects(client.topicCount(), ClosedError),
    assert.rejects(client.poll(), ClosedError),
    assert.rejects(client.messages().next(), ClosedError),
    assert.rejects(client.commit('g', 'a', 0), ClosedError),
  ]
  const sent = client.send('a', 'x')
  // A topic that is not known yet is looked for while the client is closed.
  const toOther = client.send('b', 'y')
  await clock.advance(100)
  const closing = client.close()
  await Promise.all(waiting)
  engine.isDown = false
  await engine.createTopic({ name: { text: 'b', bytes: [] }, partitions: 1, config: new Map() })
  await model.run(closing)
  assert.equal((await sent).offset, 0)
  assert.equal((await toOther).offset, 0)
  assert.equal(model.holds(), 0)
  assert.equal(client.close(), client.close())
})
