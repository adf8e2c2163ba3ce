/** The parts of the capacity suite that need nothing but Kaska, with as little of everything as there is. */
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { measureConnections } from './capacity/connections.ts'
import { measureDisk } from './capacity/disk.ts'
import { measureFanOut } from './capacity/fan-out.ts'
import { measureLoadCurves } from './capacity/load-curve.ts'
import { join, rates } from './capacity/part.ts'
import { measureThroughput } from './capacity/throughput.ts'
import { measurePartitions } from './capacity/topics.ts'

for (const [name, measure] of Object.entries({
  measureThroughput,
  measureLoadCurves,
  measureFanOut,
  measureConnections,
  measurePartitions,
  measureDisk,
})) {
  test(`${name} fills its tables`, async () => {
    const part = await measure({ isQuick: true, say: () => {} })
    const { tables } = join([part])
    assert.ok(tables.length > 1)
    for (const { title, head, rows } of tables) {
      // Whether a rate was reached in time depends on what else the machine does.
      if (title !== 'What one process carries') assert.ok(rows.length > 0, title)
      for (const row of rows) {
        assert.equal(row.length, head.length, title)
        assert.ok(!row.some((cell) => cell.includes('undefined')), `${title}: ${row}`)
      }
    }
  })
}

test('what to plan with has two digits', () => {
  assert.deepEqual(rates(41_234, '/s'), { most: '41,234 /s', plan: '29,000 /s' })
  assert.deepEqual(rates(9, 'MB/s'), { most: '9 MB/s', plan: '6 MB/s' })
})
