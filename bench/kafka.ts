/**
 * Brokers that speak Kafka's protocol, in turn in one run on one machine: Kaska, Apache Kafka and franz-go's
 * kfake, each in a process of its own, driven by the same program with the same parameters (bench/franz).
 * Rounds are interleaved; the figures are medians, the ratios medians of the rounds' ratios.
 */
import { SkippedError } from '../compat/lib/maven.ts'
import {
  Arena,
  aim,
  brokerCpu,
  type Comparison,
  cells,
  cpuPerMillion,
  headOf,
  medianOf,
  ours,
  quantileOf,
  type Run,
  type Runs,
  rate,
  ratioOf,
  recordsPerSecond,
  theirs,
} from './lib/arena.ts'
import {
  type ContenderName,
  type Contenders,
  prepareContender,
  startContenders,
} from './lib/contender.ts'
import { buildFranz, runFranz } from './lib/franz.ts'
import { installKaska } from './lib/installed-kaska.ts'
import { median, pairedRatio } from './lib/stats.ts'
import type { Aim, Suite, SuiteOptions, SuiteResult, Table } from './lib/suite.ts'
import { memoryOf, startEcho, startSource } from './lib/target.ts'

const mebibyte = 2 ** 20
const gigabyte = 1e9

export const suite: Suite = {
  about: 'Kaska, Apache Kafka and kfake, driven by franz-go',
  async run(options: SuiteOptions): Promise<SuiteResult> {
    const franz = buildFranz()
    const results = [
      await measureUnsynced(franz, options),
      await measureSynced(franz, options),
      await measureStartUp(franz, options),
    ]
    return {
      tables: results.flatMap(({ tables }) => tables),
      aims: results.flatMap(({ aims }) => aims),
    }
  },
}

/** Kaska as others are by default: acknowledged once the operating system has it. */
async function measureUnsynced(franz: string, options: SuiteOptions): Promise<SuiteResult> {
  options.say('starting the brokers')
  await using contenders = await startContenders('os', franz)
  const arena = new Arena(franz, 'os', contenders, options)
  const idle = memories(arena)
  await warmUp(arena, options)
  const throughput = await measureThroughput(arena, franz, options)
  const roundTrips = await measureRoundTrips(arena, options)
  const latency = await measureLatency(arena, options)
  const topics = await measureTopics(arena, options)
  const memory = memoryTable(arena, idle)
  const results = [throughput, roundTrips, latency, topics, memory]
  const tables = results.flatMap((result) => result.tables)
  return { tables: withSkipped(tables, contenders), aims: results.flatMap(({ aims }) => aims) }
}

function withSkipped(tables: readonly Table[], { skipped }: Contenders): Table[] {
  const [first, ...others] = tables
  if (first === undefined || skipped.size === 0) return [...tables]
  const reasons = [...skipped].map(([name, reason]) => `${name} was left out: ${reason}.`)
  return [{ ...first, note: [first.note ?? [], ...reasons].flat().join(' ') }, ...others]
}

/** What runs on a virtual machine compiles its code while it works. */
async function warmUp(arena: Arena, { isQuick }: SuiteOptions): Promise<void> {
  const topic = { topic: 'warm-up' }
  const records = 500_000
  const commands = [
    ['produce', { records }],
    ['send', { records }],
    ['fetch', { records: 2 * records }],
  ] as const
  await arena.rounds('warm-up', 0, topic, commands, isQuick ? 2 : 6)
}

interface Load {
  readonly bytes: number
  readonly partitions: number
  /** Encoded beforehand, 16 KiB a batch; else by the library's producer and consumer. */
  readonly isEncoded: boolean
  readonly records: number
}

function loads(isQuick: boolean): Load[] {
  const scale = isQuick ? 0.4 : 1
  const all: Load[] = []
  for (const isEncoded of [true, false]) {
    for (const bytes of [100, 1024]) {
      for (const partitions of [1, 6]) {
        const records = Math.round((bytes < 1000 ? 2_000_000 : 400_000) * scale)
        all.push({ bytes, partitions, isEncoded, records })
      }
    }
  }
  return all
}

