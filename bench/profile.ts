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

interface ProfileNode {
  readonly id: number
  readonly callFrame: { readonly functionName: string; readonly url: string; lineNumber: number }
  readonly children?: readonly number[]
}

interface CpuProfile {
  readonly nodes: readonly ProfileNode[]
  readonly samples: readonly number[]
  readonly timeDeltas: readonly number[]
}

/** The functions in which most time was spent, by themselves and with what they call. */
function hottest(file: string): string {
  const { nodes, samples, timeDeltas } = JSON.parse(readFileSync(file, 'utf8')) as CpuProfile
  const selfTimes = new Map<number, number>()
  for (const [index, id] of samples.entries()) {
    selfTimes.set(id, (selfTimes.get(id) ?? 0) + (timeDeltas[index] ?? 0))
  }
  const byId = new Map(nodes.map((node) => [node.id, node]))
  const self = new Map<string, number>()
  const withCalls = new Map<string, number>()
  const visit = (node: ProfileNode, above: ReadonlySet<string>): number => {
    const name = nameOf(node)
    if (name === '(idle)') return 0
    const isOutermost = !above.has(name)
    const names = isOutermost ? new Set([...above, name]) : above
    const own = selfTimes.get(node.id) ?? 0
    let time = own
    for (const id of node.children ?? []) {
      const child = byId.get(id)
      if (child !== undefined) time += visit(child, names)
    }
    self.set(name, (self.get(name) ?? 0) + own)
    if (isOutermost) withCalls.set(name, (withCalls.get(name) ?? 0) + time)
    return time
  }
  const [root] = nodes
  const total = root === undefined ? 0 : visit(root, new Set())
  const top = (times: ReadonlyMap<string, number>): string =>
    [...times]
      .sort(([, a], [, b]) => b - a)
      .slice(0, 40)
      .map(([name, time]) => `${((time / total) * 100).toFixed(1).padStart(5)} %  ${name}`)
      .join('\n')
  return `By themselves:\n${top(self)}\n\nWith what they call:\n${top(withCalls)}`
}

function nameOf({ callFrame: { functionName, url, lineNumber } }: ProfileNode): string {
  const place = url === '' ? '' : ` ${url.replace(/^.*\/packages\//, '')}:${lineNumber + 1}`
  return `${functionName === '' ? '(anonymous)' : functionName}${place}`
}
