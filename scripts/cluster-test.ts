/**
 * Runs the contract of an `Engine` on each engine that there is, the last a cluster of three brokers of Apache
 * Kafka from Maven Central, and then kills one of the brokers under a client.
 *
 *     npm run test:cluster                        all of them
 *     npm run test:cluster -- killed              the files whose path holds this
 *
 * Where there is no Java or no Maven, what needs them is skipped and says why. Exits with 1 if a test fails.
 */
import { spawn } from 'node:child_process'
import { globSync } from 'node:fs'
import path from 'node:path'
import process from 'node:process'
import { environmentWithOurNode, exitStatus, root } from './workspace.ts'

const patterns = [
  'packages/kaska/test/local-engine.test.ts',
  'packages/kaska/test/native-engine.test.ts',
  'packages/kaska/test/*.cluster.ts',
]

/** A file that takes longer hangs. */
const fileMsMax = 400_000

const filters = process.argv.slice(2)
const files = globSync(patterns, { cwd: root })
  .map((file) => file.split(path.sep).join('/'))
  .filter((file) => filters.length === 0 || filters.some((filter) => file.includes(filter)))
  .sort()

if (files.length === 0) {
  console.error(`No test file's path holds ${filters.join(' or ')}.`)
  process.exitCode = 1
} else {
  const runner = spawn(
    process.execPath,
    [
      '--conditions=source',
      '--test',
      '--test-reporter=spec',
      '--test-concurrency=1',
      `--test-timeout=${fileMsMax}`,
      ...files,
    ],
    { cwd: root, stdio: 'inherit', env: environmentWithOurNode() },
  )
  process.exitCode = await exitStatus(runner)
}