const sizeOf = (bytes: number): string => (bytes === 1024 ? '1 KiB' : `${bytes} B`)
const partitionsOf = (count: number): string => `${count} partition${count === 1 ? '' : 's'}`

async function measureThroughput(
  arena: Arena,
  franz: string,
  options: SuiteOptions,
): Promise<SuiteResult> {
  const rounds = options.isQuick ? 2 : 5
  const inRows: string[][] = []
  const outRows: string[][] = []
  const driverRows: string[][] = []
  const aims: Aim[] = []
  for (const { bytes, partitions, isEncoded, records } of loads(options.isQuick)) {
    const name = `${sizeOf(bytes)}, ${partitionsOf(partitions)}, ${isEncoded ? 'encoded' : 'records'}`
    const [produced = new Map(), consumed = new Map()] = await arena.rounds(
      name,
      rounds,
      { topic: 'load', partitions },
      [
        [isEncoded ? 'send' : 'produce', { bytes, records }],
        // What the warm record of each run adds, or the last batch leaves out, is no matter.
        [isEncoded ? 'fetch' : 'consume', { bytes, records: Math.floor(records * 0.99) }],
      ],
    )
    const source = isEncoded ? await sourceCpu(franz, partitions, options) : undefined
    inRows.push([
      name,
      ...cells(arena, produced, recordsPerSecond),
      ...cells(arena, produced, brokerCpu),
    ])
    outRows.push([
      name,
      ...cells(arena, consumed, recordsPerSecond),
      ...cells(arena, consumed, brokerCpu),
      source === undefined ? '' : ofSource(consumed, ours, source).toFixed(2),
      source === undefined || !consumed.has(theirs)
        ? ''
        : ofSource(consumed, theirs, source).toFixed(2),
    ])
    const driver = { figure: driverCpu, digits: 3 }
    driverRows.push([
      name,
      ...cells(arena, produced, driver).slice(0, -1),
      ...cells(arena, consumed, driver).slice(0, -1),
    ])
    const cpuShare = bytes < 1000 ? 1 / 3 : 1 / 2
    const inCpu = ratioOf(produced, cpuPerMillion)
    aims.push(...aim(`in, ${name}: CPU of Kafka's`, inCpu, { atMost: round(cpuShare) }))
    if (!isEncoded) continue
    aims.push(
      ...aim(`in, ${name}: throughput of Kafka's`, ratioOf(produced, rate), { atLeast: 1.5 }),
    )
    aims.push(
      ...aim(`out, ${name}: throughput of Kafka's`, ratioOf(consumed, rate), { atLeast: 1 }),
    )
    if (source === undefined) continue
    const share = ofSource(consumed, ours, source)
    aims.push(...aim(`out, ${name}: CPU of a bare server's`, share, { atMost: 1.3 }))
  }
  const rates = headOf(arena, 'k/s')
  const costs = headOf(arena, 'CPU/M')
  const names = arena.names
  return {
    tables: [
      {
        title: 'In, sync os (thousand records a second; CPU seconds of the broker a million)',
        head: ['', ...rates, ...costs],
        rows: inRows,
        note: 'encoded: batches of 16 KiB that the driver has made beforehand, five requests under way, each with a batch for each partition. records: the library’s own producer, which makes larger batches the slower the broker is.',
      },
      {
        title: 'Out, sync os (thousand records a second; CPU seconds of the broker a million)',
        head: ['', ...rates, ...costs, `${ours} : bare server`, `${theirs} : bare server`],
        rows: outRows,
        note: 'encoded: the driver looks at the batches’ headers alone. records: the library’s own consumer. The last columns: CPU a byte beside a bare Node server that sends the file (bench/source.ts).',
      },
      {
        title: 'The driver’s own CPU seconds a million records',
        head: ['', ...names.map((name) => `in: ${name}`), ...names.map((name) => `out: ${name}`)],
        rows: driverRows,
      },
    ],
    aims,
  }
}

