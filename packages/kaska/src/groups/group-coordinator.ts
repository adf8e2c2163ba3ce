/**
 * The consumer groups of a broker: finds the group that a request is about, makes it and forgets it,
 * and keeps what all of them take within a bound.
 *
 * A group is made by the first JoinGroup without a member id. One that nobody is in, and that has no
 * offsets, is forgotten after a while, or sooner where there are too many of them. What members and
 * given ids take in memory is counted; beyond the limit nobody joins (COORDINATOR_NOT_AVAILABLE, on
 * which clients come again) but who is in already, so that groups there are go on; and of the ids that
 * were given the oldest are taken back.
 */
import { type Clock, kafka, OverloadedError, type Random, type Timer } from '@kaska/protocol'
import type { State, StateLog } from '../log/state-log.ts'
import { Group, type GroupHost } from './group.ts'
import {
  type JoinAnswer,
  type JoinCaller,
  type LeavingMember,
  type MemberLeft,
  refuseJoin,
  refuseSync,
  type SyncAnswer,
} from './group-answers.ts'
import type { GroupConfig } from './group-config.ts'
import { protocolsBytes } from './group-member.ts'
import { GroupStore } from './group-store.ts'
import type { CommitMember, GroupOffsets, Membership } from './membership.ts'
import type { GroupState } from './rebalance.ts'

const { errorCode } = kafka

export interface GroupCoordinatorOptions {
  readonly clock: Clock
  readonly random: Random
  readonly config: GroupConfig
  /** What the groups take of it is told to it, and never refused by it. */
  readonly budget: { charge(bytes: number): void }
  readonly offsets: () => GroupOffsets
  /** What a person who runs the broker should hear of: one line of text each. */
  readonly report: (line: string) => void
}

/** A group, as ListGroups tells of it. */
export interface GroupListing {
  readonly name: string
  readonly state: GroupState
  /** Empty: nobody was in it yet. */
  readonly protocolType: string
}

/** A group, as DescribeGroups tells of it. */
export interface GroupDescription {
  readonly state: GroupState
  /** Empty: nobody was in it yet. */
  readonly protocolType: string
  /** Empty unless the state is Stable, as the members' metadata are. */
  readonly protocolName: string
  readonly members: readonly {
    readonly memberId: string
    readonly groupInstanceId: string | null
    readonly clientId: string
    readonly clientHost: string
    readonly metadata: Uint8Array
    readonly assignment: Uint8Array
  }[]
}

/** Groups after which a long walk lets others have a turn. */
const sliceGroups = 1000
/** What a group takes in memory beside its members and its name, about. */
const groupBytes = 2560

const noMembers: GroupDescription = {
  state: 'Empty',
  protocolType: '',
  protocolName: '',
  members: [],
}

export class GroupCoordinator implements Membership {
  readonly #options: GroupCoordinatorOptions
  readonly #store: GroupStore
  readonly #host: GroupHost
  readonly #groups = new Map<string, Group>()
  /** Groups of these that nobody is in. */
  readonly #empty = new Set<Group>()
  /** Ids that were given and not used yet, the oldest first. */
  readonly #pending = new Map<string, Group>()
  #bytes = 0
  #emptyBytes = 0
  /** What empty groups took when they had been looked through. */
  #emptyBytesSwept = 0
  #sweepTimer: Timer | undefined
  #isSweeping = false
  #isClosed = false

  /** Goes on with the groups that the broker had when it ended. */
  static async open(
    directory: { openState(name: string, state: State): Promise<StateLog> },
    options: GroupCoordinatorOptions,
  ): Promise<GroupCoordinator> {
    return new GroupCoordinator(await GroupStore.open(directory), options)
  }

  private constructor(store: GroupStore, options: GroupCoordinatorOptions) {
    const { clock, config } = options
    this.#store = store
    this.#options = options
    this.#host = {
      clock,
      config,
      newMemberId: (prefix) => `${prefix.slice(0, prefixLengthMax)}-${this.#uuid()}`,
      store: async (group) => {
        // Nobody was told of a generation of it: there is nothing to take back.
        if (group.members.size === 0 && !store.has(group.name)) return
        if (this.#bytes > 2 * config.memberBytesMax) throw this.#overloaded()
        try {
          await store.put(group)
        } catch (error) {
          const { message } = error as Error
          options.report(`group '${shown(group.name)}' could not be stored: ${message}`)
          throw error
        }
      },
      counted: (bytes) => {
        this.#bytes += bytes
        options.budget.charge(bytes)
      },
      pendingAdded: (group, id) => this.#addPending(group, id),
      pendingRemoved: (id) => this.#pending.delete(id),
      emptied: (group) => this.#emptied(group),
    }
    for (const [name, image] of store.images()) {
      const group = this.#create(name)
      group.restore(image)
      if (group.isIdle) this.#emptied(group)
    }
  }

  /** What groups with members take in memory, about. */
  get bytes(): number {
    return this.#bytes
  }

