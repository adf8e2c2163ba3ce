/** How many messages and bytes go in and out at once, by size, beside a bare sink that takes the same bytes. */
import { produceToSink } from '../lib/load.ts'
import { Pair, retentionOptions, stretch } from '../lib/steady.ts'
import type { SuiteOptions } from '../lib/suite.ts'
import { startKaska, startSink } from '../lib/target.ts'
import { type Carried, type Part, rates } from './part.ts'
import { full, thousands } from './text.ts'

const pairsCount = 4

interface Load {
  readonly name: string
  readonly messageBytes: number
  readonly batchMessages: number
}

const loads: readonly Load[] = [
  { name: '100 B, one a request', messageBytes: 100, batchMessages: 1 },
  { name: '100 B, 100 a batch', messageBytes: 100, batchMessages: 100 },
  { name: '1 KiB, 100 a batch', messageBytes: 1024, batchMessages: 100 },
  { name: '64 KiB, one a request', messageBytes: 65_536, batchMessages: 1 },
]

export async function measureThroughput({ isQuick, say }: SuiteOptions): Promise<Part> {
  const rows: string[][] = []
  const carried: Carried[] = []
  const [warmUpSeconds, seconds] = isQuick ? [0.1, 0.2] : [2.5, 4]
  for (const sync of ['os', 'always'] as const) {
    await using sink = await startSink('sync', sync)
    for (const load of isQuick ? loads.slice(0, 2) : loads) {
      const { name, messageBytes, batchMessages } = load
      say(`in and out, sync ${sync}, ${name}`)
      // A broker of its own, so that none works with what was compiled for the load before.
      await using kaska = await startKaska({ sync, serveOptions: retentionOptions })
      const pairs: Pair[] = []
      for (let index = 0; index < pairsCount; index++) {
        const pair = await Pair.start(kaska, `pair-${index}`, {
          messageBytes,
          batchMessages,
          window: 5,
          readers: 1,
          aheadBytesMax: 16 * 2 ** 20,
        })
        pairs.push(pair)
      }
      const measured = await stretch(kaska, pairs, warmUpSeconds, seconds)
      for (const pair of pairs) await pair.stop()
      const sent = measured.sent / measured.seconds
      const megabytesIn = (sent * messageBytes) / 1e6
      // About a second's work for the sink, twice: it too compiles its code at first.
      const batchBytes = messageBytes * batchMessages
      const batches = Math.ceil((isQuick ? 2e6 : 1e9) / Math.max(batchBytes, 10_000))
      const toSink = { messageBytes, batchMessages, batches, window: 5 * pairsCount }
      await produceToSink(sink, toSink)
      const sunk = await produceToSink(sink, toSink)
      const isBytes = messageBytes * batchMessages > 10_000
      carried.push({
        what: `in, and out once: ${name}, sync ${sync}`,
        ...rates(isBytes ? megabytesIn : sent, isBytes ? 'MB/s' : 'messages/s'),
        limit: full(measured),
      })
      const gigabytes = (measured.sent * messageBytes) / 1e9
      rows.push([
        `${name}, sync ${sync}`,
        thousands(sent),
        thousands(measured.received / measured.seconds),
        megabytesIn.toFixed(0),
        (megabytesIn / (sunk.valueBytes / 1e6 / sunk.seconds)).toFixed(2),
        (measured.cpuSeconds / gigabytes).toFixed(2),
        ((measured.cpuSeconds / measured.sent) * 1e6).toFixed(2),
        (sunk.cpuSeconds / (sunk.messages / 1e6)).toFixed(2),
        (measured.cpuSeconds / measured.seconds).toFixed(2),
        measured.busy.toFixed(2),
        measured.driverBusy.toFixed(2),
        measured.syncs.toFixed(1),
        (kaska.memory().peakBytes / 2 ** 20).toFixed(0),
      ])
    }
  }
  const table = {
    title: 'In and out at once: 4 senders and 4 readers, each message read once',
    head: [
      '',
      'in, messages/s',
      'out, messages/s',
      'in, MB/s',
      'in : sink',
      'CPU s/GB',
      'CPU s/M messages',
      'sink CPU s/M',
      'cores',
      'loop busy',
      'driver busy',
      'syncs at once',
      'peak memory, MiB',
    ],
    rows,
    note:
      'MB/s are of the messages’ values. CPU is the broker’s, of all its threads, for a message that comes in and goes out once. ' +
      'A sink (bench/sink.ts) takes the same bytes, with as much under way, into one file, and sends nothing on. Old messages are deleted all the time (retention.bytes).',
  }
  return { tables: [table], carried }
}
