/** The examples run as they stand, against a broker of their own. */
import assert from 'node:assert/strict'
import { execFile } from 'node:child_process'
import path from 'node:path'
import { env, execPath } from 'node:process'
import { test } from 'node:test'
import { promisify } from 'node:util'
import { startBroker } from 'kaska/testing'

async function runExample(url: string, file: string, ...argv: string[]): Promise<string[]> {
  const program = path.join(import.meta.dirname, file)
  const { stdout } = await promisify(execFile)(
    execPath,
    ['--conditions=source', program, ...argv],
    { env: { ...env, KASKA_URL: url }, timeout: 30_000 },
  )
  return stdout.trimEnd().split('\n')
}

test('quick-start.ts', async () => {
  await using kaska = await startBroker()
  assert.deepEqual(await runExample(kaska.url, 'quick-start.ts'), [
    '1: hello',
    '2: world',
    '3: one',
    '4: two',
    '5: three',
    'again 0: nobody sees this one',
    'committed 1',
    'end 6',
  ])
})

test('work-queue.ts: a worker goes on where the last one stopped', async () => {
  await using kaska = await startBroker()
  await runExample(kaska.url, 'work-queue.ts', 'add', 'a', 'b', 'c')
  assert.deepEqual(await runExample(kaska.url, 'work-queue.ts', 'work', '2'), [
    'job 0: a',
    'job 1: b',
  ])
  await runExample(kaska.url, 'work-queue.ts', 'add', 'd')
  assert.deepEqual(await runExample(kaska.url, 'work-queue.ts', 'work', '2'), [
    'job 2: c',
    'job 3: d',
  ])
})
