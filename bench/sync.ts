/**
 * What it costs to make one append to each of many partitions durable, in the two ways that a log could
 * do it, and what a write costs on its two ways into the page cache. docs/decisions/0001 and 0005 rest on
 * these figures.
 */
import { spawn } from 'node:child_process'
import { once } from 'node:events'
import process from 'node:process'
import { fileURLToPath } from 'node:url'
import type { Suite, SuiteOptions, SuiteResult } from './lib/suite.ts'
import type { SyncFigures } from './lib/sync-process.ts'

const partitionCounts = [1, 50, 200, 1000]
const threadCounts = [4, 8, 16, 24, 32]

export const suite: Suite = {
  about: 'a sync per partition or one shared journal; writes at once or through the thread pool',
  async run({ isQuick, say }: SuiteOptions): Promise<SuiteResult> {
    const rows: string[][] = []
    let last: SyncFigures | undefined
    for (const threads of threadCounts) {
      say(`${threads} threads`)
      const figures = await measure(threads, isQuick)
      rows.push([
        `a sync each, ${threads} threads, ${figures.parallel} syncs at a time`,
        ...figures.perPartition.map((ms) => ms.toFixed(2)),
      ])
      last = figures
    }
    if (last === undefined) throw new Error('nothing was measured')
    rows.push(['one journal, until it is synced', ...last.journal.map((ms) => ms.toFixed(2))])
    rows.push(['one journal, and the segments written', ...last.both.map((ms) => ms.toFixed(2))])
    return {
      tables: [
        {
          title: 'one append of 1 KiB to each partition, all durable: p50, ms',
          head: ['partitions', ...partitionCounts.map((count) => count.toLocaleString('en-US'))],
          rows,
          note: 'The journal writes every byte twice, and its segments are synced some time as well.',
        },
        {
          title: 'one write into the page cache: p50, microseconds',
          head: ['bytes', '100', '16,384', '262,144'],
          rows: [
            ['at once', ...last.atOnce.map((us) => us.toFixed(1))],
            ['through the thread pool', ...last.throughPool.map((us) => us.toFixed(1))],
          ],
        },
      ],
      aims: [],
    }
  },
}

/** The size of the pool is fixed when a process begins to use it: so each has a process. */
async function measure(threads: number, isQuick: boolean): Promise<SyncFigures> {
  const script = fileURLToPath(new URL('./lib/sync-process.ts', import.meta.url))
  const child = spawn(
    process.execPath,
    ['--conditions=source', script, JSON.stringify(partitionCounts), isQuick ? 'quick' : 'full'],
    {
      env: { ...process.env, UV_THREADPOOL_SIZE: String(threads) },
      stdio: ['ignore', 'pipe', 'inherit'],
    },
  )
  let output = ''
  child.stdout.on('data', (data) => {
    output += data
  })
  const [code] = await once(child, 'close')
  if (code !== 0) throw new Error(`the measuring process ended with ${code}`)
  return JSON.parse(output) as SyncFigures
}
