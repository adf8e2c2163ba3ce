/**
 * The expiry of what Kafka's clients have committed, as Kafka has it (OffsetExpirationCondition):
 *
 *   the group has                counted from                never
 *   no members, and had some     when it became empty
 *   no members, and never had    the commit
 *   members that are consumers   the commit                  while one subscribes to the topic
 *   other members                                            at all
 *
 * A commit that said how long it wants to be kept expires by that instead, under the same conditions.
 * What was committed natively never expires.
 *
 * A timer looks for what has expired, and runs while there is something that may.
 */
import type { Clock, Timer, TopicId } from '@kaska/protocol'
import type { CommittedOffset } from '../topics/committed-offsets.ts'
import type { Membership } from './membership.ts'
import type { OffsetTable } from './offset-store-table.ts'

export interface OffsetExpiryOptions {
  readonly clock: Clock
  readonly membership: Membership
  readonly table: OffsetTable
  readonly retentionMs: number
  readonly checkMs: number
  topicName(id: TopicId): string | undefined
  /** Forgets what is committed there. May reject: it is tried again at the next time. */
  remove(group: string, partitions: readonly Expired[]): Promise<void>
}

interface Expired {
  readonly topic: TopicId
  readonly partition: number
}

/** Groups and partitions after which others have a turn. */
const sliceSteps = 1000

export class OffsetExpiry {
  readonly #options: OffsetExpiryOptions
  #timer: Timer | undefined
  #isChecking = false
  #isClosed = false
  #steps = 0

  constructor(options: OffsetExpiryOptions) {
    this.#options = options
  }

  /** To be called when something was committed: a timer is set if there is none. */
  startIfNeeded(): void {
    const { clock, checkMs, table } = this.#options
    if (table.expirable === 0 || this.#timer !== undefined) return
    if (this.#isChecking || this.#isClosed) return
    this.#timer = clock.after(checkMs, () => {
      this.#timer = undefined
      void this.#check()
    })
  }

  close(): void {
    this.#isClosed = true
    this.#timer?.cancel()
    this.#timer = undefined
  }

  async #check(): Promise<void> {
    this.#isChecking = true
    for (const group of this.#options.table.groups()) {
      if (++this.#steps % sliceSteps === 0) await this.#options.clock.yield()
      if (this.#isClosed) return
      await this.#checkGroup(group)
    }
    this.#isChecking = false
    this.startIfNeeded()
  }

  async #checkGroup(group: string): Promise<void> {
    const { clock, table } = this.#options
    let expired: Expired[] = []
    for (const { topic, partition, cell } of table.partitions(group)) {
      // What is being changed is not old, or has gone.
      if (cell.pending === undefined && this.#isExpired(group, topic, cell.value)) {
        expired.push({ topic, partition })
      }
      if (++this.#steps % sliceSteps > 0) continue
      // Before anybody can commit there anew.
      this.#remove(group, expired)
      expired = []
      await clock.yield()
      if (this.#isClosed) return
    }
    this.#remove(group, expired)
  }

  #remove(group: string, expired: readonly Expired[]): void {
    // What cannot be removed now, since the disk is full, is found again.
    if (expired.length > 0) this.#options.remove(group, expired).catch(() => {})
  }

  #isExpired(group: string, topic: TopicId, value: CommittedOffset | undefined): boolean {
    const { clock, membership, retentionMs } = this.#options
    if (value === undefined || value.isNative) return false
    const name = this.#options.topicName(topic)
    if (name === undefined) return false
    const { committedAt, expiresAt } = value
    let since = committedAt
    if (!membership.hasMembers(group)) {
      since = membership.emptySince(group) ?? committedAt
    } else {
      if (membership.protocolType(group) !== 'consumer') return false
      if (membership.isSubscribed(group, name)) return false
    }
    return clock.now() >= (expiresAt ?? since + retentionMs)
  }
}
