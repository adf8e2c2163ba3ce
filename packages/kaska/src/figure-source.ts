/** Joins what /stats and /metrics show out of the parts of a broker. */
import {
  type Clock,
  type OffsetBounds,
  type RequestContext,
  type TopicInfo,
  UnknownTopicError,
} from '@kaska/protocol'
import type { BrokerFigures } from './figures/broker-figures.ts'
import type {
  DiskFigures,
  FigureSource,
  Place,
  ProcessFigures,
  Retention,
  TopicFigures,
} from './http/figure-source.ts'
import type { DataDirectory } from './log/data-directory.ts'
import type { MemoryBudget } from './log/memory-budget.ts'
import type { LocalEngine } from './topics/local-engine.ts'
import { logConfigOf } from './topics/topic-config.ts'
import { Slices } from './transport/slices.ts'

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
    get openPartitions(): number {
      return engine.openPartitions
    },
    budget,
    syncs: directory.shared.syncQueue,
    process: (): ProcessFigures => process.read(),
    async disk(waitMs: number): Promise<DiskFigures | null> {
      if (parts.isInMemory) return null
      const [usedBytes, freeBytes] = await Promise.all([
        engine.storedBytes(waitMs),
        directory.shared.disk.freeBytes(),
      ])
      return { usedBytes, freeBytes }
    },
    async retentionOf(topics: readonly TopicInfo[]): Promise<readonly Retention[]> {
      return topics.map(({ id }) => {
        const configured = engine.configOf(id)
        const { retentionMs, retentionBytes } =
          configured === undefined ? {} : logConfigOf(configured)
        return { retentionMs: retentionMs ?? null, retentionBytes: retentionBytes ?? null }
      })
    },
    async bounds(
      places: readonly Place[],
      { signal }: RequestContext,
    ): Promise<readonly (OffsetBounds | undefined)[]> {
      const slices = new Slices(clock)
      const bounds: (OffsetBounds | undefined)[] = []
      for (const { topic, partition } of places) {
        if (slices.isDue) await slices.pause()
        signal?.throwIfAborted()
        bounds.push(await engine.extentOf(topic, partition))
      }
      return bounds
    },
    async topicFigures(
      topics: readonly TopicInfo[],
      waitMs: number,
      { signal }: RequestContext,
    ): Promise<readonly (TopicFigures | undefined)[]> {
      const slices = new Slices(clock)
      const deadline = clock.monotonic() + waitMs
      const figures: (TopicFigures | undefined)[] = []
      for (const { id } of topics) {
        if (slices.isDue) await slices.pause()
        signal?.throwIfAborted()
        try {
          const found = await engine.topicFigures(id, deadline - clock.monotonic())
          const { messages, bytes, isWhole, ...traffic } = found
          figures.push({ messages, bytes, isWhole, traffic })
        } catch (error) {
          if (!(error instanceof UnknownTopicError)) throw error
          figures.push(undefined)
        }
      }
      return figures
    },
  }
}
