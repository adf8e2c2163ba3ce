/**
 * Runs the contract of an `Engine` on each engine that there is, the last a cluster of three brokers of Apache
 * Kafka from Maven Central, and then kills one of the brokers under a client.
 *
 *     npm run test:cluster                        all of them
 *     npm run test:cluster -- killed              the files whose path holds this
 *
 * Where there is no Java or no Maven, what needs them is skipped and says why. Exits with 1 if a test fails.
 */
import { globSync } from 'node:fs'
import process from 'node:process'
import { filesThatHold, root, runTests } from './workspace.ts'

const patterns = [
  'packages/kaska/test/local-engine.test.ts',
  'packages/kaska/test/native-engine.test.ts',
  'packages/kaska/test/*.cluster.ts',
]

/** A file that takes longer hangs. */
const fileMsMax = 900_000

const filters = process.argv.slice(2)
const files = filesThatHold(globSync(patterns, { cwd: root }), filters)

if (files.length === 0) {
  console.error(`No test file's path holds ${filters.join(' or ')}.`)
  process.exitCode = 1
} else {
  process.exitCode = await runTests({ files, atOnce: 1, fileMsMax })
}
