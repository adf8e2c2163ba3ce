import assert from 'node:assert/strict'
import { test } from 'node:test'
import { type ClosedError, DeliveryTimeoutError } from '@kaska/protocol'
import { ManualClock } from '../../../../sim/manual-clock.ts'
import { OutgoingMessage } from '../message.ts'
import type { OutgoingBatch } from './outgoing-batch.ts'
import { PartitionSender } from './partition-sender.ts'
import { TopicSender } from './topic-sender.ts'
import { UnsettledBatches } from './unsettled-batches.ts'

function create() {
  const clock = new ManualClock()
  const given: OutgoingBatch[] = []
  const counts: number[] = []
  const batches: UnsettledBatches = new UnsettledBatches({
    clock,
    deliveryTimeoutMs: 100,
    gaveUp: (batch) => given.push(batch),
    changed: () => counts.push(batches.count),
  })
  const info = { name: 'a', id: '0'.repeat(22), partitions: 1 } as never
  const topic = new TopicSender(info, 0, (batch) => batches.forget(batch))
  const sender = new PartitionSender(topic, 0)
  const add = (errors: unknown[] = []): OutgoingBatch => {
    const batch = batches.create(sender)
    for (const value of ['x', 'y']) {
      const message = new OutgoingMessage(value, 0)
      message.reject = (error) => errors.push(error)
      batch.add(message)
    }
    return batch
  }
  return { clock, batches, given, counts, add }
}

test('each batch is given up at its own deadline, with what its last try failed with', async () => {
  const { clock, batches, given, counts, add } = create()
  const errors: unknown[] = []
  const first = add(errors)
  first.lastError = new Error('no answer')
  await clock.advance(60)
  const second = add()
  await clock.advance(39)
  assert.deepEqual(given, [])
  await clock.advance(1)
  assert.deepEqual(given, [first])
  assert.ok(first.isExpired && first.isSealed)
  assert.equal(errors.length, 2)
  assert.ok(errors[0] instanceof DeliveryTimeoutError)
  assert.match(errors[0].message, /100 ms.*no answer/)
  await clock.advance(60)
  assert.deepEqual(given, [first, second])
  assert.equal(batches.count, 0)
  assert.deepEqual(counts, [1, 0])
})

test('a call is called off once all of its batches are given up', async () => {
  const { clock, add } = create()
  const controller = new AbortController()
  const first = add()
  await clock.advance(50)
  const second = add()
  first.call = second.call = { batches: [first, second], controller }
  await clock.advance(50)
  assert.equal(controller.signal.aborted, false)
  await clock.advance(50)
  assert.equal(controller.signal.aborted, true)
})

test('a batch that is forgotten is not given up; all are at the end', async () => {
  const { clock, batches, given, add } = create()
  batches.forget(add())
  const errors: unknown[] = []
  add(errors)
  const closed = new Error('closed') as ClosedError
  batches.close(closed)
  assert.deepEqual(errors, [closed, closed])
  await clock.advance(1000)
  assert.deepEqual(given, [])
})
