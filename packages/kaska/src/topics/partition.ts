/**
 * A partition that is in use: its log, opened when it is first needed, and who waits for it.
 *
 * Being written; this is the interface.
 */
import type { PartitionLog } from '../log/partition-log.ts'

export class Partition {
  /** Undefined until it is open. */
  log: PartitionLog | undefined = undefined
}
