/** What a broker is joined of. */
import type { Clock, Codecs, Crc32c } from '@kaska/protocol'
import type { BrokerConfig } from './config/broker-config.ts'
import type { BrokerFigures } from './figures/broker-figures.ts'
import type { GroupCoordinator } from './groups/group-coordinator.ts'
import type { OffsetStore } from './groups/offset-store.ts'
import type { DataDirectory } from './log/data-directory.ts'
import type { MemoryBudget } from './log/memory-budget.ts'
import type { LocalEngine } from './topics/local-engine.ts'

export interface JoinedParts {
  readonly config: BrokerConfig
  readonly directory: DataDirectory
  readonly engine: LocalEngine
  readonly offsets: OffsetStore
  readonly groups: GroupCoordinator
  readonly budget: MemoryBudget
  readonly clock: Clock
  readonly codecs: Codecs
  readonly crc32c: Crc32c
  /** Requests and connections, over all ports. */
  readonly counted: BrokerFigures
  /** In monotonic time. */
  readonly startedAt: number
  /** As it was given. */
  readonly dataDirectory: string | undefined
  readonly isInMemory: boolean
  readonly report: (line: string) => void
}
