/** The table of all that was checked, as Markdown: a check a line, a client and broker a column. */
import type { Outcome, Outcomes } from './client.ts'

/** What a client's program told of a broker. */
export interface Run {
  readonly client: string
  readonly broker: string
  readonly outcomes: Outcomes
}

const marks = { passed: 'pass', failed: 'FAIL', skipped: 'skipped' } as const

/** For each client its brokers side by side, in the order in which they ran. */
export function table(runs: readonly Run[]): string {
  const clients = [...new Set(runs.map((run) => run.client))]
  return clients.map((client) => clientTable(client, runs)).join('\n')
}

function clientTable(client: string, all: readonly Run[]): string {
  const runs = all.filter((run) => run.client === client)
  const names = [...new Set(runs.flatMap((run) => [...run.outcomes.keys()]))]
  const rows = names.map((name) => [name, ...runs.map((run) => cell(run.outcomes.get(name)))])
  const head = [client, ...runs.map((run) => run.broker)]
  const widths = head.map((_, column) =>
    Math.max(3, ...[head, ...rows].map((row) => row[column]?.length ?? 0)),
  )
  const line = (cells: readonly string[]): string =>
    `| ${cells.map((text, column) => text.padEnd(widths[column] ?? 0)).join(' | ')} |`
  const rule = `|${widths.map((width) => '-'.repeat(width + 2)).join('|')}|`
  return `${[line(head), rule, ...rows.map(line)].join('\n')}\n`
}

function cell(outcome: Outcome | undefined): string {
  if (outcome === undefined) return ''
  if (outcome.kind === 'passed') return `${marks.passed} ${outcome.ms} ms`
  const reason = outcome.reason.replaceAll(/\s+/g, ' ').replaceAll('|', '/').slice(0, 90)
  return `${marks[outcome.kind]}: ${reason}`
}

/** The checks that fail on Kaska and pass on Apache Kafka; without a run of that, all that fail. */
export function regressions(runs: readonly Run[]): string[] {
  return runs
    .filter((run) => run.broker === 'Kaska')
    .flatMap((run) => {
      const reference = runs.find((other) => other.client === run.client && other !== run)
      return [...run.outcomes]
        .filter(([, outcome]) => outcome.kind === 'failed')
        .filter(([name]) => (reference?.outcomes.get(name)?.kind ?? 'passed') === 'passed')
        .map(([name]) => `${run.client}: ${name}`)
    })
}
