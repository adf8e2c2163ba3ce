import assert from 'node:assert/strict'
import { test } from 'node:test'
import { OpenPartitions } from './open-partitions.ts'

class FakePartition {
  ended: Error | undefined = undefined
  isBusy = false
  wasUsed = false
  isClosed = false

  rest(): boolean {
    const { wasUsed } = this
    this.wasUsed = false
    this.isClosed = !wasUsed && !this.isBusy
    return this.isClosed
  }
}

function create(openMax: number, count: number) {
  const open = new OpenPartitions(openMax)
  const partitions = Array.from({ length: count }, () => new FakePartition())
  for (const partition of partitions) open.add(partition)
  const closed = () => partitions.map(({ isClosed }) => isClosed)
  return { open, partitions, closed }
}

test('one too many closes one that nobody uses, those that were used lately last', () => {
  const { open, partitions, closed } = create(3, 3)
  const [first, second] = partitions as [FakePartition, FakePartition]
  first.isBusy = true
  second.wasUsed = true
  open.add(new FakePartition())
  assert.deepEqual(closed(), [false, false, true])
  open.add(new FakePartition())
  assert.equal(open.count, 3)
  assert.equal(first.isClosed, false)
})

test('where all are busy there are more; one that has ended is let go of', () => {
  const { open, partitions, closed } = create(2, 2)
  for (const partition of partitions) partition.isBusy = true
  const third = new FakePartition()
  third.isBusy = true
  open.add(third)
  assert.equal(open.count, 3)
  const [first] = partitions as [FakePartition]
  first.ended = new Error('deleted')
  open.remove(third)
  open.add(third)
  assert.equal(open.count, 2)
  assert.deepEqual(closed(), [false, false])
})
