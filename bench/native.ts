/**
 * The native protocol against a bare sink and a bare echo (bench/sink.ts, bench/echo.ts), in one run on one
 * machine: interleaved and repeated, each server in a process of its own, all driven by one load
 * generator that sends frames which were encoded beforehand. The figures are medians, after a warm-up.
 */
import { spawn } from 'node:child_process'
import { once } from 'node:events'
import process from 'node:process'
import { connect } from '@kaska/client'
import { installKaska } from './lib/installed-kaska.ts'
import {
  consumeFromKaska,
  deleteTopic,
  megabytesPerSecond,
  type ProduceOptions,
  produceToKaska,
  produceToSink,
  roundTripTimes,
  type Throughput,
} from './lib/load.ts'
import { onOneCore } from './lib/one-core.ts'
import { median, pairedRatio, quantile } from './lib/stats.ts'
import type { Aim, Suite, SuiteOptions, SuiteResult, Table } from './lib/suite.ts'
import { type SyncMode, startEcho, startKaska, startSink } from './lib/target.ts'

const warmUpRounds = 4

interface Load {
  readonly name: string
  readonly sync: SyncMode
  readonly produce: ProduceOptions
  /** Of the sink's throughput. */
  readonly aim?: number
}

function loads(isQuick: boolean): Load[] {
  const scale = isQuick ? 0.4 : 1
  const small = { messageBytes: 1024, batchMessages: 100, batches: 8000 * scale, window: 5 }
  const large = { messageBytes: 65_536, batchMessages: 1, batches: 16_000 * scale, window: 5 }
  const some = (options: ProduceOptions) => ({ ...options, batches: options.batches / 4 })
  return [
    { name: '1 KiB, 100 a batch, sync os', sync: 'os', produce: small, aim: 0.7 },
    { name: '64 KiB, sync os', sync: 'os', produce: large, aim: 0.8 },
    { name: '1 KiB, 100 a batch, sync always', sync: 'always', produce: some(small) },
    { name: '64 KiB, sync always', sync: 'always', produce: some(large) },
  ]
}

export const suite: Suite = {
  about: 'throughput, latency, bytes, CPU, memory and start-up beside a bare sink and echo',
  async run(options: SuiteOptions): Promise<SuiteResult> {
    const throughput = await measureThroughput(options)
    const latency = await measureLatency(options)
    const client = await measureClient(options)
    const startUp = await measureStartUp(options)
    return {
      tables: [...throughput.tables, ...latency.tables, ...client.tables, ...startUp.tables],
      aims: [...throughput.aims, ...latency.aims, ...startUp.aims],
    }
  },
}

interface Measured {
  readonly kaska: Throughput[]
  readonly consumed: Throughput[]
  readonly sinks: Record<'sync' | 'pool' | 'crc', Throughput[]>
  readonly peakBytes: number
}

async function measureThroughput(options: SuiteOptions): Promise<SuiteResult> {
  const produced: string[][] = []
  const costs: string[][] = []
  const aims: Aim[] = []
  for (const load of loads(options.isQuick)) {
    const { kaska, consumed, sinks, peakBytes } = await measureLoad(load, options)
    const rate = (runs: readonly Throughput[]) => median(runs.map(megabytesPerSecond))
    const best = sinks[rate(sinks.sync) >= rate(sinks.pool) ? 'sync' : 'pool']
    const rates = kaska.map(megabytesPerSecond)
    const ratio = pairedRatio(rates, best.map(megabytesPerSecond))
    const consuming = pairedRatio(consumed.map(megabytesPerSecond), rates)
    const { name, aim } = load
    produced.push([
      name,
      rate(sinks.sync).toFixed(0),
      rate(sinks.pool).toFixed(0),
      rate(sinks.crc).toFixed(0),
      median(rates).toFixed(0),
      ratio.toFixed(2),
      thousands(median(kaska.map(({ messages, seconds }) => messages / seconds))),
      rate(consumed).toFixed(0),
      consuming.toFixed(2),
    ])
    costs.push([
      name,
      ...costsOf(best),
      ...costsOf(kaska),
      ...costsOf(consumed),
      overhead(kaska),
      overhead(consumed),
      (peakBytes / 2 ** 20).toFixed(0),
    ])
    if (aim === undefined) continue
    aims.push({ name: `${name}: of the sink`, value: ratio, unit: '', atLeast: aim })
    aims.push({ name: `${name}: consuming of producing`, value: consuming, unit: '', atLeast: 1 })
  }
  const tables: Table[] = [
    {
      title: 'Throughput (MB/s of message values)',
      head: [
        'load',
        'sink, sync writes',
        'sink, thread pool',
        'sink with a CRC',
        'Kaska in',
        'of the faster sink',
        'Kaska in, messages/s',
        'Kaska out',
        'out : in',
      ],
      rows: produced,
    },
    {
      title: 'What it costs (CPU seconds of the server; bytes on the wire, both ways)',
      head: [
        'load',
        'sink CPU/GB',
        'CPU/M msg',
        'Kaska in CPU/GB',
        'CPU/M msg',
        'Kaska out CPU/GB',
        'CPU/M msg',
        'in: wire bytes/msg beside the value',
        'out',
        'peak memory, MiB',
      ],
      rows: costs,
    },
  ]
  return { tables, aims }
}

