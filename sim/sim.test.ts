/**
 * Short runs of the simulation, some dozens, and that a run can be replayed. The long form:
 *
 *     npm run sim -- --seeds 1000 --from 1
 */
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { describeFailure, knownSeeds, shortMs } from './run.ts'
import { simulate } from './simulation.ts'

const seeds = Array.from({ length: 20 }, (_, index) => 1 + index)

test('a run is the same each time', async () => {
  const once = await simulate(7, { durationMsMax: shortMs })
  const again = await simulate(7, { durationMsMax: shortMs })
  assert.equal(again.trace, once.trace)
  assert.deepEqual(again.counts, once.counts)
  const other = await simulate(8, { durationMsMax: shortMs })
  assert.notEqual(other.trace, once.trace)
})

test('seeds that failed once', async () => {
  for (const seed of knownSeeds()) {
    const outcome = await simulate(seed, { durationMsMax: shortMs })
    assert.equal(outcome.failure, undefined, describeFailure(outcome))
  }
})

test('nothing acknowledged is lost, doubled or out of order, whatever breaks', async (t) => {
  const totals: Record<string, number> = {}
  for (const seed of seeds) {
    const outcome = await simulate(seed, { durationMsMax: shortMs })
    assert.equal(outcome.failure, undefined, `${describeFailure(outcome)} --short`)
    for (const [name, count] of Object.entries(outcome.counts)) {
      totals[name] = (totals[name] ?? 0) + count
    }
  }
  t.diagnostic(JSON.stringify(totals))
  // The runs did meet what they are for.
  for (const name of ['acknowledged', 'seen', 'commits', 'created', 'deleted', 'broken']) {
    assert.ok((totals[name] ?? 0) > 20, `${name}: ${totals[name]}`)
  }
  assert.ok((totals['starts'] ?? 0) > 3 * seeds.length)
})
