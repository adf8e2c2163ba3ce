import assert from 'node:assert/strict'
import { test } from 'node:test'
import { testConfig } from '../../test/log-harness.ts'
import type { LogShared } from './log-config.ts'
import { beginningOf, type Place } from './log-place.ts'
import type { Segment } from './segment.ts'
import { SegmentRow } from './segment-row.ts'

const config = { ...testConfig, segmentBytes: 1000, segmentMs: 60_000 }
const empty: Place = {
  segment: undefined,
  position: 0,
  offset: 7,
  maxTimestamp: -1,
  maxTimestampOffset: -1,
  lastEpoch: -1,
}

function create() {
  const row = new SegmentRow('topics/t-0', {} as LogShared, [])
  const first = row.forBatch(empty, 100, 7, 5000, config)
  const next = (position: number, offset: number): Place => {
    return { ...beginningOf(empty, first), position, offset }
  }
  return { row, first, next }
}

test('the first batch begins a segment, those that fit follow in it', () => {
  const { row, first, next } = create()
  assert.equal(first.baseOffset, 7)
  assert.equal(first.time, 5000)
  assert.equal(row.forBatch(next(100, 8), 900, 9, 6000, config), first)
  assert.deepEqual(row.all, [first])
})

test('a segment that would be too large, is too old or reaches too far is followed by another', () => {
  const reasons: [string, number, number, number][] = [
    ['too large', 901, 9, 6000],
    ['too old', 100, 9, 65_001],
    ['too far for a relative offset', 100, 7 + 2 ** 31, 6000],
  ]
  for (const [reason, length, lastOffset, now] of reasons) {
    const { row, first, next } = create()
    const second = row.forBatch(next(100, 8), length, lastOffset, now, config)
    assert.notEqual(second, first, reason)
    assert.equal(second.baseOffset, 8)
    assert.deepEqual(row.all, [first, second])
  }
})

test('one that is empty takes any batch, and is as old as that', () => {
  const { row, first, next } = create()
  assert.equal(row.forBatch(next(0, 7), 5000, 9, 90_000, config), first)
  assert.equal(first.time, 90_000)
})

test('segments are let go of below an offset, and behind one', () => {
  const { row, first } = create()
  const [second, third] = [row.begin(10, 0), row.begin(20, 0)] as [Segment, Segment]
  assert.deepEqual(row.dropBelow(9), [])
  assert.deepEqual(row.dropBelow(10), [first])
  assert.deepEqual(row.dropBelow(1000), [second], 'the last one stays')
  assert.deepEqual(row.dropBehind(third), [])
  const fourth = row.begin(30, 0)
  assert.deepEqual(row.dropBehind(third), [fourth])
  assert.deepEqual(row.dropBehind(undefined), [third])
})