  async join(request: kafka.JoinGroupRequest, caller: JoinCaller): Promise<JoinAnswer> {
    const { groupId, memberId, sessionTimeoutMs } = request
    const { config } = this.#options
    if (this.#isClosed || caller.signal.aborted) {
      return refuseJoin(errorCode.NOT_COORDINATOR, memberId)
    }
    if (groupId === '') return refuseJoin(errorCode.INVALID_GROUP_ID, memberId)
    if (
      sessionTimeoutMs < config.groupSessionTimeoutMsMin ||
      sessionTimeoutMs > config.groupSessionTimeoutMsMax
    ) {
      return refuseJoin(errorCode.INVALID_SESSION_TIMEOUT, memberId)
    }
    const existing = this.#groups.get(groupId)
    if (existing === undefined && memberId !== '') {
      return refuseJoin(errorCode.UNKNOWN_MEMBER_ID, memberId)
    }
    const bytes = protocolsBytes(request.protocols) - (existing?.protocolsBytesOf(request) ?? 0)
    if (bytes > 0 && this.#bytes + bytes > config.memberBytesMax) {
      this.#options.report(this.#overloaded().message)
      return refuseJoin(errorCode.COORDINATOR_NOT_AVAILABLE, memberId)
    }
    const group = existing ?? this.#create(groupId)
    this.#filled(group)
    try {
      return await group.join(request, caller)
    } finally {
      if (group.isIdle) this.#emptied(group)
    }
  }

