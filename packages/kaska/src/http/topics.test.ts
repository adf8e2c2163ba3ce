import assert from 'node:assert/strict'
import { test } from 'node:test'
import { type Engine, PartitionOfflineError, UnknownTopicError } from '@kaska/protocol'
import type { FigureSource } from './figure-source.ts'
import { boundsOf } from './topics.ts'

const asking = { principal: null, clientId: '', address: '' }

/** Partition n ends at n; what `fails` answers is thrown. */
function partsWith(fails: (partition: number) => Error | undefined) {
  const engine: Pick<Engine, 'offsets'> = {
    async offsets(_topic, partition) {
      const error = fails(partition)
      if (error !== undefined) throw error
      return { startOffset: 0, endOffset: partition }
    },
  }
  const figures: Pick<FigureSource, 'bounds'> = {
    bounds: async (_topic, partition) => ({
      startOffset: 0,
      endOffset: partition,
      bytes: partition * 100,
    }),
  }
  return { engine: engine as Engine, figures: figures as FigureSource }
}

test('partitions are in their order, however many there are', async () => {
  const bounds = await boundsOf(
    partsWith(() => undefined),
    'id',
    200,
    asking,
  )
  const ends = bounds.map(({ endOffset }) => endOffset)
  assert.deepEqual(ends, [...Array(200).keys()])
  assert.equal(bounds.at(-1)?.bytes, 19_900)
})

test('one that is offline does not hide the others', async () => {
  const parts = partsWith((partition) =>
    partition === 1 ? new PartitionOfflineError('a disk failed') : undefined,
  )
  assert.deepEqual(await boundsOf(parts, 'id', 3, asking), [
    { startOffset: 0, endOffset: 0, bytes: 0 },
    { startOffset: null, endOffset: null },
    { startOffset: 0, endOffset: 2, bytes: 200 },
  ])
})

test('a topic that is gone is', async () => {
  const parts = partsWith(() => new UnknownTopicError('there is no such topic'))
  await assert.rejects(boundsOf(parts, 'id', 3, asking), UnknownTopicError)
})
