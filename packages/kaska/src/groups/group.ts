/**
 * A consumer group of the classic protocol: its members agree on who reads what, through a leader of
 * theirs, once for each generation (rebalance.ts). Here is what each of its members may ask, and what
 * that means for the group: the rules are those of Kafka's GroupCoordinator (KIP-345, 394, 559, 814).
 *
 * One rule is our own. A member whose connection ends while its JoinGroup waits has not joined: a new
 * one is forgotten, another one has the time of its session to come back. (Kafka does not see it end,
 * and gives partitions to a member that is gone.)
 */
import { type Clock, kafka } from '@kaska/protocol'
import {
  type JoinAnswer,
  type JoinCaller,
  type LeavingMember,
  refuseJoin,
  refuseSync,
  type SyncAnswer,
} from './group-answers.ts'
import type { GroupConfig } from './group-config.ts'
import type { GroupImage } from './group-image.ts'
import { GroupMember, type GroupProtocol, protocolsBytes } from './group-member.ts'
import type { GroupMembers } from './group-members.ts'
import { type GroupState, Rebalance } from './rebalance.ts'
import { Waiter } from './waiter.ts'

const { errorCode } = kafka

/** A new member that is not told its id before the generation begins cannot send heartbeats. */
const newMemberJoinMs = 300_000

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
  /** Nobody is in the group any more, and nobody is expected. */
  emptied(group: Group): void
}

export class Group {
  readonly name: string
  readonly #host: GroupHost
  readonly #rebalance: Rebalance
  /** What its members subscribe to, in this generation; undefined topics: it cannot be read. */
  #subscribed: { readonly generation: number; readonly topics: Set<string> | undefined } | undefined

