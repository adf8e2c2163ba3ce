import assert from 'node:assert/strict'
import { test } from 'node:test'
import { ranges } from './ranges.ts'

test('numbers that follow one another are a range', () => {
  assert.equal(ranges([]), '')
  assert.equal(ranges([4]), '4')
  assert.equal(ranges([7, 1, 0, 2, 9, 10]), '0–2, 7, 9–10')
})
