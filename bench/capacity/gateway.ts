/** Kaska in front of a cluster, as native clients see it: beside Kaska that keeps the messages itself. */
import type { BrokerProcess } from '../../compat/lib/broker-process.ts'
import { gauge, readGauges } from '../lib/gauges.ts'
import { median } from '../lib/stats.ts'
import { openSenders, Pair, type PairOptions, sendAtRate, stretch } from '../lib/steady.ts'
import type { SuiteOptions, Table } from '../lib/suite.ts'
import { cpuSecondsOf, startGateway, startKaska, type Target } from '../lib/target.ts'
import { ms, thousands } from './text.ts'

export async function measureGateway(
  kafka: BrokerProcess,
  { isQuick, say }: SuiteOptions,
): Promise<Table> {
  // Kaska itself first: what it takes without a cluster behind it.
  await using kaska = await startKaska({ sync: 'os' })
  await using gateway = await startGateway(`kafka://127.0.0.1:${kafka.port}`)
  const [warmUpSeconds, seconds] = isQuick ? [0.3, 0.3] : [4, 4]
  const rows: string[][] = []
  for (const load of [
    { name: '100 B, one a request', messageBytes: 100, batchMessages: 1 },
    { name: '1 KiB, 100 a batch', messageBytes: 1024, batchMessages: 100 },
  ]) {
    say(`the gateway: ${load.name}`)
    const alone = await inAndOut(kaska, load, warmUpSeconds / 2, seconds / 2)
    const clusterBefore = cpuSecondsOf(kafka.pid)
    const before = await readGauges(gateway)
    const behind = await inAndOut(gateway, load, warmUpSeconds, seconds)
    const name = 'kaska_messages_in_total'
    const messages = gauge(await readGauges(gateway), name) - gauge(before, name)
    const cluster = (cpuSecondsOf(kafka.pid) - clusterBefore) / (messages / 1e6)
    rows.push([
      load.name,
      thousands(behind.rate),
      thousands(alone.rate),
      (behind.rate / alone.rate).toFixed(2),
      behind.cpuPerMillion.toFixed(1),
      alone.cpuPerMillion.toFixed(1),
      (behind.cpuPerMillion / alone.cpuPerMillion).toFixed(1),
      cluster.toFixed(1),
      behind.busy.toFixed(2),
    ])
  }
  say('the gateway: latency')
  const times: string[] = []
  for (const [name, target] of [
    ['Kaska', kaska],
    ['the gateway', gateway],
  ] as const) {
    const { sends, connections } = await openSenders(target, 'latency', 4, {
      messageBytes: 100,
      partitions: 4,
    })
    await sendAtRate(sends, 500, seconds / 2)
    const { micros } = await sendAtRate(sends, 500, seconds / 2)
    times.push(`${name} ${ms(median(micros))} ms`)
    for (const connection of connections) await connection[Symbol.asyncDispose]()
  }
  return {
    title:
      'The gateway: native clients, Kaska in front of one node of Apache Kafka, in and out at once',
    head: [
      '',
      'gateway, messages/s',
      'Kaska alone',
      'ratio',
      'gateway, CPU s/M',
      'Kaska alone',
      'ratio',
      'the node behind it, CPU s/M',
      'loop busy',
    ],
    rows,
    note: `One node, no replication. p50 of a send at 500 a second: ${times.join(', ')}.`,
  }
}

async function inAndOut(
  target: Target,
  load: Pick<PairOptions, 'messageBytes' | 'batchMessages'>,
  warmUpSeconds: number,
  seconds: number,
) {
  const pairs: Pair[] = []
  for (let index = 0; index < 4; index++) {
    const options = { ...load, window: 5, readers: 1, aheadBytesMax: 2 ** 24 }
    pairs.push(await Pair.start(target, `pair-${load.batchMessages}-${index}`, options))
  }
  const measured = await stretch(target, pairs, warmUpSeconds, seconds)
  for (const pair of pairs) await pair.stop()
  return {
    rate: measured.sent / measured.seconds,
    cpuPerMillion: measured.cpuSeconds / (measured.sent / 1e6),
    busy: measured.busy,
  }
}
