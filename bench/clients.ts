/**
 * `@kaska/client` beside the Kafka clients that Node has, all against the same Kaska: each in a process of its
 * own (bench/clients/program.ts), in turn, as a program uses it.
 */
import path from 'node:path'
import process from 'node:process'
import { connect } from '@kaska/client'
import { runDriver } from './lib/driver.ts'
import { npmFolder } from './lib/npm-folder.ts'
import { median, pairedRatio } from './lib/stats.ts'
import type { Aim, Suite, SuiteOptions, SuiteResult } from './lib/suite.ts'
import { root, startKaska } from './lib/target.ts'

const directory = path.join(root, 'bench/clients')
const runMsMax = 120_000
const ours = '@kaska/client'
const libraries = { kaska: ours, platformatic: '@platformatic/kafka', kafkajs: 'kafkajs' } as const

type Library = keyof typeof libraries
const names = Object.keys(libraries) as Library[]

interface Figures {
  readonly seconds: number
  readonly messages: number
  readonly cpuSeconds: number
}

type Runs = Readonly<Record<Library, Figures[]>>

const loads = {
  batches: 'in, 100 a call, 5 calls at once',
  each: 'in, one a call, 1,000 calls at once',
  consume: 'out',
} as const

export const suite: Suite = {
  about: '@kaska/client beside other clients of Node, on the same Kaska',
  async run({ isQuick, say }: SuiteOptions): Promise<SuiteResult> {
    npmFolder('clients')
    const rounds = isQuick ? 1 : 3
    const rows: string[][] = []
    const aims: Aim[] = []
    await using kaska = await startKaska({ sync: 'os' })
    await using client = await connect(`kaska://127.0.0.1:${kaska.port}`)
    for (const bytes of [100, 1024]) {
      for (const load of ['batches', 'each', 'consume'] as const) {
        const runs: Runs = { kaska: [], platformatic: [], kafkajs: [] }
        const failures = new Set<string>()
        for (let round = 1; round <= rounds; round++) {
          for (const library of names) {
            say(`${loads[load]}, ${bytes} B: ${libraries[library]}, round ${round} of ${rounds}`)
            const count = countOf(load, library, bytes) * (isQuick ? 0.5 : 1)
            await client.createTopic('clients')
            try {
              if (load === 'consume') await runProgram('kaska', 'batches', kaska.port, bytes, count)
              runs[library].push(await runProgram(library, load, kaska.port, bytes, count))
            } catch (error) {
              failures.add(error instanceof Error ? error.message : String(error))
            }
            await client.deleteTopic('clients')
          }
        }
        for (const failure of failures) say(failure)
        const name = `${bytes === 1024 ? '1 KiB' : `${bytes} B`}, ${loads[load]}`
        rows.push([name, ...cells(runs, rate, 0), ...cells(runs, cpuPerMillion, 2)])
        // One message a call is a request a message with the others: no match.
        if (load === 'each') continue
        for (const other of ['platformatic', 'kafkajs'] as const) {
          const ratio = (figure: (run: Figures) => number) =>
            pairedRatio(runs.kaska.map(figure), runs[other].map(figure))
          const of = `${name}: of ${libraries[other]}'s`
          aims.push({ name: `${of} messages a second`, value: ratio(rate), unit: '', atLeast: 3 })
          aims.push({ name: `${of} CPU`, value: ratio(cpuPerMillion), unit: '', atMost: 0.333 })
        }
      }
    }
    const head = [
      '',
      ...names.map((name) => `${libraries[name]}, thousand a second`),
      ...names.map((name) => `${libraries[name]}, CPU/M`),
    ]
    const title = 'Messages a second, and the client’s CPU seconds a million'
    return { tables: [{ title, head, rows }], aims }
  },
}

const rate = ({ messages, seconds }: Figures): number => messages / seconds / 1000
const cpuPerMillion = ({ cpuSeconds, messages }: Figures): number => cpuSeconds / (messages / 1e6)

function cells(runs: Runs, figure: (run: Figures) => number, digits: number): string[] {
  return names.map((name) => {
    const value = median(runs[name].map(figure))
    return Number.isNaN(value) ? 'failed' : value.toFixed(digits)
  })
}

/** So many that each takes a second or so. */
function countOf(load: keyof typeof loads, library: Library, bytes: number): number {
  const isOurs = library === 'kaska'
  const scale = bytes < 1000 ? 1 : 0.5
  if (load === 'each') return (isOurs ? 1_000_000 : 20_000) * scale
  // So many that joining a group does not count for much, which our library has no need of.
  if (load === 'consume') return (isOurs ? 2_000_000 : 1_000_000) * scale
  return (isOurs ? 2_000_000 : 500_000) * scale
}

async function runProgram(
  library: Library,
  load: keyof typeof loads,
  port: number,
  bytes: number,
  count: number,
): Promise<Figures> {
  const program = path.join(directory, 'program.ts')
  const argv = [library, load, String(port), 'clients', String(bytes), String(count)]
  const all = ['--conditions=source', program, ...argv]
  return await runDriver<Figures>(process.execPath, all, { cwd: root, msMax: runMsMax })
}
