import assert from 'node:assert/strict'
import { test } from 'node:test'
import { PartitionOfflineError, UnknownTopicError } from '@kaska/protocol'
import { boundsOf } from './local-parts.ts'

const asking = { principal: null, clientId: '', address: '' }

const topic = (partitions: number) => ({ name: 'orders', id: 'id', partitions })

/** Partition n ends at n; what `fails` answers is thrown. */
function engineWith(fails: (partition: number) => Error | undefined) {
  return {
    async offsets(_topic: string, partition: number) {
      const error = fails(partition)
      if (error !== undefined) throw error
      return { startOffset: 0, endOffset: partition }
    },
    async extentOf(_topic: string, partition: number) {
      return { startOffset: 0, endOffset: partition, bytes: partition * 100 }
    },
  }
}

test('partitions are in their order, however many there are', async () => {
  const engine = engineWith(() => undefined)
  const bounds = await boundsOf(topic(200), engine, asking)
  const ends = bounds.map(({ endOffset }) => endOffset)
  assert.deepEqual(ends, [...Array(200).keys()])
  assert.equal(bounds.at(-1)?.bytes, 19_900)
})

test('one that is offline does not hide the others', async () => {
  const engine = engineWith((partition) =>
    partition === 1 ? new PartitionOfflineError('a disk failed') : undefined,
  )
  assert.deepEqual(await boundsOf(topic(3), engine, asking), [
    { startOffset: 0, endOffset: 0, bytes: 0 },
    { startOffset: null, endOffset: null, bytes: null },
    { startOffset: 0, endOffset: 2, bytes: 200 },
  ])
})

test('a topic that is gone is', async () => {
  const engine = engineWith(() => new UnknownTopicError('there is no such topic'))
  await assert.rejects(boundsOf(topic(3), engine, asking), UnknownTopicError)
})
