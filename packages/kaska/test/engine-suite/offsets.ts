/** The engine's contract for sizes, offsets and look-ups by time. */
import assert from 'node:assert/strict'
import { suite, test } from 'node:test'
import {
  createTopicId,
  OffsetOutOfRangeError,
  UnknownPartitionError,
  UnknownTopicError,
} from '@kaska/protocol'
import { SeededRandom } from '../../../../sim/seeded-random.ts'
import { batchOf, context } from '../batches.ts'
import { isA, type Store } from './store.ts'

const random = new SeededRandom(10)

export function offsetTests(store: () => Store): void {
  suite('sizes and offsets', () => {
    test("messageSize is the value's bytes, of any message of a batch", async () => {
      const { engine } = store()
      const topic = await store().create()
      await store().answer(topic, batchOf(['', 'four', null], { key: 'key' }))
      await store().answer(topic, batchOf([new Uint8Array(100_000)]))
      const sizes = await Promise.all(
        [0, 1, 2, 3].map((offset) => engine.messageSize(topic.id, 0, offset, context)),
      )
      assert.deepEqual(sizes, [0, 4, 0, 100_000])
    })

    test('messageSize outside of what there is tells the bounds', async () => {
      const { engine } = store()
      const topic = await store().create()
      await store().send(topic, ['a', 'b'])
      for (const offset of [2, 3, -1, 2 ** 52]) {
        await assert.rejects(engine.messageSize(topic.id, 0, offset, context), (error) => {
          assert.ok(error instanceof OffsetOutOfRangeError, `${error}`)
          assert.deepEqual([error.startOffset, error.endOffset], [0, 2])
          return true
        })
      }
    })

    test('offsets are the first one and the next one', async () => {
      const { engine } = store()
      const topic = await store().create(2)
      assert.deepEqual(boundsOf(await engine.offsets(topic.id, 1, context)), [0, 0])
      await store().send(topic, ['a', 'b', 'c'], 1)
      assert.deepEqual(boundsOf(await engine.offsets(topic.id, 1, context)), [0, 3])
      assert.deepEqual(boundsOf(await engine.offsets(topic.id, 0, context)), [0, 0])
    })

    test('offsetAt is the first message at or after a time', async () => {
      const { engine } = store()
      const topic = await store().create()
      await store().answer(topic, batchOf(['a', 'b', 'c'], { timestamp: 100 }))
      await store().answer(topic, batchOf(['d'], { timestamp: 50 }))
      await store().answer(topic, batchOf(['e'], { timestamp: 200 }))
      const asked = [0, 100, 101, 102, 103, 200, 201]
      const found = await Promise.all(asked.map((at) => engine.offsetAt(topic.id, 0, at, context)))
      assert.deepEqual(found, [0, 0, 1, 2, 4, 4, undefined])
    })

    test('unknown topics and partitions are refused', async () => {
      const { engine } = store()
      const gone = createTopicId(random)
      const { id } = await store().create()
      for (const ask of [
        (topic: string, partition: number) => engine.messageSize(topic, partition, 0, context),
        (topic: string, partition: number) => engine.offsets(topic, partition, context),
        (topic: string, partition: number) => engine.offsetAt(topic, partition, 0, context),
      ]) {
        await assert.rejects(ask(gone, 0), isA(UnknownTopicError))
        await assert.rejects(ask(id, 1), isA(UnknownPartitionError))
      }
    })
  })
}

function boundsOf(bounds: { startOffset: number; endOffset: number }): number[] {
  return [bounds.startOffset, bounds.endOffset]
}
