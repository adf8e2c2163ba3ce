/**
 * `kill -9` in a loop under load: every message acknowledged before it is there after it, at its
 * offset, in order, once; so are commits and topics; clients go on by themselves.
 *
 *     npm run crash -- --rounds 200     the long form
 */
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { run, temporaryDirectory } from './cli-process.ts'
import { crashRounds } from './crash-rounds.ts'

for (const sync of ['always', 'os'] as const) {
  test(`kill -9 in a loop loses nothing acknowledged, sync ${sync}`, async (t) => {
    await using directory = await temporaryDirectory()
    const data = directory.path
    // The same load each time; the long form has another one in each run.
    const load = { rounds: 5, acknowledgementsMax: 400, messagesMin: 100, seed: 1 }
    const result = await crashRounds({ data, sync, ...load })
    t.diagnostic(JSON.stringify(result))
    // The clients got through: nothing was given up, since the broker always came back in time.
    assert.equal(result.messages.unknown, 0)
    const verified = await run(['log', 'verify', data])
    assert.equal(verified.code, 0, verified.stdout + verified.stderr)
  })
}
