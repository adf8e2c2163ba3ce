import assert from 'node:assert/strict'
import { test } from 'node:test'
import { joinChunks } from '../bytes.ts'
import { ProtocolError } from '../errors.ts'
import {
  assignedPartitionsOf,
  consumerProtocolAssignment,
  consumerProtocolSubscription,
  readVersioned,
  writeVersioned,
} from './consumer-protocol.ts'

const subscription = {
  topics: ['orders', 'bills'],
  userData: null,
  ownedPartitions: [{ topic: 'orders', partitions: [0, 2] }],
  generationId: 5,
  rackId: 'r1',
}

test('a subscription and an assignment read as they were written', () => {
  const written = writeVersioned(consumerProtocolSubscription, subscription, 3)
  assert.deepEqual(readVersioned(consumerProtocolSubscription, written), subscription)
  const assignment = { assignedPartitions: subscription.ownedPartitions, userData: null }
  const assigned = writeVersioned(consumerProtocolAssignment, assignment, 0)
  assert.deepEqual(readVersioned(consumerProtocolAssignment, assigned), assignment)
})

test('a newer version is read as the newest that is known, what it adds is left', () => {
  const written = [...joinChunks(writeVersioned(consumerProtocolSubscription, subscription, 3))]
  const newer = Uint8Array.from([0, 9, ...written.slice(2), 1, 2, 3])
  assert.deepEqual(readVersioned(consumerProtocolSubscription, [newer]), subscription)
})

test('what is no subscription is a ProtocolError', () => {
  for (const data of [[], [0], [255, 255, 0, 0, 0, 0], [0, 0, 0, 0, 0, 9]]) {
    const bytes = [Uint8Array.from(data)]
    assert.throws(() => readVersioned(consumerProtocolSubscription, bytes), ProtocolError)
  }
})

test('what a member was assigned, and nothing where it cannot be read', () => {
  const { ownedPartitions } = subscription
  const assignment = { assignedPartitions: ownedPartitions, userData: null }
  const written = joinChunks(writeVersioned(consumerProtocolAssignment, assignment, 1))
  assert.deepEqual(assignedPartitionsOf(written), ownedPartitions)
  for (const bytes of [written.subarray(0, 0), written.subarray(0, 9), Uint8Array.of(255, 255)]) {
    assert.deepEqual(assignedPartitionsOf(bytes), [])
  }
})
