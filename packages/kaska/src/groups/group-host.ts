/** What a group needs of what is around it, and what is kept of it. */
import type { Clock } from '@kaska/protocol'
import type { Group } from './group.ts'
import type { GroupConfig } from './group-config.ts'
import type { GroupMember } from './group-member.ts'

export interface GroupHost {
  readonly clock: Clock
  readonly config: GroupConfig
  /** An id that nobody has, which begins with this. */
  newMemberId(prefix: string): string
  /** Makes the generation as it stands durable. */
  store(group: Group): Promise<void>
  /** What the group takes in memory has grown by so much. */
  counted(bytes: number): void
  /** An id was given to somebody who has yet to join with it, or is not waited for any more. */
  pendingAdded(group: Group, memberId: string): void
  pendingRemoved(memberId: string): void
  /** Nobody is in the group any more, and nobody is expected. */
  emptied(group: Group): void
}

/** A generation, as it is kept over a restart. */
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
