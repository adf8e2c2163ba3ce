/**
 * `kaska bench`: a small load, to see what a broker on this machine can do. Three measurements:
 *
 *     in    batches, several in flight; the latency is that of a batch's acknowledgement
 *     out   all of it read back, from the start
 *     one   one message at a time: until it is acknowledged, and until a waiting reader has it
 */
import type { Client } from '@kaska/client'
import type { Command } from 'commander'
import { nodeClock } from '../../host/node-clock.ts'
import { nodeRandom } from '../../host/node-random.ts'
import type { Terminal } from '../../host/terminal.ts'
import { Progress } from '../progress.ts'
import { writeTable } from '../table.ts'
import { withClient } from './broker-client.ts'

interface BenchOptions {
  readonly messages: number
  readonly size: number
  readonly batch: number
  readonly topic?: string
}

const batchesInFlight = 4
const singlesMax = 1000

export async function bench(command: Command, terminal: Terminal): Promise<void> {
  const options = command.opts<BenchOptions>()
  const signal = terminal.stopSignal()
  await withClient(command, terminal, (writer) =>
    withClient(command, terminal, async (reader) => {
      const topic = options.topic ?? `kaska-bench-${hex(nodeRandom.bytes(6))}`
      if (options.topic === undefined) await writer.createTopic(topic, { partitions: 1 })
      try {
        await measure(writer, reader, topic, options, terminal, signal)
      } catch (error) {
        if (!signal.aborted) throw error
      } finally {
        if (options.topic === undefined) await writer.deleteTopic(topic)
      }
    }),
  )
}

async function measure(
  writer: Client,
  reader: Client,
  topic: string,
  options: BenchOptions,
  terminal: Terminal,
  signal: AbortSignal,
): Promise<void> {
  const { output } = terminal
  const value = nodeRandom.bytes(options.size)
  await reader.subscribe([topic])
  const rows: string[][] = []
  rows.push(await measureIn(writer, topic, value, options, terminal, signal))
  rows.push(await measureOut(reader, value, options, terminal, signal))
  terminal.clearProgress()
  rows.push(...(await measureSingles(writer, reader, topic, value, options, signal)))
  output.text(
    `${options.messages} messages of ${options.size} bytes, ${options.batch} in a request\n\n`,
  )
  writeTable(['', 'MESSAGES/S', 'MB/S', 'P50 MS', 'P99 MS'], rows, output)
  await output.send()
}

async function measureIn(
  writer: Client,
  topic: string,
  value: Uint8Array,
  options: BenchOptions,
  terminal: Terminal,
  signal: AbortSignal,
): Promise<string[]> {
  const progress = new Progress(terminal, 'sent')
  const latencies: number[] = []
  let left = options.messages
  const began = nodeClock.monotonic()
  const send = async (): Promise<void> => {
    while (left > 0) {
      signal.throwIfAborted()
      const count = Math.min(left, options.batch)
      left -= count
      const sent = nodeClock.monotonic()
      // One partition: what is in flight together is to stay in one order.
      await writer.sendBatch(
        topic,
        Array.from({ length: count }, () => ({ value, partition: 0 })),
      )
      latencies.push(nodeClock.monotonic() - sent)
      progress.show(options.messages - left, (options.messages - left) * value.length)
    }
  }
  await Promise.all(Array.from({ length: batchesInFlight }, send))
  const seconds = (nodeClock.monotonic() - began) / 1000
  return ['in', ...speed(options.messages, value.length, seconds), ...quantiles(latencies)]
}

async function measureOut(
  reader: Client,
  value: Uint8Array,
  options: BenchOptions,
  terminal: Terminal,
  signal: AbortSignal,
): Promise<string[]> {
  const progress = new Progress(terminal, 'read')
  const began = nodeClock.monotonic()
  for (let read = 0; read < options.messages; ) {
    if ((await reader.poll({ timeoutMs: 10_000, signal })) === undefined) continue
    read++
    progress.show(read, read * value.length)
  }
  const seconds = (nodeClock.monotonic() - began) / 1000
  return ['out', ...speed(options.messages, value.length, seconds), '', '']
}

async function measureSingles(
  writer: Client,
  reader: Client,
  topic: string,
  value: Uint8Array,
  options: BenchOptions,
  signal: AbortSignal,
): Promise<string[][]> {
  const acknowledged: number[] = []
  const received: number[] = []
  const count = Math.min(options.messages, singlesMax)
  const began = nodeClock.monotonic()
  for (let index = 0; index < count; index++) {
    const next = reader.poll({ timeoutMs: 10_000, signal }).then((message) => {
      if (message !== undefined) received.push(nodeClock.monotonic() - sent)
    })
    const sent = nodeClock.monotonic()
    await writer.send(topic, { value, partition: 0 })
    acknowledged.push(nodeClock.monotonic() - sent)
    await next
  }
  const seconds = (nodeClock.monotonic() - began) / 1000
  return [
    ['one at a time, in', ...speed(count, value.length, seconds), ...quantiles(acknowledged)],
    ['one at a time, out', '', '', ...quantiles(received)],
  ]
}

function speed(messages: number, bytes: number, seconds: number): string[] {
  return [
    Math.round(messages / seconds).toString(),
    ((messages * bytes) / 1e6 / seconds).toFixed(1),
  ]
}

/** The 50th and the 99th percentile. */
function quantiles(values: number[]): string[] {
  const sorted = Float64Array.from(values).sort()
  return [0.5, 0.99].map((share) => {
    const value = sorted[Math.min(sorted.length - 1, Math.floor(sorted.length * share))]
    return value === undefined ? '' : value.toFixed(2)
  })
}

function hex(bytes: Uint8Array): string {
  return Array.from(bytes, (byte) => byte.toString(16).padStart(2, '0')).join('')
}
