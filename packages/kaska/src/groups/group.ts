/**
 * A consumer group of the classic protocol: its members agree on who reads what, through a leader of
 * theirs, once for each generation.
 *
 *            a member joins                  all have joined,                 the leader's SyncGroup
 *                                            or their time is up              is durable
 *   Empty ------------------> PreparingRebalance -----------> CompletingRebalance --------> Stable
 *     ^                        |  ^                                     |                     |
 *     +------------------------+  +-------------------------------------+---------------------+
 *        nobody is left              a member joins, leaves or is not heard of any more,
 *                                    says something new, or the leader joins again
 *
 * A JoinGroup waits until the generation begins, a SyncGroup until the leader's has come. The rules are
 * those of Kafka's GroupCoordinator (KIP-62, 345, 394, 559, 814). One timer a group: heartbeats move
 * the members' deadlines on, and when it fires it looks at all of them.
 *
 * One rule is our own. A member whose connection ends while its JoinGroup waits has not joined: a new
 * one is forgotten, another one has the time of its session to come back. (Kafka does not see it end,
 * and gives partitions to a member that is gone.)
 */
import { type Clock, emptyBytes, kafka, type Timer } from '@kaska/protocol'
import {
  type JoinAnswer,
  type JoinCaller,
  type LeavingMember,
  refuseJoin,
  refuseSync,
  type SyncAnswer,
} from './group-answers.ts'
import type { GroupConfig } from './group-config.ts'
import { GroupMember, type GroupProtocol } from './group-member.ts'
import { GroupMembers } from './group-members.ts'
import { Waiter } from './waiter.ts'

const { errorCode } = kafka

export type GroupState = 'Empty' | 'PreparingRebalance' | 'CompletingRebalance' | 'Stable'

/** What a group needs of what is around it. */
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
  /** The group has no members any more. */
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

/** A new member that is not told its id before the generation begins cannot send heartbeats. */
const newMemberJoinMs = 300_000

const never = Number.POSITIVE_INFINITY

/** An id that is not used yet, beside its characters. */
const pendingBytes = 256

export class Group {
  readonly name: string
  readonly members: GroupMembers
  readonly #host: GroupHost
  #state: GroupState = 'Empty'
  #stateSince: number
  #generation = 0
  #protocolType: string | undefined
  #protocolName: string | undefined
  /** Ids that were given, and until when they may be used. */
  readonly #pending = new Map<string, number>()
  /** Members of this generation whose SyncGroup has not come. */
  readonly #unsynced = new Set<string>()
  /** The generation whose assignment is being stored. */
  #storing: number | undefined
  /** Until when the others have to join, and sync. */
  #joinEnd: number | undefined
  #syncEnd: number | undefined
  /** The delay before a first generation: what is left of it, and did somebody come during it? */
  #delayLeftMs: number | undefined
  #hasNewMember = false
  #timer: Timer | undefined
  #timerAt = never
  #subscribed: { readonly generation: number; readonly topics: Set<string> | undefined } | undefined

  constructor(name: string, host: GroupHost) {
    this.name = name
    this.#host = host
    this.#stateSince = host.clock.now()
    this.members = new GroupMembers((bytes) => host.counted(bytes))
  }

  get state(): GroupState {
    return this.#state
  }

  /** Since when the state is what it is, in wall time. */
  get stateSince(): number {
    return this.#stateSince
  }

  get generation(): number {
    return this.#generation
  }

  /** Undefined: it had no member yet. */
  get protocolType(): string | undefined {
    return this.#protocolType
  }

  /** Undefined: there is no generation with members. */
  get protocolName(): string | undefined {
    return this.#protocolName
  }

  /** Nobody is in it, and nobody is expected. */
  get isIdle(): boolean {
    return this.#state === 'Empty' && this.#pending.size === 0
  }

  /** Goes on where a generation was stored. Its members have their sessions' time to say that they live. */
  restore(image: GroupImage): void {
    this.#generation = image.generation
    this.#protocolType = image.protocolType
    this.#protocolName = image.protocolName
    for (const member of image.members) {
      this.members.add(member)
      member.isNew = false
      this.#beat(member)
    }
    this.members.setLeader(image.leader)
    this.#state = this.members.size === 0 ? 'Empty' : 'Stable'
    this.#stateSince = image.stateSince
  }