async function measureLoad(load: Load, { isQuick, say }: SuiteOptions): Promise<Measured> {
  const rounds = isQuick ? 3 : 15
  const kaska: Throughput[] = []
  const consumed: Throughput[] = []
  const sinks: Measured['sinks'] = { sync: [], pool: [], crc: [] }
  await using syncSink = await startSink('sync', load.sync)
  await using poolSink = await startSink('pool', load.sync)
  await using crcSink = await startSink('sync', load.sync, true)
  await using broker = await startKaska({ sync: load.sync })
  // The first rounds warm up: what they measure is how code is compiled.
  for (let round = 1 - warmUpRounds; round <= rounds; round++) {
    say(`${load.name}: round ${round} of ${rounds}`)
    const sync = await produceToSink(syncSink, load.produce)
    const pool = await produceToSink(poolSink, load.produce)
    const crc = await produceToSink(crcSink, load.produce)
    const produced = await produceToKaska(broker, load.produce)
    const read = await consumeFromKaska(broker, load.produce.messageBytes, 2)
    await deleteTopic(broker)
    if (round < 1) continue
    sinks.sync.push(sync)
    sinks.pool.push(pool)
    sinks.crc.push(crc)
    kaska.push(produced)
    consumed.push(read)
  }
  return { kaska, consumed, sinks, peakBytes: broker.memory().peakBytes }
}

function costsOf(runs: readonly Throughput[]): string[] {
  const perGigabyte = runs.map(({ cpuSeconds, valueBytes }) => cpuSeconds / (valueBytes / 1e9))
  const perMillion = runs.map(({ cpuSeconds, messages }) => cpuSeconds / (messages / 1e6))
  return [median(perGigabyte).toFixed(2), median(perMillion).toFixed(2)]
}

function overhead(runs: readonly Throughput[]): string {
  return median(
    runs.map(({ wireBytes, wireMessages, messages, valueBytes }) => {
      return wireBytes / wireMessages - valueBytes / messages
    }),
  ).toFixed(1)
}

async function measureLatency({ isQuick, say }: SuiteOptions): Promise<SuiteResult> {
  const rounds = isQuick ? 5 : 11
  const count = isQuick ? 2000 : 5000
  const rows: string[][] = []
  const aims: Aim[] = []
  for (const bytes of [100, 1024]) {
    await using echo = await startEcho()
    await using os = await startKaska({ sync: 'os' })
    await using always = await startKaska({ sync: 'always' })
    using _core = onOneCore([echo, os, always])
    const targets = [
      { name: 'echo', target: echo, isEcho: true, count },
      { name: 'sync os', target: os, isEcho: false, count },
      { name: 'sync always', target: always, isEcho: false, count: Math.ceil(count / 5) },
    ]
    const times = new Map(targets.map(({ name }) => [name, [] as { p50: number; p99: number }[]]))
    for (let round = 0; round <= rounds; round++) {
      say(`one at a time, ${bytes} bytes: round ${round} of ${rounds}`)
      for (const { name, target, isEcho, count } of targets) {
        const each = await roundTripTimes(target, isEcho, count, bytes)
        // The first round warms up.
        if (round > 0) times.get(name)?.push({ p50: median(each), p99: quantile(each, 0.99) })
      }
    }
    const p50 = (name: string) => (times.get(name) ?? []).map((time) => time.p50)
    const p99 = (name: string) => (times.get(name) ?? []).map((time) => time.p99)
    for (const { name } of targets) {
      rows.push([
        `${bytes} bytes, ${name}`,
        median(p50(name)).toFixed(0),
        median(p99(name)).toFixed(0),
        pairedRatio(p50(name), p50('echo')).toFixed(2),
        thousands(1e6 / median(p50(name))),
      ])
    }
    aims.push({
      name: `${bytes} bytes, one at a time, sync os: p50 of the echo's`,
      value: pairedRatio(p50('sync os'), p50('echo')),
      unit: '',
      atMost: 2,
    })
  }
  const head = ['', 'p50, µs', 'p99, µs', 'p50 : echo', 'a second']
  return { tables: [{ title: 'One at a time: send, and wait for the answer', head, rows }], aims }
}

