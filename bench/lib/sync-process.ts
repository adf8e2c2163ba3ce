/** Measures syncs and writes with the thread pool that this process was given; see bench/sync.ts. */
import { mkdtemp, rm } from 'node:fs/promises'
import path from 'node:path'
import process from 'node:process'
import { nodeClock } from '../../packages/kaska/src/host/node-clock.ts'
import { openNodeDisk } from '../../packages/kaska/src/host/node-disk.ts'
import type { Disk, DiskFile } from '../../packages/kaska/src/log/disk.ts'
import { SyncQueue } from '../../packages/kaska/src/log/sync-queue.ts'
import { median } from './stats.ts'

export interface SyncFigures {
  readonly parallel: number
  /** Milliseconds, by the number of partitions. */
  readonly perPartition: number[]
  readonly journal: number[]
  readonly both: number[]
  /** Microseconds, by the size of the write. */
  readonly atOnce: number[]
  readonly throughPool: number[]
}

const counts = JSON.parse(process.argv[2] ?? '[1]') as number[]
const isQuick = process.argv[3] === 'quick'
// Beside the sources: a temporary directory may be memory, where a sync costs nothing.
const root = await mkdtemp(path.join(process.cwd(), '.bench-sync-'))
try {
  const disk = await openNodeDisk(root, { writes: 'synchronous' })
  const record = new Uint8Array(1024).fill(7)
  const figures: SyncFigures = {
    parallel: disk.syncsMax,
    perPartition: [],
    journal: [],
    both: [],
    atOnce: [],
    throughPool: [],
  }
  for (const count of counts) {
    const files = await Promise.all(
      Array.from({ length: count }, (_, index) => disk.open(`p${index}`, { create: true })),
    )
    const journal = await disk.open('journal', { create: true })
    const rounds = Math.max(isQuick ? 15 : 50, Math.ceil((isQuick ? 1000 : 5000) / count))
    const queue = new SyncQueue(disk.syncsMax, nodeClock)
    const each: number[] = []
    const synced: number[] = []
    const all: number[] = []
    for (let round = 0; round < rounds; round++) {
      const started = performance.now()
      await Promise.all(
        files.map(async (file) => {
          await file.write(round * record.length, [record])
          await queue.run(() => file.sync())
        }),
      )
      each.push(performance.now() - started)
    }
    for (let round = 0; round < rounds; round++) {
      const started = performance.now()
      const views = files.map(() => record)
      await journal.write(round * record.length * count, views)
      await journal.sync()
      synced.push(performance.now() - started)
      for (const file of files) await file.write((rounds + round) * record.length, [record])
      all.push(performance.now() - started)
    }
    figures.perPartition.push(median(each))
    figures.journal.push(median(synced))
    figures.both.push(median(all))
    for (const file of [...files, journal]) await file.close()
  }
  for (const bytes of [100, 16_384, 262_144]) {
    figures.atOnce.push(await writeTime(disk, bytes))
    const pool = await openNodeDisk(root, { writes: 'threads' })
    figures.throughPool.push(await writeTime(pool, bytes))
  }
  console.log(JSON.stringify(figures))
} finally {
  await rm(root, { recursive: true, force: true })
}

async function writeTime(disk: Disk, bytes: number): Promise<number> {
  const file: DiskFile = await disk.open('written', { create: true })
  const views = [new Uint8Array(61), new Uint8Array(bytes)]
  const times: number[] = []
  const rounds = isQuick ? 200 : 1000
  for (let round = 0; round < rounds; round++) {
    const started = performance.now()
    await file.write((round % 100) * (bytes + 61), views)
    times.push((performance.now() - started) * 1000)
  }
  await file.close()
  return median(times)
}
