/**
 * Runs the tests that drive the console in a real browser, which is Debian's Chromium, or what KASKA_BROWSER names.
 *
 *     npm run test:browser                        all of them
 *     npm run test:browser -- groups messages     the files whose path holds one of these
 *     npm run test:browser -- --test-name-pattern='markup'
 *     npm run screenshots                         takes the pictures of docs/images/ (screenshots.ts) instead
 *
 * What needs a cluster of Apache Kafka is skipped, and says why, where there is no Java or no Maven.
 * Exits with 1 if a test fails, if no file matches, or if there is no browser. The report ends with the counts.
 */
import { accessSync, constants, globSync } from 'node:fs'
import path from 'node:path'
import process from 'node:process'
import { filesThatHold, root, runTests } from './workspace.ts'

const names = ['chromium', 'chromium-browser', 'google-chrome']

/** A file that takes longer hangs. */
const fileMsMax = 600_000

function findBrowser(): string | undefined {
  const given = process.env['KASKA_BROWSER']
  if (given !== undefined && given !== '') return given
  const folders = (process.env['PATH'] ?? '').split(path.delimiter)
  return names
    .flatMap((name) => folders.map((folder) => path.join(folder, name)))
    .find(isExecutable)
}

function isExecutable(file: string): boolean {
  try {
    accessSync(file, constants.X_OK)
    return true
  } catch {
    return false
  }
}

const given = process.argv.slice(2)
const options = given.filter((argument) => argument.startsWith('-'))
const filters = given.filter((argument) => !argument.startsWith('-'))
const pattern =
  process.env['npm_lifecycle_event'] === 'screenshots' ? 'screenshots.ts' : '*.browser.ts'
const files = filesThatHold(globSync(`packages/console/test/${pattern}`, { cwd: root }), filters)
const browser = findBrowser()

if (browser === undefined || !isExecutable(browser)) {
  console.error(
    browser === undefined
      ? `There is no browser: none of ${names.join(', ')} is on the path.`
      : `KASKA_BROWSER names '${browser}', which cannot be run.`,
  )
  console.error('Install one, on Debian and Ubuntu with: apt-get install -y chromium')
  console.error(
    'Or name one that is built on Chromium: KASKA_BROWSER=/path/to/it npm run test:browser',
  )
  process.exitCode = 1
} else if (files.length === 0) {
  console.error(`No test file's path holds ${filters.map((filter) => `'${filter}'`).join(' or ')}.`)
  process.exitCode = 1
} else {
  process.exitCode = await runTests({
    files,
    atOnce: 1,
    fileMsMax,
    options,
    env: { KASKA_BROWSER: browser },
  })
}
