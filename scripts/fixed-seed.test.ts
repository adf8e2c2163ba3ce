/** What random values are tried is the same in each run where `CI` is set, and another in each elsewhere. */
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { environmentWithOurNode, root, run, testOptions } from './workspace.ts'

const program = `
  import fc from 'fast-check'
  import { test } from 'node:test'
  test('values', () => console.log(fc.sample(fc.integer(), 5).join()))`

/** What a test file gets. */
async function values(env: NodeJS.ProcessEnv): Promise<string> {
  const argv = [...testOptions(env), '--input-type=module', '--eval', program]
  const printed = await run(process.execPath, argv, { cwd: root, env })
  return /^-?\d+(,-?\d+){4}$/m.exec(printed)?.[0] ?? assert.fail(printed)
}

test('with CI the values are the same each time, else they are not', async () => {
  const { CI: _, NODE_TEST_CONTEXT: __, ...env } = environmentWithOurNode()
  const inCi = { ...env, CI: 'true' }
  assert.equal(await values(inCi), await values(inCi))
  assert.notEqual(await values(env), await values(env))
})