  async sync(request: kafka.SyncGroupRequest, signal: AbortSignal): Promise<SyncAnswer> {
    if (this.#isClosed || signal.aborted) return refuseSync(errorCode.NOT_COORDINATOR)
    if (request.groupId === '') return refuseSync(errorCode.INVALID_GROUP_ID)
    const group = this.#groups.get(request.groupId)
    if (group === undefined) return refuseSync(errorCode.UNKNOWN_MEMBER_ID)
    return await group.sync(request, signal)
  }

  heartbeat(request: kafka.HeartbeatRequest): kafka.KafkaErrorCode {
    if (this.#isClosed) return errorCode.NOT_COORDINATOR
    if (request.groupId === '') return errorCode.INVALID_GROUP_ID
    return this.#groups.get(request.groupId)?.heartbeat(request) ?? errorCode.UNKNOWN_MEMBER_ID
  }

  /** The request's own code, and where that is none, a code for each member. */
  leave(
    groupId: string,
    leaving: readonly LeavingMember[],
  ): { readonly errorCode: kafka.KafkaErrorCode; readonly members: MemberLeft[] } {
    if (this.#isClosed) return { errorCode: errorCode.NOT_COORDINATOR, members: [] }
    if (groupId === '') return { errorCode: errorCode.INVALID_GROUP_ID, members: [] }
    const group = this.#groups.get(groupId)
    const codes = group?.leave(leaving)
    if (group?.isIdle) this.#emptied(group)
    const members = leaving.map(({ memberId, groupInstanceId }, index) => ({
      memberId,
      groupInstanceId,
      errorCode: codes?.[index] ?? errorCode.UNKNOWN_MEMBER_ID,
    }))
    return { errorCode: errorCode.NONE, members }
  }

  /** All groups, those that have offsets and nothing else among them. Valid while they come and go. */
  *list(): IterableIterator<GroupListing> {
    for (const [name, { state, protocolType = '' }] of this.#groups) {
      yield { name, state, protocolType }
    }
    for (const name of this.#options.offsets().groups()) {
      if (!this.#groups.has(name)) yield { name, state: 'Empty', protocolType: '' }
    }
  }

  /** Undefined: there is no such group. */
  describe(name: string): GroupDescription | undefined {
    const group = this.#groups.get(name)
    if (group === undefined) return this.#options.offsets().hasOffsets(name) ? noMembers : undefined
    const isStable = group.state === 'Stable'
    return {
      state: group.state,
      protocolType: group.protocolType ?? '',
      protocolName: isStable ? (group.protocolName ?? '') : '',
      members: Array.from(group.members, (member) => ({
        memberId: member.id,
        groupInstanceId: member.instanceId,
        clientId: member.clientId,
        clientHost: member.clientHost,
        metadata: member.metadataOf(isStable ? group.protocolName : undefined),
        assignment: member.assignment,
      })),
    }
  }

  /** Forgets a group that nobody is in, with its offsets, durably. */
  async delete(name: string): Promise<kafka.KafkaErrorCode> {
    if (this.#isClosed) return errorCode.NOT_COORDINATOR
    const { offsets } = this.#options
    const group = this.#groups.get(name)
    if (group === undefined && !offsets().hasOffsets(name)) return errorCode.GROUP_ID_NOT_FOUND
    if (group !== undefined && group.state !== 'Empty') return errorCode.NON_EMPTY_GROUP
    if (group !== undefined) this.#forget(group)
    try {
      await Promise.all([offsets().forgetGroup(name), this.#store.forget(name)])
    } catch (error) {
      this.#options.report(
        `group '${shown(name)}' could not be deleted: ${(error as Error).message}`,
      )
      return errorCode.COORDINATOR_NOT_AVAILABLE
    }
    return errorCode.NONE
  }

  hasMembers(name: string): boolean {
    return (this.#groups.get(name)?.members.size ?? 0) > 0
  }

  checkCommit(name: string, member: CommitMember): kafka.KafkaErrorCode {
    const { memberId, generationId, groupInstanceId } = member
    if (this.#isClosed) return errorCode.NOT_COORDINATOR
    const group = this.#groups.get(name)
    if (group === undefined) {
      // There can be no such member; somebody who is none makes the group by its commit.
      return generationId < 0 ? errorCode.NONE : errorCode.ILLEGAL_GENERATION
    }
    return group.checkCommit(memberId, generationId, groupInstanceId)
  }

  isSubscribed(name: string, topic: string): boolean {
    return this.#groups.get(name)?.isSubscribed(topic) ?? false
  }

  protocolType(name: string): string | undefined {
    const group = this.#groups.get(name)
    return group === undefined || group.members.size === 0 ? undefined : group.protocolType
  }

  emptySince(name: string): number | undefined {
    const group = this.#groups.get(name)
    return group?.state === 'Empty' && group.generation > 0 ? group.stateSince : undefined
  }

  /** Answers what waits; nothing is taken, and nothing changes, from then on. */
  close(): void {
    this.#isClosed = true
    this.#sweepTimer?.cancel()
    for (const group of this.#groups.values()) group.close(errorCode.NOT_COORDINATOR)
  }

  #create(name: string): Group {
    const group = new Group(name, this.#host)
    this.#groups.set(name, group)
    this.#host.counted(bytesOf(group))
    return group
  }

  #forget(group: Group): void {
    group.close(errorCode.UNKNOWN_MEMBER_ID)
    this.#filled(group)
    this.#host.counted(-bytesOf(group))
    if (this.#groups.get(group.name) === group) this.#groups.delete(group.name)
  }

  /** Nobody is in it any more: it does not count, but is not to be there for ever. */
  #emptied(group: Group): void {
    if (this.#isClosed || this.#empty.has(group) || this.#groups.get(group.name) !== group) return
    this.#empty.add(group)
    this.#bytes -= bytesOf(group)
    this.#emptyBytes += bytesOf(group)
    const { config } = this.#options
    const bytesMax = Math.max(config.memberBytesMax, 2 * this.#emptyBytesSwept)
    if (this.#emptyBytes > bytesMax) void this.#sweep(0)
    this.#sweepSoon()
  }

  /** Somebody may be in it from now on. */
  #filled(group: Group): void {
    if (!this.#empty.delete(group)) return
    this.#bytes += bytesOf(group)
    this.#emptyBytes -= bytesOf(group)
  }

  #sweepSoon(): void {
    const { clock, config } = this.#options
    const ms = config.offsetsRetentionCheckMs
    this.#sweepTimer ??= clock.after(ms, () => {
      this.#sweepTimer = undefined
      void this.#sweep(ms)
    })
  }

  /** Forgets the groups that nobody is in since so long, and that have no offsets. */
  async #sweep(sinceMs: number): Promise<void> {
    if (this.#isSweeping) return
    this.#isSweeping = true
    const { clock, offsets } = this.#options
    let visited = 0
    for (const group of this.#empty) {
      if (this.#isClosed) return
      const isOld = clock.now() - group.stateSince >= sinceMs
      if (isOld && !offsets().hasOffsets(group.name)) {
        this.#forget(group)
        // If that fails, a start finds it again, and it is forgotten then.
        this.#store.forget(group.name).catch(() => {})
      }
      if (++visited % sliceGroups === 0) await clock.yield()
    }
    this.#isSweeping = false
    this.#emptyBytesSwept = this.#emptyBytes
    if (this.#empty.size === 0 || this.#isClosed) return
    this.#sweepSoon()
  }

  #addPending(group: Group, id: string): void {
    this.#pending.set(id, group)
    if (this.#pending.size <= this.#options.config.pendingMax) return
    for (const [oldest, holder] of this.#pending) {
      holder.forgetPending(oldest)
      if (holder.isIdle) this.#emptied(holder)
      return
    }
  }

  #overloaded(): OverloadedError {
    const { memberBytesMax } = this.#options.config
    return new OverloadedError(
      `the members of all groups take ${this.#bytes} bytes; the limit is ${memberBytesMax}`,
    )
  }

  /** A random UUID (version 4). */
  #uuid(): string {
    const bytes = this.#options.random.bytes(16)
    bytes[6] = ((bytes[6] as number) & 0x0f) | 0x40
    bytes[8] = ((bytes[8] as number) & 0x3f) | 0x80
    const hex = Array.from(bytes, (byte) => byte.toString(16).padStart(2, '0')).join('')
    return hex.replace(/^(.{8})(.{4})(.{4})(.{4})/, '$1-$2-$3-$4-')
  }
}

/** Of a client's id, or an instance's, in the id of a member. */
const prefixLengthMax = 255

function bytesOf(group: Group): number {
  return groupBytes + 2 * group.name.length
}

function shown(name: string): string {
  return name.length <= 200 ? name : `${name.slice(0, 200).toWellFormed()}...`
}
