import assert from 'node:assert/strict'
import { test } from 'node:test'
import { AnswerMemory } from './answer-memory.ts'

test('answers share a quarter of the budget, and give it back when they have ended', () => {
  let reserved = 0
  const answers = new AnswerMemory({
    total: 400,
    tryReserve: (bytes) => {
      reserved += bytes
      return true
    },
    release: (bytes) => {
      reserved -= bytes
    },
  })
  const ends: (() => void)[] = []
  const first = answers.of((end) => ends.push(end))
  const second = answers.of((end) => ends.push(end))
  assert.equal(first(60), true)
  assert.equal(first(20), true)
  assert.equal(second(21), false)
  assert.equal(second(20), true)
  assert.equal(reserved, 100)
  ends[0]?.()
  assert.equal(reserved, 20)
  assert.equal(second(80), true)
  ends[1]?.()
  assert.deepEqual([reserved, ends.length], [0, 2])
})

test('what the budget refuses is refused', () => {
  const answers = new AnswerMemory({ total: 400, tryReserve: () => false, release: () => {} })
  assert.equal(answers.of(() => assert.fail('nothing was taken'))(10), false)
})
