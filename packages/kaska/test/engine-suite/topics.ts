/** The engine's contract for topics. */
import assert from 'node:assert/strict'
import { suite, test } from 'node:test'
import {
  createTopicId,
  InvalidArgumentError,
  InvalidTopicError,
  TopicExistsError,
  type TopicInfo,
  topicNameOf,
  UnknownTopicError,
} from '@kaska/protocol'
import { SeededRandom } from '../../../../sim/seeded-random.ts'
import { batchOf, context } from '../batches.ts'
import { isA, refusedWith, type Store } from './store.ts'

const random = new SeededRandom(7)

export function topicTests(store: () => Store): void {
  suite('topics', () => {
    test('a topic is created, resolved, described, counted and deleted', async () => {
      const { engine } = store()
      const count = await engine.topicCount(context)
      const name = engine.capabilities.kind === 'kafka' ? 'orders' : 'orders \u{1f600}'
      const topic = await store().create(3, { 'max.message.bytes': '1000' }, name)
      assert.equal(topic.name, name)
      assert.equal(topic.partitions, 3)
      assert.match(topic.id, /^[\w-]{22}$/)
      const names = [topicNameOf('no such'), topicNameOf(topic.name)]
      assert.deepEqual(await engine.resolve(names, context), [undefined, { ...topic }])
      assert.equal(await engine.topicCount(context), count + 1)

      const description = await engine.describeTopic(topicNameOf(topic.name), context)
      assert.equal(description.id, topic.id)
      const limit = description.config.find((entry) => entry.name === 'max.message.bytes')
      assert.deepEqual(limit, { name: 'max.message.bytes', value: '1000', isDefault: false })
      assert.ok(description.config.some((entry) => entry.isDefault))

      await store().delete(topic)
      assert.deepEqual(await engine.resolve(names, context), [undefined, undefined])
      assert.equal(await engine.topicCount(context), count)
      await assert.rejects(store().delete(topic), isA(UnknownTopicError))
      await assert.rejects(
        engine.describeTopic(topicNameOf(topic.name), context),
        isA(UnknownTopicError),
      )
    })

    test('a name that the engine cannot have is refused: Kafka has fewer of them', async () => {
      const { engine } = store()
      for (const name of ['orders \u{1f600}', 'a'.repeat(250), '..']) {
        if (engine.capabilities.kind === 'kafka') {
          await assert.rejects(store().create(1, {}, name), isA(InvalidTopicError))
        } else {
          await store().delete(await store().create(1, {}, name))
        }
        assert.deepEqual(await engine.resolve([topicNameOf(name)], context), [undefined])
      }
    })

    test('a name is taken once; a creation that is sent again succeeds', async () => {
      const { engine } = store()
      const id = createTopicId(random)
      const request = { name: topicNameOf('again'), partitions: 1, config: new Map(), id }
      const topic = await engine.createTopic(request, context)
      await assert.rejects(store().create(1, {}, 'again'), isA(TopicExistsError))
      if (topic.id !== id) return
      assert.deepEqual({ ...(await engine.createTopic(request, context)) }, { ...topic })
      const other = { ...request, name: topicNameOf('other') }
      await assert.rejects(engine.createTopic(other, context), isA(InvalidArgumentError))
    })

    test('what is no number of partitions and no setting is refused', async () => {
      await assert.rejects(store().create(0), isA(InvalidArgumentError))
      await assert.rejects(store().create(10_001), isA(InvalidArgumentError))
      await assert.rejects(store().create(1, { 'no.such': '1' }), isA(InvalidArgumentError))
      await assert.rejects(
        store().create(1, { 'max.message.bytes': 'many' }),
        isA(InvalidArgumentError),
      )
    })

    test('a topic that is created again after its deletion is another one', async () => {
      const first = await store().create(1, {}, 'phoenix')
      await store().send(first, ['old'])
      await store().delete(first)
      const second = await store().create(1, {}, 'phoenix')
      assert.notEqual(second.id, first.id)
      assert.deepEqual(await store().values(second), [])
      refusedWith(await store().answer(first, batchOf(['late'])), UnknownTopicError)
    })

    test('pages list the topics in creation order, whatever is deleted meanwhile', async () => {
      const { engine } = store()
      const made: TopicInfo[] = []
      while (made.length < 1500) {
        const batch = Array.from({ length: 100 }, () => store().create())
        made.push(...(await Promise.all(batch)))
      }
      const listed: string[] = []
      let cursor: number | undefined = 0
      let pages = 0
      while (cursor !== undefined) {
        const page = await engine.listTopics(cursor, context)
        listed.push(...page.topics.map((topic) => topic.name))
        cursor = page.next
        // What was listed, and what comes later, may go.
        const index = made.findIndex((topic) => topic.name === listed.at(-1))
        const later = made[index + 10]
        if (++pages === 1 && later !== undefined) {
          for (const topic of [made[0], made[index], later]) {
            if (topic !== undefined) await store().delete(topic)
          }
          made.splice(index + 10, 1)
        }
      }
      assert.ok(pages > 1, 'so many topics take more than one page')
      const wanted = made.map((topic) => topic.name)
      assert.deepEqual(listed.slice(-wanted.length), wanted)
    })
  })
}
