/**
 * A CPU profile of the broker under load, for who makes it faster: where its time goes, by function, and a
 * .cpuprofile for the browser's tools.
 *
 *     npm run bench -- profile [in|out|one|large]
 */
import { mkdtempSync, readdirSync, readFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import path from 'node:path'
import { consumeFromKaska, produceToKaska, roundTripTimes } from './lib/load.ts'
import { median } from './lib/stats.ts'
import { startKaska, type Target } from './lib/target.ts'

const loads: Readonly<Record<string, (kaska: Target) => Promise<string>>> = {
  /** 1 KiB messages, 100 a batch. */
  async in(kaska) {
    const options = { messageBytes: 1024, batchMessages: 100, batches: 20_000, window: 5 }
    const { seconds, messages, cpuSeconds } = await produceToKaska(kaska, options)
    return `${Math.round(messages / seconds)} messages/s, ${cpuSeconds} CPU s`
  },
  async out(kaska) {
    const options = { messageBytes: 1024, batchMessages: 100, batches: 5000, window: 5 }
    await produceToKaska(kaska, options)
    let text = ''
    for (let round = 0; round < 5; round++) {
      const { seconds, messages, cpuSeconds } = await consumeFromKaska(kaska, 1024, 2)
      text = `${Math.round(messages / seconds)} messages/s, ${cpuSeconds} CPU s`
    }
    return text
  },
  async one(kaska) {
    const times = await roundTripTimes(kaska, false, 50_000, 100)
    return `p50 ${median(times).toFixed(1)} µs`
  },
  async large(kaska) {
    const options = { messageBytes: 65_536, batchMessages: 1, batches: 30_000, window: 5 }
    const { seconds, valueBytes, cpuSeconds } = await produceToKaska(kaska, options)
    return `${Math.round(valueBytes / 1e6 / seconds)} MB/s, ${cpuSeconds} CPU s`
  },
}

export async function profile([name = 'in']: readonly string[]): Promise<void> {
  const load = loads[name]
  if (load === undefined) throw new Error(`the loads are ${Object.keys(loads).join(', ')}`)
  const directory = mkdtempSync(path.join(tmpdir(), 'kaska-profile-'))
  const nodeOptions = ['--cpu-prof', `--cpu-prof-dir=${directory}`, '--cpu-prof-interval=200']
  const kaska = await startKaska({ sync: 'os', nodeOptions })
  console.log(await load(kaska))
  await kaska.stop('SIGTERM')
  const [file] = readdirSync(directory)
  if (file === undefined) throw new Error('the broker wrote no profile')
  const cpuProfile = path.join(directory, file)
  console.log(hottest(cpuProfile))
  console.log(`\nFor the browser's tools: ${cpuProfile}`)
}

interface CpuProfile {
  readonly nodes: readonly {
    readonly id: number
    readonly callFrame: { readonly functionName: string; readonly url: string; lineNumber: number }
  }[]
  readonly samples: readonly number[]
  readonly timeDeltas: readonly number[]
}

/** The functions in which most time was spent themselves. */
function hottest(file: string): string {
  const { nodes, samples, timeDeltas } = JSON.parse(readFileSync(file, 'utf8')) as CpuProfile
  const names = new Map(
    nodes.map(({ id, callFrame: { functionName, url, lineNumber } }) => {
      const place = url === '' ? '' : ` ${url.replace(/^.*\/packages\//, '')}:${lineNumber + 1}`
      return [id, `${functionName === '' ? '(anonymous)' : functionName}${place}`]
    }),
  )
  const byName = new Map<string, number>()
  for (const [index, id] of samples.entries()) {
    const name = names.get(id) ?? ''
    if (name === '(idle)') continue
    byName.set(name, (byName.get(name) ?? 0) + (timeDeltas[index] ?? 0))
  }
  const total = [...byName.values()].reduce((sum, time) => sum + time, 0)
  return [...byName]
    .sort(([, a], [, b]) => b - a)
    .slice(0, 30)
    .map(([name, time]) => `${((time / total) * 100).toFixed(1).padStart(5)} %  ${name}`)
    .join('\n')
}
