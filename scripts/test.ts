/**
 * Runs the tests of the whole repository with Node's test runner, under the Node that the repository
 * brings along, two files at a time.
 *
 *     npm test                                    all of them
 *     npm test -- packages/client log/recovery    the files whose path holds one of these
 *     npm test -- --test-name-pattern='torn'      options go to `node --test`
 *
 * Exits with 1 if a test fails, or if no file matches. The report ends with the counts.
 */
import { globSync } from 'node:fs'
import process from 'node:process'
import { filesThatHold, root, runTests } from './workspace.ts'

const patterns = [
  'packages/*/src/**/*.test.ts',
  'packages/*/test/**/*.test.ts',
  'sim/**/*.test.ts',
  'compat/**/*.test.ts',
  'examples/**/*.test.ts',
  'bench/**/*.test.ts',
  'scripts/**/*.test.ts',
]

/** A file that takes longer hangs: most take a second, the slowest some ten, and a slow machine has other work. */
const fileMsMax = 600_000

const given = process.argv.slice(2)
const options = given.filter((argument) => argument.startsWith('-'))
const filters = given.filter((argument) => !argument.startsWith('-'))
const files = filesThatHold(
  globSync(patterns, { cwd: root, exclude: (name) => name === 'node_modules' }),
  filters,
)

if (files.length === 0) {
  console.error(`No test file's path holds ${filters.map((filter) => `'${filter}'`).join(' or ')}.`)
  process.exitCode = 1
} else {
  process.exitCode = await runTests({ files, atOnce: 2, fileMsMax, options })
}
