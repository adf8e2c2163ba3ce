/** A generation of a group, as it is kept over a restart. */
import type { GroupMember } from './group-member.ts'

export interface GroupImage {
  readonly generation: number
  readonly protocolType: string
  /** Undefined: there are no members. */
  readonly protocolName: string | undefined
  readonly leader: string
  /** In wall time. */
  readonly stateSince: number
  readonly members: readonly GroupMember[]
}
