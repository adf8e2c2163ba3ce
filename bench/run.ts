/**
 * Measures Kaska on this machine.
 *
 *     npm run bench                       every suite
 *     npm run bench -- quick              every suite, with less of everything; --quick says the same
 *     npm run bench -- native [quick]     one suite
 *     npm run bench -- profile [load]     a CPU profile of the broker under load
 *     ... --check                         exit code 1 if an aim is missed
 *     ... --save                          writes bench/results/<suite>.md and .json
 */
import { execFileSync } from 'node:child_process'
import { mkdirSync, readFileSync, writeFileSync } from 'node:fs'
import { cpus, loadavg, totalmem } from 'node:os'
import path from 'node:path'
import process from 'node:process'
import { parseArgs } from 'node:util'
import { SkippedError } from '../compat/lib/maven.ts'
import { type Aim, isMet, type Suite, type SuiteResult } from './lib/suite.ts'

/** Loaded on demand: a suite that is not asked for need not even parse. */
const suites = new Map<string, () => Promise<{ suite: Suite }>>([
  ['native', () => import('./native.ts')],
  ['memory', () => import('./memory.ts')],
  ['partitions', () => import('./partitions.ts')],
  ['sync', () => import('./sync.ts')],
  ['inline', () => import('./inline.ts')],
  ['commits', () => import('./commits.ts')],
  ['kafka', () => import('./kafka.ts')],
  ['clients', () => import('./clients.ts')],
  ['capacity', () => import('./capacity.ts')],
])

const { values: flags, positionals } = parseArgs({
  allowPositionals: true,
  options: {
    check: { type: 'boolean' },
    save: { type: 'boolean' },
    quick: { type: 'boolean' },
  },
})

if (positionals[0] === 'profile') {
  const { profile } = await import('./profile.ts')
  await profile(positionals.slice(1))
} else {
  await runSuites()
}

async function runSuites(): Promise<void> {
  const isQuick = flags.quick === true || positionals.includes('quick')
  const asked = positionals.filter((name) => name !== 'quick')
  const unknown = asked.find((name) => !suites.has(name))
  if (unknown !== undefined) {
    const names = [...suites.keys(), 'profile'].join(', ')
    console.error(`There is no suite '${unknown}': it is one of ${names}.`)
    process.exitCode = 2
    return
  }
  const missed: Aim[] = []
  for (const [name, load] of suites) {
    if (asked.length > 0 && !asked.includes(name)) continue
    const { suite } = await load()
    console.log(`# ${name}: ${suite.about}\n`)
    const started = performance.now()
    const say = (line: string): void => {
      const seconds = Math.round((performance.now() - started) / 1000)
      console.error(`  ${String(seconds).padStart(4)} s  ${line}`)
    }
    // What else the machine does: figures of a busy one are no more than a hint.
    const loadBefore = (loadavg()[0] ?? 0).toFixed(1)
    let result: SuiteResult
    try {
      result = await suite.run({ isQuick, say })
    } catch (error) {
      if (!(error instanceof SkippedError)) throw error
      console.log(`Skipped: ${error.message}\n`)
      continue
    }
    const report = asMarkdown(result)
    console.log(report)
    if (flags.save) save(name, suite, result, report, { quick: isQuick, 'load before': loadBefore })
    missed.push(...result.aims.filter((aim) => !isMet(aim)))
  }
  if (missed.length === 0) return
  console.log(`Missed: ${missed.map(({ name }) => name).join('; ')}`)
  if (flags.check) process.exitCode = 1
}

function asMarkdown({ tables, aims }: SuiteResult): string {
  const parts = tables.map(({ title, head, rows, note }) =>
    [`## ${title}`, '', table(head, rows), ...(note === undefined ? [] : ['', note]), ''].join(
      '\n',
    ),
  )
  if (aims.length > 0) {
    const rows = aims.map((aim) => [
      aim.name,
      `${aim.value.toFixed(2)} ${aim.unit}`.trim(),
      aim.atLeast !== undefined ? `at least ${aim.atLeast}` : `at most ${aim.atMost}`,
      isMet(aim) ? 'met' : 'MISSED',
    ])
    parts.push(['## Aims', '', table(['', 'measured', 'aim', ''], rows), ''].join('\n'))
  }
  return parts.join('\n')
}

/** A Markdown table whose columns are aligned for people who read it as it stands. */
function table(head: readonly string[], rows: readonly (readonly string[])[]): string {
  const widths = head.map((cell, column) =>
    Math.max(3, cell.length, ...rows.map((row) => row[column]?.length ?? 0)),
  )
  const line = (cells: readonly string[]): string => {
    const padded = cells.map((cell, column) => {
      const width = widths[column] ?? 0
      return column === 0 ? cell.padEnd(width) : cell.padStart(width)
    })
    return `| ${padded.join(' | ')} |`
  }
  const rule = widths.map((width, column) =>
    column === 0 ? '-'.repeat(width) : `${'-'.repeat(width - 1)}:`,
  )
  return [line(head), line(rule), ...rows.map(line)].join('\n')
}

function save(
  name: string,
  suite: Suite,
  result: SuiteResult,
  report: string,
  conditions: Readonly<Record<string, boolean | string>>,
): void {
  const directory = path.join(import.meta.dirname, 'results')
  mkdirSync(directory, { recursive: true })
  const { version } = JSON.parse(
    readFileSync(path.join(import.meta.dirname, '../package.json'), 'utf8'),
  ) as { version: string }
  const circumstances = {
    date: new Date().toISOString().slice(0, 10),
    kaska: version,
    commit: commit(),
    node: process.versions.node,
    machine: `${cpus().length} x ${cpus()[0]?.model.trim()}, ${Math.round(totalmem() / 2 ** 30)} GiB, ${process.platform}`,
    ...conditions,
  }
  const facts = Object.entries(circumstances)
    .map(([fact, value]) => `${fact} ${value}`)
    .join(' · ')
  const page = `# ${name}: ${suite.about}\n\n${facts}\n\n${report}`
  writeFileSync(path.join(directory, `${name}.md`), page)
  const data = { suite: name, ...circumstances, ...result }
  writeFileSync(path.join(directory, `${name}.json`), `${JSON.stringify(data, undefined, 2)}\n`)
}

function commit(): string {
  try {
    return execFileSync('git', ['rev-parse', '--short', 'HEAD'], { encoding: 'utf8' }).trim()
  } catch {
    return 'unknown'
  }
}
