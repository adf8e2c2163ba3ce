/**
 * Kafka's clients: batches in and out at once on Kaska and on one node of Apache Kafka, by franz-go. Then Kaska
 * in front of that node, as native clients see it. Left out where there is no Go or no Java.
 */
import { SkippedError } from '../../compat/lib/maven.ts'
import { type Contenders, startContenders } from '../lib/contender.ts'
import { buildFranz, type FranzFigures, runFranz } from '../lib/franz.ts'
import { median } from '../lib/stats.ts'
import type { SuiteOptions, Table } from '../lib/suite.ts'
import { cpuSecondsOf } from '../lib/target.ts'
import { measureGateway } from './gateway.ts'
import { type Part, rates } from './part.ts'
import { thousands } from './text.ts'

const partitions = 4

export async function measureKafka(options: SuiteOptions): Promise<Part> {
  try {
    const franz = buildFranz()
    options.say('starting Kaska and Apache Kafka')
    await using contenders = await startContenders('os', franz)
    const kafka = contenders.brokers.get('Apache Kafka')
    const tables = [await measureInAndOut(contenders, franz, options)]
    if (kafka !== undefined) tables.push(await measureGateway(kafka, options))
    const carried = (tables[0]?.rows ?? []).map(([size, , megabytes]) => ({
      what: `Kafka’s clients, in, and out once: ${size}, batches of 16 KiB, sync os`,
      ...rates(Number(megabytes), 'MB/s'),
      limit: 'the machine, with the driver on it',
    }))
    return { tables, carried }
  } catch (error) {
    if (!(error instanceof SkippedError)) throw error
    options.say(`Kafka's clients are left out: ${error.message}`)
    return { tables: [], carried: [] }
  }
}

interface InAndOut {
  readonly rate: number
  readonly cpuPerMillion: number
}

async function measureInAndOut(
  { brokers, skipped }: Contenders,
  franz: string,
  { isQuick, say }: SuiteOptions,
): Promise<Table> {
  const rows: string[][] = []
  const names = (['Kaska', 'Apache Kafka'] as const).filter((name) => brokers.has(name))
  for (const [bytes, records] of [
    [100, isQuick ? 200_000 : 3_000_000],
    [1024, isQuick ? 40_000 : 600_000],
  ] as const) {
    const measured = new Map<string, InAndOut[]>(names.map((name) => [name, []]))
    // The first rounds warm up.
    for (let round = isQuick ? 0 : -1; round <= (isQuick ? 1 : 3); round++) {
      for (const name of names) {
        say(`Kafka's clients, ${bytes} B: ${name}, round ${round}`)
        const broker = brokers.get(name)
        if (broker === undefined) continue
        const topic = { topic: 'both', partitions }
        await runFranz(franz, 'create', broker.port, topic)
        // Apache Kafka tells of a new topic before it serves it; sending waits for that, and a first batch is read.
        await runFranz(franz, 'send', broker.port, { ...topic, bytes, records: 1 })
        const cpuBefore = cpuSecondsOf(broker.pid)
        const load = { ...topic, bytes, records }
        const [sent, fetched] = await Promise.all([
          runFranz(franz, 'send', broker.port, load),
          runFranz(franz, 'fetch', broker.port, { ...load, records: Math.floor(records * 0.99) }),
        ])
        const cpuPerMillion = (cpuSecondsOf(broker.pid) - cpuBefore) / (sent.records / 1e6)
        await runFranz(franz, 'delete', broker.port, topic)
        if (round > 0) measured.get(name)?.push({ rate: slower(sent, fetched), cpuPerMillion })
      }
    }
    const figure = (name: string, of: (run: InAndOut) => number) =>
      median((measured.get(name) ?? []).map(of))
    const both = (of: (run: InAndOut) => number, digits: number) => {
      const [ours, theirs] = [figure('Kaska', of), figure('Apache Kafka', of)]
      return [ours.toFixed(digits), theirs.toFixed(digits), (ours / theirs).toFixed(2)]
    }
    rows.push([
      `${bytes} B`,
      thousands(figure('Kaska', ({ rate }) => rate)),
      ...both(({ rate }) => (rate * bytes) / 1e6, 0),
      ...both(({ cpuPerMillion }) => cpuPerMillion, 2),
    ])
  }
  const left = [...skipped].map(([name, reason]) => ` ${name} was left out: ${reason}.`).join('')
  return {
    title: 'Kafka’s clients, in and out at once: batches of 16 KiB, 4 partitions, sync os',
    head: [
      '',
      'Kaska, records/s',
      'Kaska, MB/s in',
      'Apache Kafka',
      'Kaska : Apache Kafka',
      'Kaska, CPU s/M',
      'Apache Kafka',
      'Kaska : Apache Kafka',
    ],
    rows,
    note: `The driver and the broker share the machine.${left}`,
  }
}

/** Records a second of the slower of both ways. */
function slower(sent: FranzFigures, fetched: FranzFigures): number {
  return Math.min(sent.records / sent.seconds, fetched.records / fetched.seconds)
}
