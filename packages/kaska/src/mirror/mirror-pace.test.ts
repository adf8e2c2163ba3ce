/** The speed of a mirror, and the time that is left. */
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { MirrorPace, timeOf } from './mirror-pace.ts'

test('the speed is that of the last seconds; what is left follows from it', () => {
  const pace = new MirrorPace(1000)
  assert.match(pace.line({ messages: 0, behind: 5 }), /; 5 behind$/)
  for (let second = 1; second <= 10; second++) {
    pace.add(1000 + second * 1000, { messages: second * 1000, bytes: second * 1e6 })
  }
  assert.equal(
    pace.line({ messages: 10_000, behind: 60_000 }),
    '10000 messages mirrored, 1000/s, 1.0 MB/s; 60000 behind, about 1 min 0 s left',
  )
  for (let second = 11; second <= 30; second++) {
    pace.add(1000 + second * 1000, { messages: 10_000, bytes: 1e7 })
  }
  assert.equal(
    pace.line({ messages: 10_000, behind: 0 }),
    '10000 messages mirrored, 0/s, 0.0 MB/s; up to date',
  )
})

test('times for people', () => {
  assert.deepEqual([0.2, 59, 61, 7260].map(timeOf), ['1 s', '59 s', '1 min 1 s', '2 h 1 min'])
})
