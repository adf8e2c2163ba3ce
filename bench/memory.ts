/**
 * What lies idle: 100,000 topics and 2,000 connections, and what a restart with so many topics takes.
 * Contract 10: memory per idle topic and per idle connection is small and measured.
 */
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import path from 'node:path'
import { native, topicNameOf } from '@kaska/protocol'
import { RawConnection } from './lib/raw-connection.ts'
import type { Suite, SuiteOptions, SuiteResult } from './lib/suite.ts'
import { startKaska, type Target } from './lib/target.ts'

export const suite: Suite = {
  about: 'memory of idle topics and connections, and a start with many topics',
  async run({ isQuick, say }: SuiteOptions): Promise<SuiteResult> {
    const topicCount = isQuick ? 20_000 : 100_000
    const connectionCount = isQuick ? 500 : 2000
    const directory = mkdtempSync(path.join(tmpdir(), 'kaska-bench-memory-'))
    try {
      const rows: string[][] = []
      const before = await startKaska({ directory, sync: 'os' })
      const empty = before.memory().residentBytes
      rows.push(['empty', mebibytes(empty), '', before.startMs.toFixed(0)])

      say(`${connectionCount} connections`)
      const connections = await openMany(before, connectionCount)
      const connected = before.memory().residentBytes
      const perConnection = (connected - empty) / connectionCount / 1024
      const connectionLabel = `${connectionCount.toLocaleString('en-US')} idle connections`
      rows.push([connectionLabel, mebibytes(connected), `${perConnection.toFixed(1)} KiB`, ''])
      for (const connection of connections) await connection[Symbol.asyncDispose]()

      say(`${topicCount} topics`)
      const started = performance.now()
      await createMany(before, topicCount)
      const createSeconds = (performance.now() - started) / 1000
      const filled = before.memory().residentBytes
      const topicLabel = `${topicCount.toLocaleString('en-US')} idle topics, just created`
      rows.push([topicLabel, mebibytes(filled), '', ''])
      await before.stop('SIGTERM')

      const again = await startKaska({ directory, sync: 'os' })
      const resident = again.memory().residentBytes
      const perTopic = (resident - empty) / topicCount
      const startLabel = 'a start with these topics'
      rows.push([
        startLabel,
        mebibytes(resident),
        `${perTopic.toFixed(0)} B`,
        again.startMs.toFixed(0),
      ])
      await again.stop()
      const perSecond = Math.round(topicCount / createSeconds).toLocaleString('en-US')
      return {
        tables: [
          {
            title: 'Idle',
            head: ['', 'resident, MiB', 'each', 'ready after, ms'],
            rows,
            note: `Topics created a second, 100 requests under way: ${perSecond}.`,
          },
        ],
        // Few of them show what a process takes that does anything at all, and not what they take.
        aims: isQuick
          ? []
          : [
              { name: 'an idle connection', value: perConnection, unit: 'KiB', atMost: 32 },
              { name: 'an idle topic', value: perTopic, unit: 'bytes', atMost: 1500 },
            ],
      }
    } finally {
      rmSync(directory, { recursive: true, force: true })
    }
  },
}

/** Connections that have asked one thing and then stay silent. */
async function openMany(kaska: Target, count: number): Promise<RawConnection[]> {
  const connections: RawConnection[] = []
  while (connections.length < count) {
    const group = Array.from({ length: 50 }, () => RawConnection.open(kaska.port))
    connections.push(...(await Promise.all(group)))
  }
  await Promise.all(connections.map((each) => each.request(native.operation.ping)))
  return connections
}

async function createMany(kaska: Target, count: number): Promise<void> {
  await using connection = await RawConnection.open(kaska.port)
  let next = 0
  const create = async (): Promise<void> => {
    while (next < count) {
      const topic = { name: topicNameOf(`topic-${next++}`), partitions: 1, config: new Map() }
      await connection.request(native.operation.createTopic, (writer) =>
        native.writeCreateTopic(writer, topic),
      )
    }
  }
  await Promise.all(Array.from({ length: 100 }, create))
}

function mebibytes(bytes: number): string {
  return (bytes / 2 ** 20).toFixed(1)
}
