/**
 * Ten million commits by ten names (contract 4): what they leave on the disk, how long they take, and
 * whether a start notices them.
 */
import { mkdtempSync, readdirSync, rmSync, statSync } from 'node:fs'
import { tmpdir } from 'node:os'
import path from 'node:path'
import { topicNameOf } from '@kaska/protocol'
import { createBroker } from 'kaska'
import type { Suite, SuiteOptions, SuiteResult } from './lib/suite.ts'

const context = { principal: null, clientId: 'bench', address: 'in-process' }
const namesCount = 10
const atOnce = 1000

export const suite: Suite = {
  about: 'ten million commits by ten names',
  async run({ isQuick, say }: SuiteOptions): Promise<SuiteResult> {
    const commitCount = isQuick ? 300_000 : 10_000_000
    const data = mkdtempSync(path.join(tmpdir(), 'kaska-bench-commits-'))
    try {
      const emptyMs = await startMs(data)
      const seconds = await commitMany(data, commitCount, say)
      const bytes = bytesIn(data)
      const fullMs = await startMs(data)
      return {
        tables: [
          {
            title: 'Commits, 1,000 under way, --sync os',
            head: [
              'commits',
              'a second',
              'left on the disk, KB',
              'start before, ms',
              'start after, ms',
            ],
            rows: [
              [
                commitCount.toLocaleString('en-US'),
                Math.round(commitCount / seconds).toLocaleString('en-US'),
                (bytes / 1000).toFixed(0),
                emptyMs.toFixed(1),
                fullMs.toFixed(1),
              ],
            ],
          },
        ],
        aims: [
          { name: 'what the commits leave', value: bytes / 1e6, unit: 'MB', atMost: 10 },
          {
            name: 'how much longer a start takes',
            value: fullMs - emptyMs,
            unit: 'ms',
            atMost: 50,
          },
        ],
      }
    } finally {
      rmSync(data, { recursive: true, force: true })
    }
  },
}

/** How long the broker takes to open the directory, in this process. */
async function startMs(data: string): Promise<number> {
  const started = performance.now()
  const broker = await createBroker({ data, topics: [{ name: 't' }] })
  const ms = performance.now() - started
  await broker.close()
  return ms
}

async function commitMany(
  data: string,
  commitCount: number,
  say: (line: string) => void,
): Promise<number> {
  await using broker = await createBroker({ data, sync: 'os' })
  const { engine } = broker
  const [topic] = await engine.resolve([topicNameOf('t')], context)
  if (topic === undefined) throw new Error('the topic is gone')
  const started = performance.now()
  for (let offset = 0; offset < commitCount; offset += atOnce) {
    if (offset % 1_000_000 === 0) say(`${offset.toLocaleString('en-US')} commits`)
    const commits = Array.from({ length: atOnce }, (_, index) => {
      const entry = { topic: topic.id, partition: 0, offset: offset + index }
      return engine.commit(`name-${index % namesCount}`, [entry], context)
    })
    await Promise.all(commits)
  }
  return (performance.now() - started) / 1000
}

/** The bytes of the state of offsets. */
function bytesIn(data: string): number {
  const directory = path.join(data, 'state', 'offsets')
  let bytes = 0
  for (const name of readdirSync(directory)) bytes += statSync(path.join(directory, name)).size
  return bytes
}
