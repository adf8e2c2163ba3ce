import assert from 'node:assert/strict'
import { test } from 'node:test'
import { AnswerMemory } from './answer-memory.ts'

/** Gives whatever is asked for, and counts it. */
class CountingBudget {
  readonly total = 400
  reserved = 0

  tryReserve(bytes: number): boolean {
    this.reserved += bytes
    return true
  }

  release(bytes: number): void {
    this.reserved -= bytes
  }
}

test('answers share a quarter of the budget, and give it back when they have ended', () => {
  const budget = new CountingBudget()
  const answers = new AnswerMemory(budget)
  const ends: (() => void)[] = []
  const first = answers.of((end) => ends.push(end))
  const second = answers.of((end) => ends.push(end))
  assert.equal(first.take(60), true)
  assert.equal(first.take(20), true)
  assert.equal(second.take(21), false)
  assert.equal(second.take(20), true)
  assert.equal(budget.reserved, 100)
  ends[0]?.()
  assert.equal(budget.reserved, 20)
  assert.equal(second.take(80), true)
  second.giveBack()
  assert.equal(budget.reserved, 0)
  assert.equal(second.take(30), true)
  ends[1]?.()
  assert.deepEqual([budget.reserved, ends.length], [0, 2])
})

test('one that has ended takes nothing more: nobody would give it back', () => {
  const budget = new CountingBudget()
  const answers = new AnswerMemory(budget)
  let end = () => {}
  const { take } = answers.of((callback) => {
    end = callback
  })
  assert.equal(take(10), true)
  end()
  assert.equal(take(10), false)
  // Who asked had gone before anything was read.
  assert.equal(answers.of((callback) => callback()).take(10), false)
  assert.equal(budget.reserved, 0)
})

test('one that is longer than the share is made where it is the only one', () => {
  const answers = new AnswerMemory({ total: 400, tryReserve: () => true, release: () => {} })
  const ends: (() => void)[] = []
  const long = answers.of((end) => ends.push(end))
  assert.equal(long.take(150), true)
  assert.equal(long.take(150), true)
  const other = answers.of((end) => ends.push(end))
  assert.equal(other.take(1), false)
  ends[0]?.()
  assert.equal(other.take(1), true)
  assert.equal(answers.of(() => {}).take(150), false)
})

test('batches are expanded one after the other, also after one that fails', async () => {
  const answers = new AnswerMemory({ total: 400, tryReserve: () => true, release: () => {} })
  const begun: number[] = []
  let end = () => {}
  const first = answers.inTurn(() => {
    begun.push(1)
    return new Promise<void>((_, reject) => {
      end = () => reject(new Error('bad'))
    })
  })
  const second = answers.inTurn(async () => begun.push(2))
  await Promise.resolve()
  assert.deepEqual(begun, [1])
  end()
  await assert.rejects(first, /bad/)
  await second
  assert.deepEqual(begun, [1, 2])
})

test('what the budget refuses is refused', () => {
  const answers = new AnswerMemory({ total: 400, tryReserve: () => false, release: () => {} })
  assert.equal(answers.of(() => {}).take(10), false)
})