const driverCpu = ({ cpuSeconds, records }: Run): number => cpuSeconds / (records / 1e6)
const round = (value: number): number => Math.round(value * 1000) / 1000

/** CPU seconds per GB of a bare server that sends what a fetch brings: up to 1 MiB of each partition. */
async function sourceCpu(
  franz: string,
  partitions: number,
  { isQuick }: SuiteOptions,
): Promise<number> {
  const bytes = 256 * mebibyte
  await using source = await startSource(bytes)
  const each: number[] = []
  for (let round = 0; round <= (isQuick ? 2 : 5); round++) {
    const before = source.cpuSeconds()
    const options = { bytes: partitions * mebibyte, records: Math.floor(256 / partitions) }
    const { valueBytes } = await runFranz(franz, 'source', source.port, options)
    // The first round warms up.
    if (round > 0) each.push((source.cpuSeconds() - before) / (valueBytes / gigabyte))
  }
  return median(each)
}

function ofSource(runs: Runs, name: ContenderName, source: number): number {
  const perGigabyte = ({ brokerCpuSeconds, wireBytes = 0 }: Run) =>
    brokerCpuSeconds / (wireBytes / gigabyte)
  return medianOf(runs, name, perGigabyte) / source
}

async function measureRoundTrips(arena: Arena, { isQuick }: SuiteOptions): Promise<SuiteResult> {
  const records = (isQuick ? 1000 : 4000) / (arena.sync === 'always' ? 4 : 1)
  const rows: string[][] = []
  const aims: Aim[] = []
  const notes: string[] = []
  for (const bytes of [100, 1024]) {
    const name = `${sizeOf(bytes)}, sync ${arena.sync}`
    const commands = [['one', { bytes, records }]] as const
    const [runs = new Map()] = await arena.rounds(
      `one at a time, ${sizeOf(bytes)}`,
      isQuick ? 2 : 5,
      { topic: 'one' },
      commands,
    )
    rows.push([
      name,
      ...cells(arena, runs, { figure: rate, digits: 0 }),
      ...cells(arena, runs, { figure: quantileOf(0.5), digits: 0 }),
      ...cells(arena, runs, { figure: quantileOf(0.99), digits: 0 }),
      ...cells(arena, runs, { figure: cpuPerMillion, digits: 0 }),
    ])
    notes.push(`${sizeOf(bytes)}: ${await echoRate(arena, bytes, records)} a second.`)
    if (arena.sync === 'os') {
      aims.push(...aim(`round trips, ${name}: of Kafka's`, ratioOf(runs, rate), { atLeast: 5 }))
    }
  }
  const head = ['', ...['a second', 'p50, µs', 'p99, µs', 'CPU/M'].flatMap((u) => headOf(arena, u))]
  const note = `A bare Node server that sends back what it reads, asked by the driver without its library: ${notes.join(' ')}`
  const title = `One record at a time, sync ${arena.sync}`
  return { tables: [{ title, head, rows, note }], aims }
}

/** What is left of a round trip where there is neither a broker nor a library: sockets, and two processes. */
async function echoRate(arena: Arena, bytes: number, records: number): Promise<string> {
  await using echo = await startEcho()
  const each: number[] = []
  for (let round = 0; round <= 3; round++) {
    const { seconds } = await runFranz(arena.franz, 'echo', echo.port, { bytes, records })
    // The first round warms up.
    if (round > 0) each.push(records / seconds)
  }
  return Math.round(median(each)).toLocaleString('en-US')
}

/** At this rate code is compiled for some 15 seconds, on cores that those who are measured would have. */
const latencyWarmUps = 4

