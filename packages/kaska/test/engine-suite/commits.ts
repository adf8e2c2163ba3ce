/** The engine's contract for committed offsets (contract 4). */
import assert from 'node:assert/strict'
import { suite, test } from 'node:test'
import {
  createTopicId,
  InvalidArgumentError,
  UnknownPartitionError,
  UnknownTopicError,
} from '@kaska/protocol'
import { SeededRandom } from '../../../../sim/seeded-random.ts'
import { context } from '../batches.ts'
import { isA, type Store } from './store.ts'

const random = new SeededRandom(11)

export function commitTests(store: () => Store): void {
  suite('commits', () => {
    test('what is committed is read back, by name, topic and partition', async () => {
      const { engine } = store()
      const first = await store().create(2)
      const second = await store().create()
      await engine.commit(
        'billing',
        [
          { topic: first.id, partition: 1, offset: 5 },
          { topic: second.id, partition: 0, offset: 0 },
        ],
        context,
      )
      await engine.commit('other', [{ topic: first.id, partition: 1, offset: 9 }], context)
      assert.equal(await engine.committed('billing', first.id, 1, context), 5)
      assert.equal(await engine.committed('billing', first.id, 0, context), undefined)
      assert.equal(await engine.committed('billing', second.id, 0, context), 0)
      assert.equal(await engine.committed('other', first.id, 1, context), 9)
      assert.equal(await engine.committed('nobody', first.id, 1, context), undefined)
    })

    test('a commit may go back', async () => {
      const { engine } = store()
      const { id: topic } = await store().create()
      for (const offset of [7, 3])
        await engine.commit('g', [{ topic, partition: 0, offset }], context)
      assert.equal(await engine.committed('g', topic, 0, context), 3)
    })

    test('all entries are committed, or none', async () => {
      const { engine } = store()
      const { id: topic } = await store().create()
      const gone = createTopicId(random)
      const entries = [
        { topic, partition: 0, offset: 1 },
        { topic: gone, partition: 0, offset: 1 },
      ]
      await assert.rejects(engine.commit('g', entries, context), isA(UnknownTopicError))
      assert.equal(await engine.committed('g', topic, 0, context), undefined)
    })

    test('unknown topics and partitions, and a name of nothing, are refused', async () => {
      const { engine } = store()
      const { id: topic } = await store().create()
      const gone = createTopicId(random)
      const entry = { topic, partition: 0, offset: 0 }
      await assert.rejects(
        engine.commit('g', [{ ...entry, partition: 1 }], context),
        isA(UnknownPartitionError),
      )
      await assert.rejects(engine.committed('g', gone, 0, context), isA(UnknownTopicError))
      await assert.rejects(engine.committed('g', topic, 1, context), isA(UnknownPartitionError))
      await assert.rejects(engine.commit('', [entry], context), isA(InvalidArgumentError))
    })

    test('the offsets of a deleted topic are not those of its successor', async () => {
      const { engine } = store()
      const first = await store().create(1, {}, 'followed')
      await engine.commit('g', [{ topic: first.id, partition: 0, offset: 4 }], context)
      await store().delete(first)
      const second = await store().create(1, {}, 'followed')
      assert.equal(await engine.committed('g', second.id, 0, context), undefined)
      await assert.rejects(engine.committed('g', first.id, 0, context), isA(UnknownTopicError))
    })
  })
}
