/**
 * What one broker carries before something gives way, and which gauge shows it coming: docs/operations.md and
 * docs/scaling.md rest on these figures. Each part is in bench/capacity/; what lies idle is the memory suite's.
 */
import { measureConnections } from './capacity/connections.ts'
import { measureDisk } from './capacity/disk.ts'
import { measureFanOut } from './capacity/fan-out.ts'
import { measureKafka } from './capacity/kafka.ts'
import { measureLoadCurves } from './capacity/load-curve.ts'
import { join, type Part } from './capacity/part.ts'
import { measureThroughput } from './capacity/throughput.ts'
import { measurePartitions } from './capacity/topics.ts'
import type { Suite, SuiteOptions, SuiteResult } from './lib/suite.ts'
import { suite as memory } from './memory.ts'

export const suite: Suite = {
  about: 'what one broker carries, and which gauge shows that the limit comes',
  async run(options: SuiteOptions): Promise<SuiteResult> {
    const parts: Part[] = []
    for (const measure of [
      measureThroughput,
      measureLoadCurves,
      measureFanOut,
      measureConnections,
      measureIdle,
      measurePartitions,
      measureDisk,
      measureKafka,
    ]) {
      parts.push(await measure(options))
    }
    return join(parts)
  },
}

/** What 2,000 connections and 100,000 topics take. */
async function measureIdle(options: SuiteOptions): Promise<Part> {
  const { tables } = await memory.run(options)
  const started = tables[0]?.rows.at(-1)
  const [what = '', , each = '', readyMs = ''] = started ?? []
  const count = tables[0]?.rows.at(-2)?.[0] ?? ''
  const carried = {
    what: count.replace(', just created', ''),
    most: `${each} each`,
    plan: each,
    limit: `memory; ${what} takes ${readyMs} ms`,
  }
  return { tables, carried: [carried] }
}
