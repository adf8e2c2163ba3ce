/**
 * A strict reader of Prometheus' text format (version 0.0.4), for tests: it takes nothing that a scraper could
 * refuse, or understand otherwise. Each metric has its help, its type and its samples in one place, and no
 * series is there twice; buckets of a histogram ascend, and end with all that was counted.
 */
import assert from 'node:assert/strict'

export interface ParsedSample {
  readonly name: string
  readonly labels: ReadonlyMap<string, string>
  readonly value: number
}

export interface Family {
  readonly type: string
  readonly help: string
  readonly samples: ParsedSample[]
}

const namePattern = /^[a-zA-Z_:][a-zA-Z0-9_:]*/
const labelPattern = /^[a-zA-Z_][a-zA-Z0-9_]*/
const numberPattern = /^(?:[+-]?(?:\d+\.?\d*|\.\d+)(?:e[+-]?\d+)?|\+Inf|-Inf|NaN)$/i
const types = ['counter', 'gauge', 'histogram', 'summary', 'untyped']

export function parseMetrics(text: string): Map<string, Family> {
  assert(text.endsWith('\n'), 'the last line is not ended')
  const families = new Map<string, Family>()
  const series = new Set<string>()
  let help: { readonly name: string; readonly text: string } | undefined
  let current: { readonly name: string; readonly family: Family } | undefined
  for (const line of text.slice(0, -1).split('\n')) {
    const comment = /^# (HELP|TYPE) (\S+) (.*)$/.exec(line)
    if (comment !== null) {
      const [, kind, name = '', rest = ''] = comment
      assert.equal(name, namePattern.exec(name)?.[0], line)
      if (kind === 'HELP') {
        help = { name, text: unescaped(rest, /\\([\\n])/g) }
        continue
      }
      assert.equal(help?.name, name, `${line}: the help stands before the type`)
      assert(types.includes(rest), line)
      assert(!families.has(name), `${name} is there twice`)
      current = { name, family: { type: rest, help: help?.text ?? '', samples: [] } }
      families.set(name, current.family)
      continue
    }
    const sample = parseSample(line)
    assert(current !== undefined, `${line}: no type stands before it`)
    const suffixes = current.family.type === 'histogram' ? ['_bucket', '_sum', '_count'] : ['']
    const names = suffixes.map((suffix) => `${current?.name}${suffix}`)
    assert(names.includes(sample.name), `${line} is not of ${current.name}`)
    const key = JSON.stringify([sample.name, [...sample.labels].sort()])
    assert(!series.has(key), `${line}: the series is there twice`)
    series.add(key)
    current.family.samples.push(sample)
  }
  for (const [name, family] of families) if (family.type === 'histogram') check(name, family)
  return families
}

function parseSample(line: string): ParsedSample {
  const name = namePattern.exec(line)?.[0]
  assert(name !== undefined, line)
  let rest = line.slice(name.length)
  const labels = new Map<string, string>()
  if (rest.startsWith('{')) {
    rest = rest.slice(1)
    for (;;) {
      const label = labelPattern.exec(rest)?.[0]
      assert(label !== undefined && !labels.has(label), line)
      const value = /^="((?:[^"\\]|\\["\\n])*)"/.exec(rest.slice(label.length))
      assert(value !== null, line)
      labels.set(label, unescaped(value[1] ?? '', /\\(["\\n])/g))
      rest = rest.slice(label.length + value[0].length)
      const [next] = rest
      rest = rest.slice(1)
      if (next === '}') break
      assert.equal(next, ',', line)
    }
  }
  assert(rest.startsWith(' '), line)
  const number = rest.slice(1)
  assert.match(number, numberPattern, line)
  const value = Number(number.replace('Inf', 'Infinity'))
  return { name, labels, value }
}

function unescaped(text: string, pattern: RegExp): string {
  return text.replace(pattern, (_, character: string) => (character === 'n' ? '\n' : character))
}

/** Buckets ascend in bound and in count; the last one, +Inf, is the count. */
function check(name: string, { samples }: Family): void {
  const groups = Map.groupBy(samples, ({ labels }) => {
    return JSON.stringify([...labels].filter(([label]) => label !== 'le').sort())
  })
  for (const group of groups.values()) {
    const buckets = group.filter((sample) => sample.name === `${name}_bucket`)
    let before = { bound: Number.NEGATIVE_INFINITY, count: 0 }
    for (const { labels, value } of buckets) {
      const bound = Number(labels.get('le')?.replace('Inf', 'Infinity'))
      assert(bound > before.bound && value >= before.count, `${name}: buckets do not ascend`)
      before = { bound, count: value }
    }
    assert.equal(before.bound, Number.POSITIVE_INFINITY)
    assert.equal(before.count, group.find((sample) => sample.name === `${name}_count`)?.value)
    assert(group.some((sample) => sample.name === `${name}_sum`))
  }
}