async function measureLatency(arena: Arena, { isQuick }: SuiteOptions): Promise<SuiteResult> {
  const rows: string[][] = []
  const aims: Aim[] = []
  const records = 2000 * (isQuick ? 1 : 4)
  for (const bytes of [100, 1024]) {
    const [runs = new Map()] = await arena.rounds(
      `end to end, ${sizeOf(bytes)}`,
      isQuick ? 1 : 3,
      { topic: 'latency' },
      [['latency', { bytes, records, rate: 2000 }]],
      isQuick ? 1 : latencyWarmUps,
    )
    const name = `${sizeOf(bytes)}, 2,000 a second`
    const shares = [0.5, 0.99, 0.999]
    rows.push([
      name,
      ...shares.flatMap((share) => cells(arena, runs, { figure: quantileOf(share), digits: 0 })),
      ...cells(arena, runs, { figure: cpuPerMillion, digits: 0 }),
    ])
    for (const share of [0.5, 0.99]) {
      const ratio = ratioOf(runs, quantileOf(share))
      aims.push(...aim(`end to end, ${name}: p${share * 100} of Kafka's`, ratio, { atMost: 0.5 }))
    }
  }
  const units = ['p50, µs', 'p99, µs', 'p99.9, µs', 'CPU/M']
  const head = ['', ...units.flatMap((unit) => headOf(arena, unit))]
  const title = `End to end, from the producer’s call to the consumer, sync ${arena.sync}`
  return { tables: [{ title, head, rows }], aims }
}

async function measureTopics(arena: Arena, { isQuick }: SuiteOptions): Promise<SuiteResult> {
  const topic = { topic: 'many', topics: 200 }
  const records = isQuick ? 200_000 : 500_000
  const [created = new Map(), produced = new Map(), consumed = new Map()] = await arena.rounds(
    '200 topics at once',
    isQuick ? 1 : 3,
    { topic: 'beside' },
    [
      ['create', topic],
      ['produce', { ...topic, records }],
      ['consume', { ...topic, records: Math.floor(records * 0.99) }],
      ['delete', topic],
    ],
  )
  const milliseconds = { figure: ({ seconds }: Run) => seconds * 1000, digits: 0 }
  const row = (name: string, runs: Runs, figure: Comparison) => [
    name,
    ...cells(arena, runs, figure),
  ]
  return {
    tables: [
      {
        title: '200 topics at once, 100 B, sync os',
        head: ['', ...headOf(arena, '')],
        rows: [
          row('created, ms', created, milliseconds),
          row('in, thousand records a second', produced, recordsPerSecond),
          row('in, CPU seconds a million', produced, brokerCpu),
          row('out, thousand records a second', consumed, recordsPerSecond),
          row('out, CPU seconds a million', consumed, brokerCpu),
        ],
      },
    ],
    aims: [],
  }
}

function memories(arena: Arena): Map<ContenderName, number> {
  return new Map(arena.names.map((name) => [name, memoryOf(arena.pidOf(name)).residentBytes]))
}

function memoryTable(arena: Arena, idle: ReadonlyMap<ContenderName, number>): SuiteResult {
  const peaks = new Map(arena.names.map((name) => [name, memoryOf(arena.pidOf(name)).peakBytes]))
  const share = (of: ReadonlyMap<ContenderName, number>): number | undefined => {
    const their = of.get(theirs)
    return their === undefined ? undefined : (of.get(ours) ?? 0) / their
  }
  const row = (name: string, of: ReadonlyMap<ContenderName, number>) => [
    name,
    ...[...of.values()].map((bytes) => (bytes / mebibyte).toFixed(0)),
    share(of)?.toFixed(2) ?? '',
  ]
  return {
    tables: [
      {
        title: 'Memory, MiB',
        head: ['', ...headOf(arena, '')],
        rows: [row('after the start', idle), row('at most, in all of the above', peaks)],
      },
    ],
    aims: aim("memory at most: of Kafka's", share(peaks), { atMost: round(1 / 6) }),
  }
}

