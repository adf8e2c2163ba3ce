/** What the broker says about groups: GET /api/v1/groups and below. Times are ms since 1970. */

export interface GroupRow {
  readonly name: string
  /** Kafka's word; `Empty` for those that have offsets and nobody in them. */
  readonly state: string
  readonly protocolType: string
  readonly members: number
  readonly topics: readonly string[]
  /** In messages, over all partitions. */
  readonly lag: number
}

export interface GroupsPage {
  readonly groups: readonly GroupRow[]
  readonly next?: number
}

export interface Member {
  readonly memberId: string
  readonly clientId: string
  readonly clientHost: string
  readonly instanceId: string | null
  readonly assignment: readonly { readonly topic: string; readonly partitions: readonly number[] }[]
}

/** A partition that a group has committed in, or that a member reads: then much is null. */
export interface OffsetRow {
  readonly topic: string
  readonly partition: number
  readonly offset: number | null
  readonly startOffset: number | null
  readonly endOffset: number | null
  readonly lag: number | null
  /** How old the first message is that was not read. */
  readonly lagMs: number | null
  /** Null also where a cluster does not tell. */
  readonly committedAt: number | null
  readonly metadata: string
  /** By a client of Kaska's own protocol. */
  readonly isNative: boolean
  readonly memberId: string | null
}

export interface GroupPage {
  readonly name: string
  readonly state: string
  readonly protocolType: string
  readonly protocol: string
  readonly members: readonly Member[]
  readonly offsets: readonly OffsetRow[]
  readonly next?: number
}

export interface Move {
  readonly topic: string
  readonly partition: number
  readonly before: number | null
  readonly after: number
}
