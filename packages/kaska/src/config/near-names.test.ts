import assert from 'node:assert/strict'
import { test } from 'node:test'
import { nearNames } from './near-names.ts'

const names = ['num.partitions', 'log.retention.ms', 'log.retention.bytes', 'log.roll.ms']

test('the nearest names, those that are most like it first', () => {
  assert.deepEqual(nearNames('num.partition', names), ['num.partitions'])
  assert.deepEqual(nearNames('LOG.RETENTION.MS', names)[0], 'log.retention.ms')
  assert.deepEqual(nearNames('log.retntion.bites', names)[0], 'log.retention.bytes')
  assert.deepEqual(nearNames('log.rol.ms', names, 1), ['log.roll.ms'])
})

test('nothing is near to what is like none of them, however long it is', () => {
  assert.deepEqual(nearNames('', names), [])
  assert.deepEqual(nearNames('x', names), [])
  assert.deepEqual(nearNames('z'.repeat(1_000_000), names), [])
})
