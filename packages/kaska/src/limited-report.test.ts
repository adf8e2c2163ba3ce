import assert from 'node:assert/strict'
import { test } from 'node:test'
import { ManualClock } from '../../../sim/manual-clock.ts'
import { limitReport } from './limited-report.ts'

test('a flood of lines is cut, counted, and forgotten after a while', async () => {
  const clock = new ManualClock()
  const lines: string[] = []
  const report = limitReport((line) => lines.push(line), clock)
  for (let index = 0; index < 1000; index++) report(`line ${index}`)
  assert.equal(lines.length, 20)
  await clock.advance(10_000)
  assert.equal(lines[20], '980 more lines about connections were left out')
  report('one more')
  assert.equal(lines[21], 'one more')
  await clock.advance(10_000)
  assert.equal(lines.length, 22)
})
