/** What /stats and /metrics show of a gateway: its connections and requests, and what its cluster tells of topics. */
import type { Clock } from '@kaska/protocol'
import type { CountedEngine } from './counted-engine.ts'
import type { BrokerFigures } from './figures/broker-figures.ts'
import { type ClusterEngine, createClusterFigures } from './http/cluster-parts.ts'
import type { FigureSource, ProcessFigures } from './http/figure-source.ts'
import type { MemoryBudget } from './log/memory-budget.ts'

export interface GatewayFigureParts {
  readonly kafka: ClusterEngine
  readonly engine: CountedEngine
  readonly budget: MemoryBudget
  readonly clock: Clock
  readonly counted: BrokerFigures
  /** In monotonic time. */
  readonly startedAt: number
}

export function createGatewayFigures(
  { kafka, engine, budget, clock, counted, startedAt }: GatewayFigureParts,
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
    ...createClusterFigures(kafka),
  }
}
