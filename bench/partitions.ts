/**
 * What many partitions cost with `--sync always`, where each has a file of its own to sync: one message to
 * each of 1, 50, 200 and 1,000 partitions in one request, and the time until all are acknowledged.
 */
import { native } from '@kaska/protocol'
import { batchOf, RawConnection } from './lib/raw-connection.ts'
import { median, quantile } from './lib/stats.ts'
import type { Suite, SuiteOptions, SuiteResult } from './lib/suite.ts'
import { startKaska } from './lib/target.ts'

export const suite: Suite = {
  about: 'a message to each of many partitions at once, sync always and sync os',
  async run({ isQuick, say }: SuiteOptions): Promise<SuiteResult> {
    const rows: string[][] = []
    for (const partitions of [1, 50, 200, 1000]) {
      const row = [partitions.toLocaleString('en-US')]
      for (const sync of ['always', 'os'] as const) {
        say(`${partitions} partitions, sync ${sync}`)
        await using kaska = await startKaska({ sync })
        await using connection = await RawConnection.open(kaska.port)
        const ref = await connection.createTopic('many', partitions)
        const batch = batchOf(1, 1024)
        const parts = Array.from({ length: partitions }, (_, partition) => {
          return { ref, partition, baseSequence: -1, batch }
        })
        const times: number[] = []
        const rounds = Math.max(isQuick ? 10 : 30, Math.ceil((isQuick ? 500 : 2000) / partitions))
        // The first request makes the directories and files.
        for (let round = -1; round < rounds; round++) {
          const started = performance.now()
          await connection.request(native.operation.send, (writer) =>
            native.writeSendRequest(writer, parts),
          )
          if (round >= 0) times.push(performance.now() - started)
          else row.push((performance.now() - started).toFixed(1))
        }
        row.push(median(times).toFixed(2), quantile(times, 0.99).toFixed(2))
      }
      rows.push(row)
    }
    const head = ['partitions', 'always: first, ms', 'p50', 'p99', 'os: first, ms', 'p50', 'p99']
    return { tables: [{ title: '1 KiB to each partition, one request', head, rows }], aims: [] }
  },
}