/** The client library, as a program uses it: what stands between the wire's speed and people. */
async function measureClient({ isQuick, say }: SuiteOptions): Promise<SuiteResult> {
  const rows: string[][] = []
  for (const [bytes, count] of [
    [100, isQuick ? 300_000 : 1_000_000],
    [1024, isQuick ? 200_000 : 500_000],
  ] as const) {
    say(`@kaska/client, ${bytes} bytes`)
    await using kaska = await startKaska({ sync: 'os' })
    await using client = await connect(`kaska://127.0.0.1:${kaska.port}`)
    const value = new Uint8Array(bytes).fill(97)
    const batch = Array.from({ length: 100 }, () => value)
    const rates: string[] = []
    const time = async (name: string, messages: number, work: () => Promise<void>) => {
      const cpu = process.cpuUsage()
      const started = performance.now()
      await work()
      const seconds = (performance.now() - started) / 1000
      const { user, system } = process.cpuUsage(cpu)
      const perMillion = (user + system) / messages
      rates.push(`${thousands(messages / seconds)} (${perMillion.toFixed(2)})`)
      say(`  ${name}: ${rates.at(-1)}`)
    }
    const sendEach = async (topic: string, messages: number): Promise<void> => {
      // A program that sends as events come: many promises, none awaited one by one.
      for (let sent = 0; sent < messages; sent += 1000) {
        const sends = Array.from({ length: 1000 }, () => client.send(topic, value))
        await Promise.all(sends)
      }
    }
    const sendBatches = async (topic: string, messages: number): Promise<void> => {
      for (let sent = 0; sent < messages; sent += 500) {
        await Promise.all(Array.from({ length: 5 }, () => client.sendBatch(topic, batch)))
      }
    }
    const consume = async (topic: string, messages: number): Promise<void> => {
      await client.subscribe([topic])
      client.seek(topic, 0)
      let left = messages
      for await (const _message of client.messages()) {
        left--
        if (left === 0) break
      }
      client.unsubscribe()
    }
    for (const [suffix, messages] of [
      ['warm-up', count / 10],
      ['run', count],
    ] as const) {
      rates.length = 0
      await client.createTopic(`each-${suffix}`)
      await client.createTopic(`batch-${suffix}`)
      await time('send', messages, () => sendEach(`each-${suffix}`, messages))
      await time('sendBatch', messages, () => sendBatches(`batch-${suffix}`, messages))
      await time('messages()', messages, () => consume(`batch-${suffix}`, messages))
    }
    rows.push([`${bytes} bytes`, ...rates])
  }
  const title = '@kaska/client: messages a second (and the client’s CPU seconds per million)'
  const head = ['', 'send(), 1,000 at a time', 'sendBatch(), 5 times 100', 'messages()']
  return { tables: [{ title, head, rows }], aims: [] }
}

async function measureStartUp({ isQuick, say }: SuiteOptions): Promise<SuiteResult> {
  const rounds = isQuick ? 5 : 11
  say('start-up')
  const bare: number[] = []
  const kaska: number[] = []
  const resident: number[] = []
  const program = await installKaska()
  for (let round = 0; round < rounds; round++) {
    const started = performance.now()
    await once(spawn(process.execPath, ['-e', '0'], { stdio: 'ignore' }), 'exit')
    bare.push(performance.now() - started)
    await using target = await startKaska({ sync: 'always', program })
    kaska.push(target.startMs)
    resident.push(target.memory().residentBytes)
  }
  const later = median(kaska) - median(bare)
  const rows = [
    ['node -e 0', median(bare).toFixed(0)],
    ['kaska serve, installed, until it is ready', median(kaska).toFixed(0)],
    ['later', later.toFixed(0)],
  ]
  const memory = (median(resident) / 2 ** 20).toFixed(0)
  return {
    tables: [
      {
        title: 'Start-up (ms)',
        head: ['', 'ms'],
        rows,
        note: `Resident when idle: ${memory} MiB.`,
      },
    ],
    aims: [{ name: 'ready later than node -e 0', value: later, unit: 'ms', atMost: 350 }],
  }
}

function thousands(value: number): string {
  return Math.round(value).toLocaleString('en-US')
}
