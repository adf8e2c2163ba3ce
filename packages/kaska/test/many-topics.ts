/** A process that creates many topics, and tells what they take: see contract-10-limits.test.ts. */
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import path from 'node:path'
import process from 'node:process'
import { topicNameOf } from '@kaska/protocol'
import { type Broker, createBroker } from '../src/broker.ts'
import { context } from './batches.ts'
import { waitedSoFar } from './core-waits.ts'

/** What it sends to the process that started it. */
export interface ManyTopics {
  /** Memory of each topic when it was created, and after a restart. */
  readonly createdBytes: number
  readonly startedBytes: number
  readonly createMs: number
  /** Without the time for which it wanted a core and got none. */
  readonly startMs: number
}

const topicCount = Number(process.argv[2])

function bytesInUse(): number {
  const { gc } = globalThis as { gc?: () => void }
  for (let run = 0; run < 3; run++) gc?.()
  const { heapUsed, external } = process.memoryUsage()
  return heapUsed + external
}

async function createTopics({ engine }: Broker): Promise<void> {
  const atOnce = 1000
  for (let start = 0; start < topicCount; start += atOnce) {
    const created = Array.from({ length: atOnce }, (_, index) => {
      const name = topicNameOf(`a topic of some name ${start + index}`)
      return engine.createTopic({ name, partitions: 1, config: new Map() }, context)
    })
    await Promise.all(created)
  }
}

const directory = await mkdtemp(path.join(tmpdir(), 'kaska-topics-'))
try {
  let broker = await createBroker({ data: directory })
  const before = bytesInUse()
  let started = performance.now()
  await createTopics(broker)
  const createMs = Math.round(performance.now() - started)
  const createdBytes = Math.round((bytesInUse() - before) / topicCount)
  await broker.close()

  started = performance.now() - waitedSoFar()
  broker = await createBroker({ data: directory })
  const startMs = Math.round(performance.now() - waitedSoFar() - started)
  const startedBytes = Math.round((bytesInUse() - before) / topicCount)
  await broker.close()
  const result: ManyTopics = { createdBytes, startedBytes, createMs, startMs }
  process.send?.(result)
} finally {
  await rm(directory, { recursive: true, force: true })
}
