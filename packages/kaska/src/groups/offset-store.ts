/**
 * Committed offsets (contract 4), in the state log 'offsets': a group's name, a topic and a partition
 * to the offset of the next message that the group wants. Native clients and Kafka's share them.
 *
 * What is committed is applied at once, and seen when it is durable: `committed` waits for the commits
 * of its group that are under way. So it answers what was asked before it on the same connection, and
 * what it answers is never gone after a restart.
 *
 * Offsets belong to a topic's id, which is never given twice: those of topics that are no more are
 * skipped at a start.
 *
 * Kafka knows no bound for what clients commit. Here it may take a quarter of the byte budget, of
 * which it is a part: beyond that, commits that would take more memory are refused, and those that
 * move what is there go on.
 */
import {
  type Chunks,
  type Clock,
  type CommitEntry,
  GroupActiveError,
  kafka,
  OverloadedError,
  type TopicId,
} from '@kaska/protocol'
import type { State, StateLog } from '../log/state-log.ts'
import type { CommittedOffset, CommittedOffsets } from '../topics/committed-offsets.ts'
import type { CommitMember, GroupOffsets, Membership } from './membership.ts'
import {
  decodeOffsetEntry,
  encodeOffsetEntry,
  nativeOffset,
  type OffsetChange,
} from './offset-store-entries.ts'
import { OffsetExpiry } from './offset-store-expiry.ts'
import { durableIn, OffsetTable, type PartitionCell } from './offset-store-table.ts'

export interface OffsetStoreOptions {
  readonly clock: Clock
  /** What the offsets take of it is told to it, and never refused by it. */
  readonly budget: { readonly total: number; charge(bytes: number): void }
  readonly membership: Membership
  /** The name of the topic with this id; undefined where there is none (any more). */
  topicName(id: TopicId): string | undefined
  /** How long offsets that Kafka's clients committed are kept: offsets.retention.minutes; 7 days. */
  readonly retentionMs?: number
  /** How often is looked for those that have expired: offsets.retention.check.interval.ms; 10 min. */
  readonly retentionCheckMs?: number
}

/** What a Kafka client commits. */
export interface GroupCommit {
  readonly topic: TopicId
  readonly partition: number
  /** A safe integer; Kafka takes negative ones as well. */
  readonly offset: number
  readonly leaderEpoch: number
  readonly metadata: string
  /** How long the client wants it to be kept; undefined: as the broker is configured. */
  readonly retentionMs?: number | undefined
}

/** Changes of one group that are under way: how many, and when the last of them settles. */
interface Pending {
  count: number
  settled: Promise<void>
}

/** The part of the byte budget that offsets may fill. */
const budgetShare = 1 / 4
/** Partitions in one entry of a snapshot, and in one step of long work. */
const partitionsAtOnce = 1000
/** Groups after which a long walk lets others have a turn. */
const sliceGroups = 1000

export class OffsetStore implements CommittedOffsets, GroupOffsets {
  readonly #options: OffsetStoreOptions
  readonly #table: OffsetTable
  readonly #expiry: OffsetExpiry
  readonly #pending = new Map<string, Pending>()
  readonly #slicing = new Map<string, Promise<void>>()
  #log!: StateLog

