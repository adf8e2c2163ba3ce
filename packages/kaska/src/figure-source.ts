/** Joins what /stats and /metrics show out of the parts of a broker. */
import type { Clock, TopicId, TopicInfo } from '@kaska/protocol'
import type { BrokerFigures } from './figures/broker-figures.ts'
import type {
  DiskFigures,
  FigureSource,
  PartitionExtent,
  ProcessFigures,
  TopicFigures,
} from './http/figure-source.ts'
import type { DataDirectory } from './log/data-directory.ts'
import type { MemoryBudget } from './log/memory-budget.ts'
import type { LocalEngine } from './topics/local-engine.ts'
import { logConfigOf } from './topics/topic-config.ts'

export interface FigureParts {
  readonly engine: LocalEngine
  readonly directory: DataDirectory
  readonly budget: MemoryBudget
  readonly clock: Clock
  readonly counted: BrokerFigures
  /** In monotonic time. */
  readonly startedAt: number
  /** As the broker was given it; undefined where it has none. */
  readonly dataDirectory: string | undefined
  readonly isInMemory: boolean
}

export function createFigureSource(
  parts: FigureParts,
  process: { read(): ProcessFigures },
): FigureSource {
  const { engine, directory, budget, clock } = parts
  return {
    counted: parts.counted,
    get uptimeMs(): number {
      return clock.monotonic() - parts.startedAt
    },
    dataDirectory: parts.dataDirectory ?? null,
    sync: directory.shared.syncMode,
    traffic: engine.traffic,
    get topicCount(): number {
      return engine.topicsNow
    },
    get openPartitions(): number {
      return engine.openPartitions
    },
    budget,
    process: (): ProcessFigures => process.read(),
    async disk(waitMs: number): Promise<DiskFigures | null> {
      if (parts.isInMemory) return null
      const [usedBytes, freeBytes] = await Promise.all([
        engine.storedBytes(waitMs),
        directory.shared.disk.freeBytes(),
      ])
      return { usedBytes, freeBytes }
    },
    topics: (): Iterable<TopicInfo> => engine.topics(),
    retentionOf(topic: TopicId) {
      const configured = engine.configOf(topic)
      const { retentionMs, retentionBytes } =
        configured === undefined ? {} : logConfigOf(configured)
      return { retentionMs: retentionMs ?? null, retentionBytes: retentionBytes ?? null }
    },
    bounds: (topic: TopicId, partition: number): Promise<PartitionExtent | undefined> =>
      engine.extentOf(topic, partition),
    topicFigures: (topic: TopicId, waitMs: number): Promise<TopicFigures> =>
      engine.topicFigures(topic, waitMs),
  }
}
