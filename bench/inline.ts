/**
 * Whether a small value is better encoded into the frame's buffer (one copy) or sent as a view of its own
 * (contract 11 leaves that open below 1 KiB): the sender's CPU time for building a batch and writing
 * it to a socket, both ways. docs/decisions/0003-inline-values.md draws the conclusion.
 */
import { once } from 'node:events'
import process from 'node:process'
import { chunksLength, RecordsBuilder } from '@kaska/protocol'
import { openSocket, writeChunks } from './lib/raw-connection.ts'
import { median } from './lib/stats.ts'
import type { Suite, SuiteOptions, SuiteResult, Table } from './lib/suite.ts'
import { startSink } from './lib/target.ts'

const sizes = [16, 64, 128, 256, 512, 1024, 2048, 4096]

export const suite: Suite = {
  about: 'small values: encoded into the frame, or a view each',
  async run({ isQuick, say }: SuiteOptions): Promise<SuiteResult> {
    const rounds = isQuick ? 3 : 7
    const tables: Table[] = []
    for (const batchBytes of [0, 65_536]) {
      const rows: string[][] = []
      for (const size of sizes) {
        const batchMessages = Math.max(1, Math.floor(batchBytes / size))
        const messages = Math.ceil((isQuick ? 100_000 : 400_000) / (batchMessages === 1 ? 4 : 1))
        say(`${size} bytes, ${batchMessages} a batch`)
        const encoded: number[] = []
        const views: number[] = []
        for (let round = 0; round <= rounds; round++) {
          const one = await senderTime(size, batchMessages, messages, Number.POSITIVE_INFINITY)
          const other = await senderTime(size, batchMessages, messages, 0)
          // The first round warms up.
          if (round === 0) continue
          encoded.push(one)
          views.push(other)
        }
        const better = median(encoded) <= median(views) ? 'encoded' : 'view'
        rows.push([
          `${size} B`,
          String(batchMessages),
          median(encoded).toFixed(0),
          median(views).toFixed(0),
          better,
        ])
      }
      const what = batchBytes === 0 ? 'one message a request' : 'requests of 64 KiB'
      tables.push({
        title: `CPU time of the sender, ns a message: ${what}`,
        head: ['value', 'a batch', 'encoded', 'a view each', 'better'],
        rows,
      })
    }
    return { tables, aims: [] }
  },
}

/** CPU time of this process for a message, in nanoseconds. */
async function senderTime(
  size: number,
  batchMessages: number,
  messages: number,
  inlineBytesMax: number,
): Promise<number> {
  await using sink = await startSink('sync', 'os')
  const socket = await openSocket(sink.port)
  socket.resume()
  const values = Array.from({ length: 1000 }, (_, index) => new Uint8Array(size).fill(index))
  let next = 0
  let sentBytes = 0
  const cpu = process.cpuUsage()
  for (let sent = 0; sent < messages; ) {
    const builder = new RecordsBuilder(inlineBytesMax)
    for (let index = 0; index < batchMessages; index++) {
      const value = values[next++ % values.length] ?? null
      builder.append({ key: null, value, headers: [], timestamp: 0 })
    }
    const chunks = builder.finish()
    sentBytes += chunksLength(chunks)
    writeChunks(socket, chunks)
    sent += batchMessages
    if (socket.writableLength > 1 << 20) await once(socket, 'drain')
  }
  socket.end()
  await once(socket, 'close')
  const { user, system } = process.cpuUsage(cpu)
  if (sentBytes < messages * size) throw new Error('not all was sent')
  return ((user + system) * 1000) / messages
}
