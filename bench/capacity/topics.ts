/** Partitions that have messages: what each takes in memory, on the disk and at a start. */
import { mkdtempSync, readdirSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import path from 'node:path'
import { native } from '@kaska/protocol'
import { gauge, readGauges } from '../lib/gauges.ts'
import { batchOf, RawConnection } from '../lib/raw-connection.ts'
import type { SuiteOptions } from '../lib/suite.ts'
import { startKaska, type Target } from '../lib/target.ts'
import type { Carried, Part } from './part.ts'
import { thousands } from './text.ts'

const partsOfRequest = 500

export async function measurePartitions({ isQuick, say }: SuiteOptions): Promise<Part> {
  const count = isQuick ? 500 : 10_000
  const directory = mkdtempSync(path.join(tmpdir(), 'kaska-bench-partitions-'))
  try {
    const rows: string[][] = []
    const row = async (name: string, kaska: Target, empty: number, ms: number) => {
      const resident = kaska.memory().residentBytes
      const gauges = await readGauges(kaska)
      rows.push([
        name,
        ms.toFixed(0),
        (resident / 2 ** 20).toFixed(0),
        ((resident - empty) / count / 1024).toFixed(1),
        thousands(gauge(gauges, 'kaska_open_partitions')),
        thousands(readdirSync(`/proc/${kaska.pid}/fd`).length),
      ])
    }
    const first = await startKaska({ directory, sync: 'os' })
    const empty = first.memory().residentBytes
    const topics = Math.ceil(count / partsOfRequest)
    const create = await RawConnection.open(first.port)
    for (let topic = 0; topic < topics; topic++) {
      await create.createTopic(`topic-${topic}`, partsOfRequest)
    }
    await create[Symbol.asyncDispose]()
    for (const name of ['first', 'second'] as const) {
      say(`a message to each of ${count} partitions: ${name}`)
      const ms = await sendToEach(first, topics)
      await row(`a ${name} message to each of ${thousands(count)}`, first, empty, ms)
    }
    await first.stop('SIGKILL')
    say('a start after a kill')
    const again = await startKaska({ directory, sync: 'os' })
    rows.push([
      'a start after a kill',
      again.startMs.toFixed(0),
      (again.memory().residentBytes / 2 ** 20).toFixed(0),
      '',
      '',
      '',
    ])
    const ms = await sendToEach(again, topics)
    await row('then a message to each: all are recovered', again, empty, ms)
    await again.stop('SIGTERM')
    const each = rows[1]?.[3] ?? ''
    const carried: Carried = {
      what: `${thousands(count)} partitions that are written`,
      most: `${each} KiB each`,
      plan: `${each} KiB`,
      limit: 'memory; with sync always the syncs of those that are written at once',
    }
    const table = {
      title: `${thousands(count)} partitions with messages of 1 KiB, ${partsOfRequest} to a request, sync os`,
      head: ['', 'ms', 'resident, MiB', 'KiB each', 'open partitions', 'open files'],
      rows,
      note: `An empty broker: ${(empty / 2 ** 20).toFixed(0)} MiB. Resident memory includes what the requests made and is not collected yet, and the tail of the logs.`,
    }
    return { tables: [table], carried: [carried] }
  } finally {
    rmSync(directory, { recursive: true, force: true })
  }
}

/** In milliseconds, one request after the other. */
async function sendToEach(kaska: Target, topics: number): Promise<number> {
  await using connection = await RawConnection.open(kaska.port)
  const batch = batchOf(1, 1024)
  const started = performance.now()
  for (let topic = 0; topic < topics; topic++) {
    const ref = await connection.resolve(`topic-${topic}`)
    const parts = Array.from({ length: partsOfRequest }, (_, partition) => {
      return { ref, partition, baseSequence: -1, batch }
    })
    await connection.request(native.operation.send, (writer) =>
      native.writeSendRequest(writer, parts),
    )
  }
  return performance.now() - started
}