/** What is acknowledged is on the disk: Kafka with flush.messages=1, kfake with a sync for each batch. */
async function measureSynced(franz: string, options: SuiteOptions): Promise<SuiteResult> {
  options.say('starting the brokers')
  await using contenders = await startContenders('always', franz)
  const arena = new Arena(franz, 'always', contenders, options)
  await warmUp(arena, { ...options, isQuick: true })
  const rows: string[][] = []
  for (const bytes of [100, 1024]) {
    const records = Math.round((bytes < 1000 ? 500_000 : 100_000) * (options.isQuick ? 0.2 : 1))
    const [runs = new Map()] = await arena.rounds(
      `in, ${sizeOf(bytes)}`,
      options.isQuick ? 1 : 3,
      { topic: 'load' },
      [['send', { bytes, records }]],
    )
    rows.push([
      `${sizeOf(bytes)}, 1 partition, encoded`,
      ...cells(arena, runs, recordsPerSecond),
      ...cells(arena, runs, brokerCpu),
    ])
  }
  const roundTrips = await measureRoundTrips(arena, options)
  const spread = await measureSpread(arena, options)
  const head = ['', ...headOf(arena, 'k/s'), ...headOf(arena, 'CPU/M')]
  const title = 'In, sync always (Apache Kafka: flush.messages=1)'
  const tables = [{ title, head, rows }, ...roundTrips.tables, ...spread.tables]
  return { tables: withSkipped(tables, contenders), aims: [] }
}

async function measureSpread(arena: Arena, { isQuick }: SuiteOptions): Promise<SuiteResult> {
  const rows: string[][] = []
  for (const partitions of [1, 50, 200, 1000]) {
    const records = Math.max(5, Math.min(200, Math.round((isQuick ? 2000 : 5000) / partitions)))
    const [runs = new Map()] = await arena.rounds(
      `a record to each of ${partitions} partitions`,
      isQuick ? 1 : 3,
      { topic: 'spread', partitions },
      [['spread', { records }]],
      0,
    )
    const milliseconds = { figure: (run: Run) => quantileOf(0.5)(run) / 1000, digits: 2 }
    rows.push([partitionsOf(partitions), ...cells(arena, runs, milliseconds)])
  }
  const title =
    'A record to each partition at once, until all are on the disk, sync always (ms, p50)'
  return { tables: [{ title, head: ['', ...headOf(arena, '')], rows }], aims: [] }
}

/** From the start of the process until one record went in and came out: the driver is there before. */
async function measureStartUp(franz: string, options: SuiteOptions): Promise<SuiteResult> {
  const rounds = options.isQuick ? 2 : 5
  const times = new Map<ContenderName, number[]>()
  const program = await installKaska()
  for (let round = 1; round <= rounds; round++) {
    for (const name of ['Kaska', 'Apache Kafka', 'kfake'] as const) {
      options.say(`start-up: ${name}, round ${round} of ${rounds}`)
      try {
        await using broker = await prepareContender(name, 'os', franz, program)
        const isDone = runFranz(franz, 'first', broker.port, { topic: 'first' })
        // So that it waits by then.
        await new Promise((resolve) => setTimeout(resolve, 100))
        const started = performance.now()
        const [, done] = await Promise.all([
          broker.start(),
          isDone.then(() => performance.now() - started),
        ])
        times.set(name, [...(times.get(name) ?? []), done])
      } catch (error) {
        if (!(error instanceof SkippedError)) throw error
      }
    }
  }
  const their = times.get(theirs)
  const ratio = their === undefined ? undefined : pairedRatio(times.get(ours) ?? [], their)
  const each = [...times.values()].map((all) => median(all).toFixed(0))
  return {
    tables: [
      {
        title: 'Start-up, to the first round trip (ms)',
        head: ['', ...times.keys(), `${ours} : ${theirs}`],
        rows: [['', ...each, ratio?.toFixed(3) ?? '']],
      },
    ],
    aims: aim("start-up: of Kafka's", ratio, { atMost: 0.05 }),
  }
}
