/** The engine over the broker's own logs. Being written; this is the interface. */
import type { Clock, Codecs, Engine, Random } from '@kaska/protocol'
import type { DataDirectory } from '../log/data-directory.ts'

export interface LocalEngineOptions {
  readonly directory: DataDirectory
  readonly clock: Clock
  readonly random: Random
  readonly codecs: Codecs
}

export declare function openLocalEngine(options: LocalEngineOptions): Promise<Engine>
