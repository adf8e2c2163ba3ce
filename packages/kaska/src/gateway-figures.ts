/** What /stats and /metrics show of a gateway: its connections and requests, and nothing of the cluster's logs. */
import type { Clock } from '@kaska/protocol'
import type { CountedEngine } from './counted-engine.ts'
import type { BrokerFigures } from './figures/broker-figures.ts'
import type { FigureSource, ProcessFigures } from './http/figure-source.ts'
import type { MemoryBudget } from './log/memory-budget.ts'

export interface GatewayFigureParts {
  readonly engine: CountedEngine
  readonly budget: MemoryBudget
  readonly clock: Clock
  readonly counted: BrokerFigures
  /** In monotonic time. */
  readonly startedAt: number
}

export function createGatewayFigures(
  { engine, budget, clock, counted, startedAt }: GatewayFigureParts,
  process: { read(): ProcessFigures },
): FigureSource {
  return {
    counted,
    get uptimeMs(): number {
      return clock.monotonic() - startedAt
    },
    dataDirectory: null,
    sync: null,
    traffic: engine.traffic,
    openPartitions: null,
    budget,
    process: () => process.read(),
    disk: () => Promise.resolve(null),
    retentionOf: (topics) =>
      Promise.resolve(topics.map(() => ({ retentionMs: null, retentionBytes: null }))),
    bounds: (places) => Promise.resolve(places.map(() => undefined)),
    topicFigures: (topics) => Promise.resolve(topics.map(() => undefined)),
  }
}
