import assert from 'node:assert/strict'
import { test } from 'node:test'
import { kafka } from '@kaska/protocol'
import { failureIn } from './answer-failure.ts'

const { errorCode } = kafka

test('an error is found at the top, in a row, and in a row of a row', () => {
  const name = 'UNKNOWN_TOPIC_OR_PARTITION'
  const row = { errorCode: errorCode[name] }
  const fine = { errorCode: 0 }
  assert.equal(failureIn(row), name)
  assert.equal(failureIn({ errorCode: 0, topics: [fine, row] }), name)
  assert.equal(
    failureIn({ responses: [{ partitions: [fine] }, { partitions: [fine, row] }] }),
    name,
  )
  assert.equal(failureIn({ errorCode: 9999 }), 'error 9999')
})

test('no error, no answer, and what clients are told in the course of things, are no failures', () => {
  assert.equal(failureIn(undefined), undefined)
  assert.equal(failureIn({ errorCode: 0, names: ['a'], records: [new Uint8Array(9)] }), undefined)
  assert.equal(failureIn({ errorCode: errorCode.MEMBER_ID_REQUIRED }), undefined)
  assert.equal(failureIn({ errorCode: errorCode.REBALANCE_IN_PROGRESS }), undefined)
})

test('a long answer is not walked to its end', () => {
  let looked = 0
  const rows = Array.from({ length: 100_000 }, () => ({
    get errorCode() {
      looked++
      return 0
    },
  }))
  assert.equal(failureIn({ topics: rows }), undefined)
  assert(looked <= 2 * 256)
})
