import assert from 'node:assert/strict'
import { suite, test } from 'node:test'
import {
  createTopicId,
  DiskFullError,
  InvalidArgumentError,
  noTopicId,
  parseTopicName,
  TopicExistsError,
  topicNameOf,
  UnknownTopicError,
} from '@kaska/protocol'
import { SeededRandom } from '../../../../sim/seeded-random.ts'
import { StateDouble } from '../../test/state-double.ts'
import { TopicStore } from './topic-store.ts'

const random = new SeededRandom(1)

async function openStore(directory = new StateDouble()) {
  return { directory, store: await TopicStore.open(directory, random) }
}

function requestOf(name: string, more: { partitions?: number; id?: string; config?: object } = {}) {
  const { partitions = 1, config = {}, ...rest } = more
  const settings = new Map<string, string>(Object.entries(config))
  return { name: topicNameOf(name), partitions, config: settings, ...rest }
}

const names = (store: TopicStore, from = 0) => Array.from(store.from(from), ({ name }) => name)

suite('the store of topics', () => {
  test('topics, settings and their order survive a restart, by the log as by a snapshot', async () => {
    const { directory, store } = await openStore()
    await store.create(requestOf('a', { partitions: 3, config: { 'segment.ms': '7' } }))
    await store.create(requestOf('b'))
    await store.create(requestOf('\ufeffc\u{1f600}'))
    await store.delete('b')
    await store.create(requestOf('b', { partitions: 2 }))
    await store.configure('a', () => new Map([['max.message.bytes', '99']]))
    for (const snapshot of [false, true]) {
      const { store: again } = await openStore(directory.reopened({ snapshot }))
      assert.deepEqual(names(again), ['a', '\ufeffc\u{1f600}', 'b'])
      assert.equal(again.count, 3)
      assert.equal(again.get('a')?.partitions, 3)
      assert.deepEqual([...(again.get('a')?.config ?? [])], [['max.message.bytes', '99']])
      assert.equal(again.get('b')?.id, store.get('b')?.id)
      assert.deepEqual(
        [...again.from(0)].map((topic) => topic.created),
        [0, 2, 3],
      )
      assert.equal(again.leftovers().length, 1)
    }
  })

  test('who made a topic, and its partitions, survive a restart, by the log as by a snapshot', async () => {
    const { directory, store } = await openStore()
    await store.create(requestOf('native', { partitions: 2 }))
    const { id } = await store.create(requestOf('made', { partitions: 2 }), 'kafka')
    await store.create(requestOf('gone', { partitions: 2 }), 'kafka')
    const grown = await store.grow('made', 5)
    assert.equal(grown, store.get('made'))
    await store.grow('gone', 3)
    await store.delete('gone')
    await store.configure('made', () => new Map([['segment.ms', '9']]))
    for (const snapshot of [false, true]) {
      const { store: again } = await openStore(directory.reopened({ snapshot }))
      const made = again.get('made')
      assert.deepEqual([made?.id, made?.partitions], [id, 5])
      assert.equal(made?.defaults.valueOf('retention.ms'), '604800000')
      assert.equal(made?.config.get('segment.ms'), '9')
      assert.equal(again.get('native')?.defaults.valueOf('retention.ms'), '-1')
      assert.deepEqual(
        again.leftovers().map(({ partitions }) => partitions),
        [3],
      )
    }
  })

  test('entries as they were written before there were Kafka topics are read', async () => {
    const directory = new StateDouble()
    const id = Array.from({ length: 16 }, (_, index) => index + 1)
    const text = (value: string) => [value.length, ...new TextEncoder().encode(value)]
    const created = [1, ...id, 7, 3, 1, ...text('segment.ms'), ...text('5')]
    const entry = Uint8Array.from([...created, ...new TextEncoder().encode('old')])
    directory.logs.set('topics', [entry])
    const { store } = await openStore(directory)
    const old = store.get('old')
    assert.deepEqual([old?.created, old?.partitions], [7, 3])
    assert.deepEqual([...(old?.config ?? [])], [['segment.ms', '5']])
    assert.equal(old?.defaults.maker, 'kaska')
  })

  test('a snapshot that is taken while a topic grows holds what the log behind it will not tell', async () => {
    const { directory, store } = await openStore()
    await store.create(requestOf('a'))
    directory.hold()
    const growing = store.grow('a', 4)
    await turn()
    assert.equal(store.get('a')?.partitions, 1)
    const { store: again } = await openStore(directory.reopened({ snapshot: true }))
    assert.equal(again.get('a')?.partitions, 4)
    await directory.settle()
    await growing
    assert.equal(store.get('a')?.partitions, 4)
  })

  test('a topic gets more partitions and never fewer', async () => {
    const { store } = await openStore()
    await store.create(requestOf('a', { partitions: 3 }))
    for (const partitions of [3, 2, 0, -1, 3.5, Number.NaN, 10_001]) {
      await assert.rejects(store.grow('a', partitions), InvalidArgumentError)
    }
    await assert.rejects(store.grow('b', 3), UnknownTopicError)
    assert.equal(store.get('a')?.partitions, 3)
  })

  test('a creation number is not given again when the last topic is gone', async () => {
    const { directory, store } = await openStore()
    await store.create(requestOf('a'))
    await store.delete('a')
    const { store: again } = await openStore(directory.reopened({ snapshot: true }))
    const topic = await again.create(requestOf('a'))
    assert.equal(topic.created, 1)
  })

  test('a snapshot may hold what the log behind it tells once more', async () => {
    const { directory, store } = await openStore()
    await store.create(requestOf('a'))
    await store.delete('a')
    await store.create(requestOf('a', { partitions: 2 }))
    await store.create(requestOf('b'))
    const twice = directory.reopened({ snapshot: true })
    twice.logs.get('topics')?.push(...(directory.logs.get('topics') ?? []))
    const { store: again } = await openStore(twice)
    assert.deepEqual(names(again), ['a', 'b'])
    assert.equal(again.get('a')?.partitions, 2)
    assert.equal(again.count, 2)
  })

  test("the name's bytes go to the log by identity", async () => {
    const { directory, store } = await openStore()
    const bytes = new TextEncoder().encode('--orders--')
    const views = [bytes.subarray(2, 4), bytes.subarray(4, 8)]
    await store.create({ ...requestOf('x'), name: parseTopicName(views) })
    assert.deepEqual(directory.appended[0]?.slice(-2), views)
    for (const [index, view] of views.entries()) {
      assert.equal(directory.appended[0]?.at(index - 2), view)
    }
  })

  test('a creation that is sent again succeeds, another one of the name or of the id fails', async () => {
    const { store } = await openStore()
    const id = createTopicId(random)
    const topic = await store.create(requestOf('a', { id }))
    assert.equal(await store.create(requestOf('a', { id })), topic)
    await assert.rejects(store.create(requestOf('a')), TopicExistsError)
    await assert.rejects(store.create(requestOf('b', { id })), InvalidArgumentError)
    await store.delete('a')
    await assert.rejects(store.create(requestOf('c', { id })), InvalidArgumentError)
  })

  test('refuses what is no number of partitions, no setting and no id', async () => {
    const { store } = await openStore()
    for (const partitions of [0, -1, 1.5, 10_001, Number.NaN]) {
      await assert.rejects(store.create(requestOf('a', { partitions })), InvalidArgumentError)
    }
    await assert.rejects(
      store.create(requestOf('a', { config: { 'no.such': '1' } })),
      InvalidArgumentError,
    )
    // The last one is a second spelling of 16 bytes.
    for (const id of ['', 'short', noTopicId, 'x'.repeat(23), `${'A'.repeat(21)}B`]) {
      await assert.rejects(store.create(requestOf('a', { id })), InvalidArgumentError)
    }
    assert.equal(store.count, 0)
    await store.create(requestOf('a', { partitions: 10_000 }))
  })

  test('nobody sees a topic before it is durable, and who asks for its name waits', async () => {
    const { directory, store } = await openStore()
    directory.hold()
    const creating = store.create(requestOf('a'))
    const again = store.create(requestOf('a'))
    const deleting = store.delete('a')
    again.catch(() => {})
    await new Promise((resolve) => setImmediate(resolve))
    assert.equal(store.get('a'), undefined)
    assert.equal(store.count, 0)
    assert.deepEqual(names(store), [])
    await directory.settle()
    assert.equal((await creating).name, 'a')
    await assert.rejects(again, TopicExistsError)
    assert.equal(store.get('a')?.state, 'deleting')
    await directory.settle()
    await deleting
    assert.equal(store.get('a'), undefined)
  })

  test('what a full disk refused did not happen', async () => {
    const { directory, store } = await openStore()
    await store.create(requestOf('kept', { config: { 'segment.ms': '7' } }))
    directory.hold()
    const full = new DiskFullError('full')

    const creating = store.create(requestOf('a'))
    await Promise.all([assert.rejects(creating, full), turn().then(() => directory.settle(full))])
    assert.equal(store.get('a'), undefined)

    const deleting = store.delete('kept')
    await Promise.all([assert.rejects(deleting, full), turn().then(() => directory.settle(full))])
    assert.equal(store.get('kept')?.state, 'live')

    const configuring = store.configure('kept', () => new Map())
    await Promise.all([
      assert.rejects(configuring, full),
      turn().then(() => directory.settle(full)),
    ])
    assert.equal(store.get('kept')?.config.size, 1)

    const growing = store.grow('kept', 2)
    await Promise.all([assert.rejects(growing, full), turn().then(() => directory.settle(full))])
    assert.equal(store.get('kept')?.partitions, 1)

    const retried = store.create(requestOf('a'))
    await turn().then(() => directory.settle())
    assert.equal((await retried).name, 'a')
    assert.deepEqual(names(store), ['kept', 'a'])
  })

  test('a topic that is not there cannot be deleted or changed', async () => {
    const { store } = await openStore()
    await assert.rejects(store.delete('a'), UnknownTopicError)
    await assert.rejects(
      store.configure('a', () => new Map()),
      UnknownTopicError,
    )
  })

  test('what deleted topics left is known until it is gone, over restarts', async () => {
    const { directory, store } = await openStore()
    const { id } = await store.create(requestOf('a', { partitions: 5 }))
    await store.delete('a')
    for (const snapshot of [false, true]) {
      const { store: again } = await openStore(directory.reopened({ snapshot }))
      assert.deepEqual(again.leftovers(), [{ id, partitions: 5 }])
    }
    store.leftNothing(id)
    for (const snapshot of [false, true]) {
      const { store: again } = await openStore(directory.reopened({ snapshot }))
      assert.deepEqual(again.leftovers(), [])
    }
  })
})

function turn(): Promise<void> {
  return new Promise((resolve) => setImmediate(resolve))
}
