/** What bounds consumer groups: Kafka's settings, and the memory that groups may take. */

export interface GroupConfig {
  /** group.initial.rebalance.delay.ms */
  readonly groupInitialRebalanceDelayMs: number
  /** group.min.session.timeout.ms */
  readonly groupSessionTimeoutMsMin: number
  /** group.max.session.timeout.ms */
  readonly groupSessionTimeoutMsMax: number
  /** group.max.size: members of one group. */
  readonly groupSizeMax: number
  /**
   * offsets.retention.check.interval.ms: how often groups that nobody is in are looked for, and how
   * long they are kept at least where they have no offsets.
   */
  readonly offsetsRetentionCheckMs: number
  /** What the members of all groups may take: their protocols, their assignments, and themselves. */
  readonly memberBytesMax: number
  /** Members of all groups that were given an id, and have yet to join with it. */
  readonly pendingMax: number
}

/** The bounds of the memory that groups take, in a broker with this byte budget. */
export function groupBounds(
  memoryBytesMax: number,
): Pick<GroupConfig, 'memberBytesMax' | 'pendingMax'> {
  return { memberBytesMax: Math.floor(memoryBytesMax / 8), pendingMax: 10_000 }
}