  join(request: kafka.JoinGroupRequest, caller: JoinCaller): JoinAnswer | Promise<JoinAnswer> {
    const { memberId } = request
    if (!this.#accepts(memberId)) {
      const member = this.members.get(memberId)
      if (member !== undefined) {
        this.#remove(member)
        this.#goOnWithout()
      }
      return refuseJoin(errorCode.GROUP_MAX_SIZE_REACHED, '')
    }
    const { protocolType, protocols } = request
    const isPossible =
      this.#state === 'Empty'
        ? protocolType !== '' && protocols.length > 0
        : protocolType === this.#protocolType && this.members.supports(protocols)
    if (!isPossible) return refuseJoin(errorCode.INCONSISTENT_GROUP_PROTOCOL, memberId)
    if (memberId === '') return this.#joinNew(request, caller)
    if (this.#pending.has(memberId)) return this.#add(memberId, request, caller)
    return this.#joinAgain(request, caller)
  }

  sync(request: kafka.SyncGroupRequest, signal: AbortSignal): SyncAnswer | Promise<SyncAnswer> {
    const { memberId, generationId, groupInstanceId, protocolType, protocolName } = request
    const member = this.#check(memberId, groupInstanceId, generationId)
    if (typeof member === 'number') return refuseSync(member)
    const isSame =
      (protocolType === null || protocolType === this.#protocolType) &&
      (protocolName === null || protocolName === this.#protocolName)
    if (!isSame) return refuseSync(errorCode.INCONSISTENT_GROUP_PROTOCOL)
    switch (this.#state) {
      case 'Empty':
        return refuseSync(errorCode.UNKNOWN_MEMBER_ID)
      case 'PreparingRebalance':
        return refuseSync(errorCode.REBALANCE_IN_PROGRESS)
      case 'Stable':
        this.#hasSynced(member)
        this.#beat(member)
        return this.#syncAnswer(member)
      case 'CompletingRebalance': {
        this.#endSync(member, refuseSync(errorCode.REBALANCE_IN_PROGRESS))
        const waiter = new Waiter<SyncAnswer>(signal, () => {
          this.#endSync(member, refuseSync(errorCode.NOT_COORDINATOR))
          this.#beat(member)
        })
        member.sync = waiter
        this.#hasSynced(member)
        if (member === this.members.leader) void this.#assign(request.assignments)
        return waiter.answer
      }
    }
  }

  heartbeat(request: kafka.HeartbeatRequest): kafka.KafkaErrorCode {
    const { memberId, groupInstanceId, generationId } = request
    const member = this.#check(memberId, groupInstanceId, generationId)
    if (typeof member === 'number') return member
    if (this.#state === 'Empty') return errorCode.UNKNOWN_MEMBER_ID
    this.#beat(member)
    return this.#state === 'PreparingRebalance' ? errorCode.REBALANCE_IN_PROGRESS : errorCode.NONE
  }

  /** May this member commit now? Counts as its heartbeat. */
  checkCommit(
    memberId: string,
    generationId: number,
    instanceId: string | null,
  ): kafka.KafkaErrorCode {
    if (generationId < 0 && this.#state === 'Empty') return errorCode.NONE
    if (generationId >= 0 || memberId !== '' || instanceId !== null) {
      const member = this.#check(memberId, instanceId, generationId)
      if (typeof member === 'number') return member
      if (this.#state !== 'CompletingRebalance') this.#beat(member)
    } else if (this.#state !== 'Empty') {
      return errorCode.UNKNOWN_MEMBER_ID
    }
    // It has heard of the generation, and not yet of what it is to read.
    if (this.#state === 'CompletingRebalance') return errorCode.REBALANCE_IN_PROGRESS
    return errorCode.NONE
  }

  /** Takes out those that are in it, with a code for each. */
  leave(leaving: readonly LeavingMember[]): kafka.KafkaErrorCode[] {
    const codes = leaving.map(({ memberId, groupInstanceId }) => {
      if (this.#dropPending(memberId)) return errorCode.NONE
      // Somebody else may take a static member out, whose id it does not know.
      const member =
        memberId === ''
          ? (this.members.instance(groupInstanceId) ?? errorCode.UNKNOWN_MEMBER_ID)
          : this.members.check(memberId, groupInstanceId)
      if (typeof member === 'number') return member
      this.#remove(member)
      return errorCode.NONE
    })
    if (codes.includes(errorCode.NONE)) this.#goOnWithout()
    if (this.isIdle) this.#host.emptied(this)
    return codes
  }

  /** Takes back an id that was given and not used. */
  forgetPending(memberId: string): void {
    this.#dropPending(memberId)
    this.#beginIfReady()
    if (this.isIdle) this.#host.emptied(this)
  }

  /** Does a member read the topic? Kafka takes it for granted where it cannot know. */
  isSubscribed(topic: string): boolean {
    if (this.#protocolType !== 'consumer') return false
    if (this.#subscribed?.generation !== this.#generation) {
      this.#subscribed = { generation: this.#generation, topics: this.#readSubscriptions() }
    }
    return this.#subscribed.topics?.has(topic) ?? true
  }

  /** Answers all that waits with this code, and does nothing by itself any more. */
  close(code: kafka.KafkaErrorCode): void {
    this.#timer?.cancel()
    this.#timer = undefined
    this.#timerAt = Number.NEGATIVE_INFINITY
    for (const member of this.members) {
      this.members.endJoin(member, refuseJoin(code, member.id))
      this.#endSync(member, refuseSync(code))
    }
    for (const id of this.#pending.keys()) this.#dropPending(id)
  }

  #accepts(memberId: string): boolean {
    const { groupSizeMax } = this.#host.config
    if (this.#state === 'Empty') return true
    const member = this.members.get(memberId)
    if (this.#state !== 'PreparingRebalance') {
      return member !== undefined || this.members.size < groupSizeMax
    }
    return member?.join !== undefined || this.members.joining < groupSizeMax
  }

  #joinNew(request: kafka.JoinGroupRequest, caller: JoinCaller): JoinAnswer | Promise<JoinAnswer> {
    const { groupInstanceId } = request
    const id = this.#host.newMemberId(groupInstanceId ?? caller.clientId)
    const existing = this.members.instance(groupInstanceId)
    if (existing !== undefined) return this.#replace(existing, id, request, caller)
    if (groupInstanceId !== null || !caller.needsMemberId) return this.#add(id, request, caller)
    const end = this.#host.clock.monotonic() + request.sessionTimeoutMs
    this.#pending.set(id, end)
    this.#host.counted(pendingBytes + 2 * id.length)
    this.#host.pendingAdded(this, id)
    this.#wakeAt(end)
    return refuseJoin(errorCode.MEMBER_ID_REQUIRED, id)
  }

  #joinAgain(
    request: kafka.JoinGroupRequest,
    caller: JoinCaller,
  ): JoinAnswer | Promise<JoinAnswer> {
    const { memberId, protocols } = request
    const member = this.members.check(memberId, request.groupInstanceId)
    if (typeof member === 'number') return refuseJoin(member, memberId)
    const isSame = member.matches(protocols)
    // It may not have got the answer to what it sent before.
    const isCurrent =
      (this.#state === 'CompletingRebalance' && isSame) ||
      // A leader joins again where something changed that is not about a member, as a topic's partitions.
      (this.#state === 'Stable' && isSame && member !== this.members.leader)
    if (isCurrent) {
      this.#beat(member)
      return this.#joinAnswer(member, { withMembers: this.#state === 'CompletingRebalance' })
    }
    this.#update(member, request)
    const answer = this.#wait(member, caller.signal)
    this.#rebalance()
    return answer
  }

  #add(id: string, request: kafka.JoinGroupRequest, caller: JoinCaller): Promise<JoinAnswer> {
    this.#dropPending(id)
    const { sessionTimeoutMs, rebalanceTimeoutMs, groupInstanceId, protocolType } = request
    const { clientId, clientHost } = caller
    const protocols = copyProtocols(request.protocols)
    const member = new GroupMember({
      id,
      instanceId: groupInstanceId,
      clientId,
      clientHost,
      sessionTimeoutMs,
      rebalanceTimeoutMs,
      protocols,
    })
    if (this.members.size === 0) this.#protocolType = protocolType
    if (this.#delayLeftMs !== undefined) this.#hasNewMember = true
    this.members.add(member)
    member.sessionEnd = this.#host.clock.monotonic() + newMemberJoinMs
    this.#wakeAt(member.sessionEnd)
    const answer = this.#wait(member, caller.signal)
    this.#rebalance()
    return answer
  }

  /** A static member has started anew: it goes on where the one before it was (KIP-345). */
  #replace(
    member: GroupMember,
    id: string,
    request: kafka.JoinGroupRequest,
    caller: JoinCaller,
  ): Promise<JoinAnswer> {
    const leaderBefore = this.members.leader?.id ?? ''
    this.members.endJoin(member, refuseJoin(errorCode.FENCED_INSTANCE_ID, member.id))
    this.#endSync(member, refuseSync(errorCode.FENCED_INSTANCE_ID))
    if (this.#unsynced.delete(member.id)) this.#unsynced.add(id)
    this.members.rename(member, id)
    this.#beat(member)
    this.#update(member, request)
    const answer = this.#wait(member, caller.signal)
    const isKept = this.#state === 'Stable' && this.members.selectProtocol() === this.#protocolName
    if (isKept) void this.#keep(member, leaderBefore, caller.canSkipAssignment)
    else this.#rebalance()
    return answer
  }

  /** Nothing changes but a static member's id: it is told when that is durable. */
  async #keep(member: GroupMember, leaderBefore: string, canSkip: boolean): Promise<void> {
    const { join } = member
    let isStored = true
    try {
      await this.#host.store(this)
    } catch {
      isStored = false
    }
    // If a rebalance has begun, it is answered by that.
    if (join === undefined || member.join !== join || this.#state !== 'Stable') return
    if (!isStored) {
      this.members.endJoin(member, refuseJoin(errorCode.COORDINATOR_NOT_AVAILABLE, member.id))
      return
    }
    const isLeader = member === this.members.leader
    const answer = canSkip
      ? { ...this.#joinAnswer(member, { withMembers: true }), skipAssignment: isLeader }
      : // One that cannot skip the assignment must not take itself for the leader.
        { ...this.#joinAnswer(member, { withMembers: false }), leader: leaderBefore }
    this.members.endJoin(member, answer)
    this.#beat(member)
  }

  #update(member: GroupMember, request: kafka.JoinGroupRequest): void {
    member.sessionTimeoutMs = request.sessionTimeoutMs
    member.rebalanceTimeoutMs = request.rebalanceTimeoutMs
    if (!member.matches(request.protocols)) {
      this.members.setProtocols(member, copyProtocols(request.protocols))
      this.#subscribed = undefined
    }
  }

  #wait(member: GroupMember, signal: AbortSignal): Promise<JoinAnswer> {
    const waiter = new Waiter<JoinAnswer>(signal, () => this.#joinGone(member))
    this.members.startJoin(member, waiter)
    return waiter.answer
  }

  /** Nobody waits for the answer any more. */
  #joinGone(member: GroupMember): void {
    this.members.endJoin(member, refuseJoin(errorCode.NOT_COORDINATOR, member.id))
    if (member.isNew && !member.isStatic) {
      this.#remove(member)
      this.#goOnWithout()
      return
    }
    member.isNew = false
    this.#beat(member)
  }

  /** Begins the preparation of a new generation, or the generation if that is what was missing. */
  #rebalance(): void {
    if (this.#state === 'PreparingRebalance') {
      this.#beginIfReady()
      return
    }
    if (this.#state === 'CompletingRebalance') {
      for (const member of this.members) {
        this.members.setAssignment(member, emptyBytes)
        if (this.#endSync(member, refuseSync(errorCode.REBALANCE_IN_PROGRESS))) this.#beat(member)
      }
    }
    this.#syncEnd = undefined
    const isInitial = this.#state === 'Empty'
    this.#enter('PreparingRebalance')
    const { groupInitialRebalanceDelayMs: delayMs } = this.#host.config
    if (isInitial && delayMs > 0) {
      this.#delayLeftMs = Math.max(0, this.members.rebalanceTimeoutMs - delayMs)
      this.#hasNewMember = false
      this.#setJoinEnd(delayMs)
    } else if (isInitial || this.#haveAllJoined) {
      this.#begin()
    } else {
      this.#setJoinEnd(this.members.rebalanceTimeoutMs)
    }
  }

  get #haveAllJoined(): boolean {
    return this.members.joining === this.members.size && this.#pending.size === 0
  }

  #beginIfReady(): void {
    const isWaiting = this.#state === 'PreparingRebalance' && this.#delayLeftMs === undefined
    if (isWaiting && this.#haveAllJoined) this.#begin()
  }

  /** The time to join is up; before a first generation it is extended while members come. */
  #joinTimeIsUp(): void {
    const left = this.#delayLeftMs ?? 0
    if (left > 0 && this.#hasNewMember) {
      const { groupInitialRebalanceDelayMs: delayMs } = this.#host.config
      this.#hasNewMember = false
      this.#delayLeftMs = Math.max(0, left - delayMs)
      this.#setJoinEnd(Math.min(delayMs, left))
    } else {
      this.#begin()
    }
  }

  /** Begins the next generation with those that have joined, and the static ones. */
  #begin(): void {
    this.#delayLeftMs = undefined
    this.#joinEnd = undefined
    for (const member of this.members) {
      if (member.join === undefined && !member.isStatic) this.#remove(member)
    }
    if (!this.members.electLeader() && this.members.size > 0) {
      // Static members alone, and none of them has joined: until one does, or their sessions end.
      this.#setJoinEnd(this.members.rebalanceTimeoutMs)
      return
    }
    this.#generation++
    this.#unsynced.clear()
    if (this.members.size === 0) {
      this.#protocolName = undefined
      this.#enter('Empty')
      // There is nobody to tell: a restart that does not find it waits for members that are gone.
      this.#host.store(this).catch(() => {})
      this.#host.emptied(this)
      return
    }
    this.#protocolName = this.members.selectProtocol()
    this.#enter('CompletingRebalance')
    for (const member of this.members) {
      this.#unsynced.add(member.id)
      member.isNew = false
      this.members.endJoin(member, this.#joinAnswer(member, { withMembers: true }))
      this.#beat(member)
    }
    this.#syncEnd = this.#host.clock.monotonic() + this.members.rebalanceTimeoutMs
    this.#wakeAt(this.#syncEnd)
  }

  /** The leader has said who reads what: it counts when it is durable. */
  async #assign(assignments: kafka.SyncGroupRequest['assignments']): Promise<void> {
    const generation = this.#generation
    if (this.#storing === generation) return
    this.#storing = generation
    for (const member of this.members) this.members.setAssignment(member, emptyBytes)
    for (const { memberId, assignment } of assignments) {
      const member = this.members.get(memberId)
      if (member !== undefined) this.members.setAssignment(member, new Uint8Array(assignment))
    }
    let isStored = true
    try {
      await this.#host.store(this)
    } catch {
      isStored = false
    }
    if (this.#storing === generation) this.#storing = undefined
    if (this.#state !== 'CompletingRebalance' || this.#generation !== generation) return
    if (!isStored) {
      for (const member of this.members) {
        this.#endSync(member, refuseSync(errorCode.COORDINATOR_NOT_AVAILABLE))
        this.#beat(member)
      }
      this.#rebalance()
      return
    }
    this.#enter('Stable')
    for (const member of this.members) {
      if (this.#endSync(member, this.#syncAnswer(member))) this.#beat(member)
    }
  }

  #hasSynced(member: GroupMember): void {
    this.#unsynced.delete(member.id)
    if (this.#unsynced.size === 0) this.#syncEnd = undefined
  }

  #endSync(member: GroupMember, answer: SyncAnswer): boolean {
    const { sync } = member
    member.sync = undefined
    sync?.settle(answer)
    return sync !== undefined
  }

  #check(
    memberId: string,
    instanceId: string | null,
    generation: number,
  ): GroupMember | kafka.KafkaErrorCode {
    const member = this.members.check(memberId, instanceId)
    if (typeof member === 'number') return member
    return generation === this.#generation ? member : errorCode.ILLEGAL_GENERATION
  }

  /** Takes a member out; what follows from that is for `#goOnWithout`. */
  #remove(member: GroupMember): void {
    this.members.endJoin(member, refuseJoin(errorCode.UNKNOWN_MEMBER_ID, ''))
    this.#endSync(member, refuseSync(errorCode.UNKNOWN_MEMBER_ID))
    this.#unsynced.delete(member.id)
    this.members.remove(member)
  }

  #goOnWithout(): void {
    if (this.#state !== 'Empty') this.#rebalance()
  }

  #dropPending(memberId: string): boolean {
    if (!this.#pending.delete(memberId)) return false
    this.#host.counted(-pendingBytes - 2 * memberId.length)
    this.#host.pendingRemoved(memberId)
    return true
  }

  #joinAnswer(member: GroupMember, { withMembers }: { withMembers: boolean }): JoinAnswer {
    const { leader } = this.members
    return {
      errorCode: errorCode.NONE,
      generationId: this.#generation,
      protocolType: this.#protocolType ?? null,
      protocolName: this.#protocolName ?? null,
      leader: leader?.id ?? '',
      skipAssignment: false,
      memberId: member.id,
      members:
        !withMembers || member !== leader
          ? []
          : Array.from(this.members, (one) => ({
              memberId: one.id,
              groupInstanceId: one.instanceId,
              metadata: one.metadataOf(this.#protocolName),
            })),
    }
  }

  #syncAnswer({ assignment }: GroupMember): SyncAnswer {
    return {
      errorCode: errorCode.NONE,
      protocolType: this.#protocolType ?? null,
      protocolName: this.#protocolName ?? null,
      assignment,
    }
  }

  #readSubscriptions(): Set<string> | undefined {
    const topics = new Set<string>()
    try {
      for (const member of this.members) {
        const metadata = member.metadataOf(this.#protocolName)
        const subscription = kafka.readVersioned(kafka.consumerProtocolSubscription, [metadata])
        for (const topic of subscription.topics) topics.add(topic)
      }
    } catch {
      return undefined
    }
    return topics
  }

  #enter(state: GroupState): void {
    this.#state = state
    this.#stateSince = this.#host.clock.now()
  }

  #setJoinEnd(ms: number): void {
    this.#joinEnd = this.#host.clock.monotonic() + ms
    this.#wakeAt(this.#joinEnd)
  }

  /** The member is there: it has its session's time again. */
  #beat(member: GroupMember): void {
    member.sessionEnd = this.#host.clock.monotonic() + member.sessionTimeoutMs
    this.#wakeAt(member.sessionEnd)
  }

  /** Sees to it that the timer fires by then. */
  #wakeAt(at: number): void {
    if (at >= this.#timerAt) return
    const { clock } = this.#host
    this.#timer?.cancel()
    this.#timerAt = at
    this.#timer = clock.after(Math.max(0, at - clock.monotonic()), () => this.#look())
  }

  /** Looks whose time is up, and when the next one's will be. */
  #look(): void {
    const now = this.#host.clock.monotonic()
    this.#timer = undefined
    this.#timerAt = never
    let isLess = false
    for (const [id, end] of this.#pending) if (end <= now) this.#dropPending(id)
    for (const member of this.members) {
      if (deadlineOf(member) > now) continue
      this.#remove(member)
      isLess = true
    }
    if (this.#syncEnd !== undefined && this.#syncEnd <= now) {
      this.#syncEnd = undefined
      for (const id of this.#unsynced) {
        const member = this.members.get(id)
        if (member !== undefined) this.#remove(member)
      }
      isLess = true
    }
    if (isLess) this.#goOnWithout()
    else this.#beginIfReady()
    if (this.#joinEnd !== undefined && this.#joinEnd <= now) this.#joinTimeIsUp()
    if (this.isIdle) this.#host.emptied(this)
    let next = Math.min(this.#joinEnd ?? never, this.#syncEnd ?? never)
    for (const end of this.#pending.values()) next = Math.min(next, end)
    for (const member of this.members) next = Math.min(next, deadlineOf(member))
    if (next < never) this.#wakeAt(next)
  }
}

/** When it is given up, in monotonic time, unless it says that it lives. */
function deadlineOf(member: GroupMember): number {
  const isWaiting = member.join !== undefined || member.sync !== undefined
  return isWaiting && !member.isNew ? never : member.sessionEnd
}

/** What is kept of a request is a copy: the request's bytes are freed. */
function copyProtocols(protocols: readonly GroupProtocol[]): GroupProtocol[] {
  return protocols.map(({ name, metadata }) => ({ name, metadata: new Uint8Array(metadata) }))
}