  constructor(name: string, host: GroupHost) {
    this.name = name
    this.#host = host
    this.#rebalance = new Rebalance({
      clock: host.clock,
      initialDelayMs: host.config.groupInitialRebalanceDelayMs,
      store: () => host.store(this),
      emptied: () => host.emptied(this),
      counted: (bytes) => host.counted(bytes),
      added: (id) => host.pendingAdded(this, id),
      removed: (id) => host.pendingRemoved(id),
    })
  }

  get members(): GroupMembers {
    return this.#rebalance.members
  }

  get state(): GroupState {
    return this.#rebalance.state
  }

  /** Since when the state is what it is, in wall time. */
  get stateSince(): number {
    return this.#rebalance.stateSince
  }

  get generation(): number {
    return this.#rebalance.generation
  }

  /** Undefined: it had no member yet. */
  get protocolType(): string | undefined {
    return this.#rebalance.protocolType
  }

  /** Undefined: there is no generation with members. */
  get protocolName(): string | undefined {
    return this.#rebalance.protocolName
  }

  /** Nobody is in it, and nobody is expected. */
  get isIdle(): boolean {
    return this.#rebalance.isIdle
  }

  /** Goes on where a generation was stored. Its members have their sessions' time to say that they live. */
  restore(image: GroupImage): void {
    this.#rebalance.restore(image)
  }

  join(request: kafka.JoinGroupRequest, caller: JoinCaller): JoinAnswer | Promise<JoinAnswer> {
    const { memberId } = request
    if (!this.#hasRoomFor(memberId)) {
      const member = this.members.get(memberId)
      if (member !== undefined) {
        this.#rebalance.remove(member)
        this.#rebalance.goOnWithout()
      }
      return refuseJoin(errorCode.GROUP_MAX_SIZE_REACHED, '')
    }
    const { protocolType, protocols } = request
    const isPossible =
      this.state === 'Empty'
        ? protocolType !== '' && protocols.length > 0
        : protocolType === this.protocolType && this.members.supports(protocols)
    if (!isPossible) return refuseJoin(errorCode.INCONSISTENT_GROUP_PROTOCOL, memberId)
    if (memberId === '') return this.#joinNew(request, caller)
    const isDynamic = request.groupInstanceId === null
    if (isDynamic && this.#rebalance.givenIds.delete(memberId)) {
      return this.#add(memberId, request, caller)
    }
    return this.#joinAgain(request, caller)
  }

  /** What the protocols take that are kept of who asks this; 0: it is new. */
  protocolsBytesOf({ memberId, groupInstanceId }: kafka.JoinGroupRequest): number {
    const member = this.members.get(memberId) ?? this.members.instance(groupInstanceId)
    return member === undefined ? 0 : protocolsBytes(member.protocols)
  }

  sync(request: kafka.SyncGroupRequest, signal: AbortSignal): SyncAnswer | Promise<SyncAnswer> {
    const { memberId, generationId, groupInstanceId, protocolType, protocolName } = request
    const member = this.#check(memberId, groupInstanceId, generationId)
    if (typeof member === 'number') return refuseSync(member)
    const isSame =
      (protocolType === null || protocolType === this.protocolType) &&
      (protocolName === null || protocolName === this.protocolName)
    if (!isSame) return refuseSync(errorCode.INCONSISTENT_GROUP_PROTOCOL)
    if (this.state === 'Empty') return refuseSync(errorCode.UNKNOWN_MEMBER_ID)
    if (this.state === 'PreparingRebalance') return refuseSync(errorCode.REBALANCE_IN_PROGRESS)
    this.#rebalance.hasSynced(member)
    if (this.state === 'Stable') {
      this.#rebalance.beat(member)
      return this.#rebalance.syncAnswer(member)
    }
    this.#rebalance.endSync(member, refuseSync(errorCode.REBALANCE_IN_PROGRESS))
    const waiter = new Waiter<SyncAnswer>(signal, (gone) => {
      gone.settle(refuseSync(errorCode.NOT_COORDINATOR))
      if (member.sync !== gone) return
      member.sync = undefined
      this.#rebalance.beat(member)
    })
    member.sync = waiter
    if (member === this.members.leader) void this.#rebalance.assign(request.assignments)
    return waiter.answer
  }

  heartbeat(request: kafka.HeartbeatRequest): kafka.KafkaErrorCode {
    const { memberId, groupInstanceId, generationId } = request
    const member = this.#check(memberId, groupInstanceId, generationId)
    if (typeof member === 'number') return member
    this.#rebalance.beat(member)
    const isJoining = this.state === 'PreparingRebalance'
    return isJoining ? errorCode.REBALANCE_IN_PROGRESS : errorCode.NONE
  }

  /** May this member commit now? Counts as its heartbeat. */
  checkCommit(
    memberId: string,
    generationId: number,
    instanceId: string | null,
  ): kafka.KafkaErrorCode {
    if (generationId < 0 && this.state === 'Empty') return errorCode.NONE
    if (generationId >= 0 || memberId !== '' || instanceId !== null) {
      const member = this.#check(memberId, instanceId, generationId)
      if (typeof member === 'number') return member
      if (this.state !== 'CompletingRebalance') this.#rebalance.beat(member)
    } else if (this.state !== 'Empty') {
      return errorCode.UNKNOWN_MEMBER_ID
    }
    // It has heard of the generation, and not yet of what it is to read.
    const isWaiting = this.state === 'CompletingRebalance'
    return isWaiting ? errorCode.REBALANCE_IN_PROGRESS : errorCode.NONE
  }

  /** Takes out those that are in it, with a code for each. */
  leave(leaving: readonly LeavingMember[]): kafka.KafkaErrorCode[] {
    const codes = leaving.map(({ memberId, groupInstanceId }) => {
      if (this.#rebalance.givenIds.delete(memberId)) return errorCode.NONE
      // Somebody else may take a static member out, whose id it does not know.
      const member =
        memberId === ''
          ? (this.members.instance(groupInstanceId) ?? errorCode.UNKNOWN_MEMBER_ID)
          : this.members.check(memberId, groupInstanceId)
      if (typeof member === 'number') return member
      this.#rebalance.remove(member)
      return errorCode.NONE
    })
    if (codes.includes(errorCode.NONE)) this.#rebalance.goOnWithout()
    return codes
  }

  /** Takes back an id that was given and not used. */
  forgetPending(memberId: string): void {
    this.#rebalance.givenIds.delete(memberId)
    this.#rebalance.beginIfReady()
  }

  /** Does a member read the topic? Kafka takes it for granted where it cannot know. */
  isSubscribed(topic: string): boolean {
    if (this.protocolType !== 'consumer') return false
    if (this.#subscribed?.generation !== this.generation) {
      this.#subscribed = { generation: this.generation, topics: this.#readSubscriptions() }
    }
    return this.#subscribed.topics?.has(topic) ?? true
  }

  /** Answers all that waits with this code, and does nothing by itself any more. */
  close(code: kafka.KafkaErrorCode): void {
    this.#rebalance.close(code)
  }

  #hasRoomFor(memberId: string): boolean {
    const { groupSizeMax } = this.#host.config
    if (this.state === 'Empty') return true
    const member = this.members.get(memberId)
    if (this.state !== 'PreparingRebalance') {
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
    this.#rebalance.giveId(id, request.sessionTimeoutMs)
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
      (this.state === 'CompletingRebalance' && isSame) ||
      // A leader joins again where something changed that is not about a member, as a topic's partitions.
      (this.state === 'Stable' && isSame && member !== this.members.leader)
    if (isCurrent) {
      this.#rebalance.beat(member)
      const withMembers = this.state === 'CompletingRebalance'
      return this.#rebalance.joinAnswer(member, { withMembers })
    }
    this.#update(member, request)
    const answer = this.#wait(member, caller.signal)
    this.#rebalance.start()
    return answer
  }

  #add(id: string, request: kafka.JoinGroupRequest, caller: JoinCaller): Promise<JoinAnswer> {
    const { sessionTimeoutMs, rebalanceTimeoutMs, groupInstanceId, protocolType } = request
    const { clientId, clientHost } = caller
    const member = new GroupMember({
      id,
      instanceId: groupInstanceId,
      clientId,
      clientHost,
      sessionTimeoutMs,
      rebalanceTimeoutMs,
      protocols: copyProtocols(request.protocols),
    })
    if (this.members.size === 0) this.#rebalance.protocolType = protocolType
    this.#subscribed = undefined
    this.#rebalance.add(member, newMemberJoinMs)
    const answer = this.#wait(member, caller.signal)
    this.#rebalance.start()
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
    this.#rebalance.endSync(member, refuseSync(errorCode.FENCED_INSTANCE_ID))
    this.members.rename(member, id)
    this.#update(member, request)
    this.#rebalance.beat(member)
    const answer = this.#wait(member, caller.signal)
    const isKept = this.state === 'Stable' && this.members.selectProtocol() === this.protocolName
    if (isKept) void this.#keep(member, leaderBefore, caller.canSkipAssignment)
    else this.#rebalance.start()
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
    if (join === undefined || member.join !== join || this.state !== 'Stable') return
    this.#rebalance.beat(member)
    if (!isStored) {
      this.members.endJoin(member, refuseJoin(errorCode.COORDINATOR_NOT_AVAILABLE, member.id))
      return
    }
    const answer = this.#rebalance.joinAnswer(member, { withMembers: canSkip })
    const kept = canSkip
      ? { ...answer, skipAssignment: member === this.members.leader }
      : // One that cannot skip the assignment must not take itself for the leader.
        { ...answer, leader: leaderBefore }
    this.members.endJoin(member, kept)
  }

  #update(member: GroupMember, request: kafka.JoinGroupRequest): void {
    member.sessionTimeoutMs = request.sessionTimeoutMs
    member.rebalanceTimeoutMs = request.rebalanceTimeoutMs
    if (member.matches(request.protocols)) return
    this.members.setProtocols(member, copyProtocols(request.protocols))
    this.#subscribed = undefined
  }

  #wait(member: GroupMember, signal: AbortSignal): Promise<JoinAnswer> {
    const waiter = new Waiter<JoinAnswer>(signal, (gone) => this.#joinGone(member, gone))
    this.members.startJoin(member, waiter)
    return waiter.answer
  }

  /** Nobody waits for the answer any more. */
  #joinGone(member: GroupMember, waiter: Waiter<JoinAnswer>): void {
    waiter.settle(refuseJoin(errorCode.NOT_COORDINATOR, member.id))
    // It is about to be answered, or waits on another connection.
    if (member.join !== waiter) return
    this.members.takeJoin(member)
    if (member.isNew && !member.isStatic) {
      this.#rebalance.remove(member)
      this.#rebalance.goOnWithout()
      return
    }
    member.isNew = false
    this.#rebalance.beat(member)
  }

  #check(
    memberId: string,
    instanceId: string | null,
    generation: number,
  ): GroupMember | kafka.KafkaErrorCode {
    const member = this.members.check(memberId, instanceId)
    if (typeof member === 'number') return member
    return generation === this.generation ? member : errorCode.ILLEGAL_GENERATION
  }

  #readSubscriptions(): Set<string> | undefined {
    const topics = new Set<string>()
    try {
      for (const member of this.members) {
        const metadata = member.metadataOf(this.protocolName)
        const subscription = kafka.readVersioned(kafka.consumerProtocolSubscription, [metadata])
        for (const topic of subscription.topics) topics.add(topic)
      }
    } catch {
      return undefined
    }
    return topics
  }
}

/** What is kept of a request is a copy: the request's bytes are freed. */
function copyProtocols(protocols: readonly GroupProtocol[]): GroupProtocol[] {
  return protocols.map(({ name, metadata }) => ({ name, metadata: new Uint8Array(metadata) }))
}