  private constructor(options: OffsetStoreOptions) {
    this.#options = options
    this.#table = new OffsetTable((bytes) => options.budget.charge(bytes))
    this.#expiry = new OffsetExpiry({
      clock: options.clock,
      membership: options.membership,
      topicName: (id) => options.topicName(id),
      table: this.#table,
      retentionMs: options.retentionMs ?? 7 * 24 * 60 * 60_000,
      checkMs: options.retentionCheckMs ?? 10 * 60_000,
      remove: (group, partitions) => this.#change(group, partitions.map(removal)),
    })
  }

  static async open(
    directory: { openState(name: string, state: State): Promise<StateLog> },
    options: OffsetStoreOptions,
  ): Promise<OffsetStore> {
    const store = new OffsetStore(options)
    store.#log = await directory.openState('offsets', {
      apply: (entry) => store.#apply(entry),
      entries: () => store.#entries(),
    })
    store.#expiry.startIfNeeded()
    return store
  }

  /** Nothing expires any more. */
  close(): void {
    this.#expiry.close()
  }

  commit(group: string, entries: readonly CommitEntry[]): Promise<void> {
    if (this.#options.membership.hasMembers(group)) {
      return Promise.reject(
        new GroupActiveError(
          `'${group}' is a group of Kafka consumers that are running; stop them, or commit under ` +
            'another name',
        ),
      )
    }
    const now = this.#options.clock.now()
    return this.#change(
      group,
      entries.map(({ topic, partition, offset }) => {
        return { topic, partition, value: nativeOffset(offset, now) }
      }),
    )
  }

  async committed(group: string, topic: TopicId, partition: number): Promise<number | undefined> {
    await this.settled(group)
    const offset = this.durable(group, topic, partition)?.offset
    // Kafka's clients may commit what is none.
    return offset === undefined || offset < 0 ? undefined : offset
  }

  async forgetTopic(topic: TopicId): Promise<void> {
    let visited = 0
    for (const group of this.#table.groups()) {
      this.#table.forgetTopic(group, topic)
      if (++visited % sliceGroups === 0) await this.#options.clock.yield()
    }
  }

  groups(): Iterable<string> {
    return this.#table.groups()
  }

  hasOffsets(group: string): boolean {
    return this.#table.hasGroup(group)
  }

  /** Says with Kafka's code whether this member may commit now; counts as its heartbeat if so. */
  checkCommit(group: string, member: CommitMember): kafka.KafkaErrorCode {
    if (member.generationId >= 0 && !this.#hasBeenJoined(group)) {
      const { UNKNOWN_MEMBER_ID, GROUP_ID_NOT_FOUND } = kafka.errorCode
      return this.hasOffsets(group) ? UNKNOWN_MEMBER_ID : GROUP_ID_NOT_FOUND
    }
    return this.#options.membership.checkCommit(group, member)
  }

  /** Commits for a Kafka client: all or none. Rejects with DiskFullError, OverloadedError. */
  commitFor(group: string, commits: readonly GroupCommit[]): Promise<void> {
    const committedAt = this.#options.clock.now()
    const changes = commits.map(({ retentionMs, ...commit }): OffsetChange => {
      const { topic, partition, offset, leaderEpoch, metadata } = commit
      const expiresAt =
        retentionMs === undefined
          ? undefined
          : Math.min(Math.max(0, committedAt + retentionMs), Number.MAX_SAFE_INTEGER)
      const value = { offset, leaderEpoch, metadata, committedAt, isNative: false, expiresAt }
      return { topic, partition, value }
    })
    return this.#change(group, changes)
  }

  /**
   * Runs what commits for the group in slices: until it is over, `slicing` says so, and who commits for
   * the group waits, for commits to take effect in the order of their requests. Settles as `run` does.
   */
  async inSlices(group: string, run: () => Promise<void>): Promise<void> {
    const running = run()
    this.#slicing.set(
      group,
      running.then(
        () => {},
        () => {},
      ),
    )
    try {
      await running
    } finally {
      this.#slicing.delete(group)
    }
  }

  /** Resolves when what commits for the group in slices is over; undefined: nothing does. */
  slicing(group: string): Promise<void> | undefined {
    return this.#slicing.get(group)
  }

  /** Resolves when the fate of all that is under way for the group is known. Never rejects. */
  settled(group: string): Promise<void> {
    return this.#pending.get(group)?.settled ?? Promise.resolve()
  }

  /** What is durable now. */
  durable(group: string, topic: TopicId, partition: number): CommittedOffset | undefined {
    return durableIn(this.#table.cell(group, topic, partition))
  }

  /** All of a group that is durable now, topic by topic. Valid while commits come. */
  *allDurable(
    group: string,
  ): IterableIterator<{ topic: TopicId; partition: number; value: CommittedOffset }> {
    for (const { topic, partition, cell } of this.#table.partitions(group)) {
      const value = durableIn(cell)
      if (value !== undefined) yield { topic, partition, value }
    }
  }

  /** Says with Kafka's code whether offsets of the group may be deleted (KIP-496). */
  checkDelete(group: string): kafka.KafkaErrorCode {
    const { membership } = this.#options
    if (group === '') return kafka.errorCode.INVALID_GROUP_ID
    if (!this.hasOffsets(group) && !this.#hasBeenJoined(group)) {
      return kafka.errorCode.GROUP_ID_NOT_FOUND
    }
    const isOfConsumers = membership.protocolType(group) === 'consumer'
    if (membership.hasMembers(group) && !isOfConsumers) return kafka.errorCode.NON_EMPTY_GROUP
    return kafka.errorCode.NONE
  }

  isSubscribed(group: string, topic: string): boolean {
    return this.#options.membership.isSubscribed(group, topic)
  }

  /** Forgets what is committed in these partitions, durably. Rejects with DiskFullError. */
  async deleteOffsets(
    group: string,
    partitions: readonly { readonly topic: TopicId; readonly partition: number }[],
  ): Promise<void> {
    const known = partitions.filter(({ topic, partition }) => {
      return this.#table.cell(group, topic, partition) !== undefined
    })
    if (known.length > 0) await this.#change(group, known.map(removal))
    else await this.settled(group)
  }

  async forgetGroup(group: string): Promise<void> {
    const removing: Promise<void>[] = []
    let removals: OffsetChange[] = []
    for (const { topic, partition, cell } of this.#table.partitions(group)) {
      if (cell.value !== undefined) removals.push(removal({ topic, partition }))
      if (removals.length < partitionsAtOnce) continue
      removing.push(this.#change(group, removals))
      removals = []
      await this.#options.clock.yield()
    }
    if (removals.length > 0) removing.push(this.#change(group, removals))
    await this.settled(group)
    await Promise.all(removing)
  }

  /** Has it members, or had it some? All other groups are no more than the offsets that they have. */
  #hasBeenJoined(group: string): boolean {
    const { membership } = this.#options
    return membership.hasMembers(group) || membership.emptySince(group) !== undefined
  }

  /** Applies the changes and appends them as one entry. */
  #change(group: string, changes: readonly OffsetChange[]): Promise<void> {
    const refusal = this.#refusal(group, changes)
    if (refusal !== undefined) return Promise.reject(refusal)
    const change: PartitionCell[] = []
    for (const { topic, partition, value } of changes) {
      const cell = this.#table.openCell(group, topic, partition)
      const pending = { change, before: cell.value }
      if (cell.pending === undefined) cell.pending = [pending]
      else cell.pending.push(pending)
      this.#table.setValue(cell, value)
      change.push({ topic, partition, cell })
    }
    this.#expiry.startIfNeeded()
    const appending = this.#append(encodeOffsetEntry(group, changes))
    const settled = appending.then(
      () => this.#settle(group, change, true),
      () => this.#settle(group, change, false),
    )
    const pending = this.#pending.get(group)
    if (pending === undefined) {
      this.#pending.set(group, { count: 1, settled })
    } else {
      pending.count++
      // One that is refused at once settles before those that are under way.
      const before = pending.settled
      pending.settled = settled.then(() => before)
    }
    return appending
  }

  /** Would it take memory that there is not? */
  #refusal(group: string, changes: readonly OffsetChange[]): OverloadedError | undefined {
    const bytesMax = this.#options.budget.total * budgetShare
    let bytes = 0
    for (const { topic, partition, value } of changes) {
      if (value === undefined) continue
      const cell = this.#table.cell(group, topic, partition)
      if (cell === undefined) bytes += this.#table.bytesOfNew(group, topic)
      bytes += 2 * Math.max(0, value.metadata.length - (cell?.value?.metadata.length ?? 0))
    }
    if (bytes === 0 || this.#table.bytes + bytes <= bytesMax) return undefined
    return new OverloadedError(
      `committed offsets fill the ${Math.floor(bytesMax)} bytes that they may; give the broker more ` +
        'memory, or delete groups that are no longer used',
    )
  }

  /** Makes durable what was applied already. */
  async #append(entry: Chunks): Promise<void> {
    await this.#log.append([entry], { isApplied: true }).acknowledged
  }

  /** A change is durable, or is not in the log: what a later one has set stays either way. */
  #settle(group: string, change: readonly PartitionCell[], isDone: boolean): void {
    const under = this.#pending.get(group)
    if (under !== undefined && --under.count === 0) this.#pending.delete(group)
    for (const { topic, partition, cell } of change) {
      const { pending = [] } = cell
      const index = pending.findIndex((each) => each.change === change)
      const [settled] = pending.splice(index, 1)
      if (!isDone) this.#undo(group, { topic, partition, cell }, index, settled?.before)
      if (pending.length === 0) cell.pending = undefined
      if (cell.value === undefined) this.#table.dropIfEmpty(group, topic, partition)
    }
    // What could not be removed may still expire.
    if (!isDone) this.#expiry.startIfNeeded()
  }

  /** Nothing came of a change: the next one of the cell, or its value, is told what was before. */
  #undo(
    group: string,
    { topic, partition, cell }: PartitionCell,
    index: number,
    before: CommittedOffset | undefined,
  ): void {
    const next = cell.pending?.[index]
    if (next !== undefined) next.before = before
    // Its topic may have been deleted meanwhile.
    else if (this.#table.cell(group, topic, partition) === cell) this.#table.setValue(cell, before)
  }

  #apply(entry: Chunks): void {
    decodeOffsetEntry(entry, (group, { topic, partition, value }) => {
      if (this.#options.topicName(topic) === undefined) return
      if (value === undefined) {
        const cell = this.#table.cell(group, topic, partition)
        if (cell !== undefined) this.#table.setValue(cell, undefined)
        this.#table.dropIfEmpty(group, topic, partition)
      } else {
        this.#table.setValue(this.#table.openCell(group, topic, partition), value)
      }
    })
  }

  *#entries(): IterableIterator<Chunks> {
    for (const group of this.#table.groups()) {
      let changes: OffsetChange[] = []
      for (const { topic, partition, cell } of this.#table.partitions(group)) {
        if (cell.value === undefined) continue
        changes.push({ topic, partition, value: cell.value })
        if (changes.length < partitionsAtOnce) continue
        yield encodeOffsetEntry(group, changes)
        changes = []
      }
      if (changes.length > 0) yield encodeOffsetEntry(group, changes)
    }
  }
}

function removal({
  topic,
  partition,
}: {
  readonly topic: TopicId
  readonly partition: number
}): OffsetChange {
  return { topic, partition, value: undefined }
}
