/**
 * How a group comes from one generation of its members to the next.
 *
 *            a member joins                  all have joined,                 the leader's SyncGroup
 *                                            or their time is up              is durable
 *   Empty ------------------> PreparingRebalance -----------> CompletingRebalance --------> Stable
 *     ^                        |  ^                                     |                     |
 *     +------------------------+  +-------------------------------------+---------------------+
 *        nobody is left              a member joins, leaves or is not heard of any more,
 *                                    says something new, or the leader joins again
 *
 * The rules are those of Kafka's GroupCoordinator (KIP-62, 134, 345). One alarm a group: heartbeats
 * move the members' deadlines on, and when it rings it looks at all of them.
 */
import { type Clock, emptyBytes, kafka } from '@kaska/protocol'
import { Alarm } from './alarm.ts'
import { GivenIds, type GivenIdsOwner } from './given-ids.ts'
import { type JoinAnswer, refuseJoin, refuseSync, type SyncAnswer } from './group-answers.ts'
import type { GroupImage } from './group-image.ts'
import type { GroupMember } from './group-member.ts'
import { GroupMembers } from './group-members.ts'

const { errorCode } = kafka

export type GroupState = 'Empty' | 'PreparingRebalance' | 'CompletingRebalance' | 'Stable'

export interface RebalanceOwner extends GivenIdsOwner {
  readonly clock: Clock
  readonly initialDelayMs: number
  /** Makes the generation as it stands durable. */
  store(): Promise<void>
  /** Nobody is there any more, and nobody is expected. */
  emptied(): void
}

const never = Number.POSITIVE_INFINITY
/** Static members may want to be waited for not at all, and none of them come, for ever. */
const staticJoinMsMin = 1000
/** Answers that are given in one turn. */
const answersAtOnce = 100

export class Rebalance {
  readonly members: GroupMembers
  readonly givenIds: GivenIds
  /** Undefined: there was no member yet. */
  protocolType: string | undefined
  readonly #owner: RebalanceOwner
  readonly #alarm: Alarm
  #state: GroupState = 'Empty'
  #stateSince: number
  #generation = 0
  #protocolName: string | undefined
  /** Members of this generation whose SyncGroup has not come. */
  readonly #unsynced = new Set<GroupMember>()
  /** The generation whose assignment is being stored. */
  #storing: number | undefined
  /** Until when the others have to join, and to sync. */
  #joinEnd = never
  #syncEnd = never
  /** While a first generation is delayed: how long it may still be, and did somebody come meanwhile? */
  #delayLeftMs: number | undefined
  #hasNewMember = false

  constructor(owner: RebalanceOwner) {
    this.#owner = owner
    this.#stateSince = owner.clock.now()
    this.members = new GroupMembers((bytes) => owner.counted(bytes))
    this.givenIds = new GivenIds(owner)
    this.#alarm = new Alarm(owner.clock, (now) => this.#look(now))
  }

  get state(): GroupState {
    return this.#state
  }

  /** In wall time. */
  get stateSince(): number {
    return this.#stateSince
  }

  get generation(): number {
    return this.#generation
  }

  /** Undefined: there is no generation with members. */
  get protocolName(): string | undefined {
    return this.#protocolName
  }

  /** Nobody is in it, and nobody is expected. */
  get isIdle(): boolean {
    return this.#state === 'Empty' && this.givenIds.size === 0
  }

  /** Goes on where a generation was stored. */
  restore(image: GroupImage): void {
    this.#generation = image.generation
    this.protocolType = image.protocolType
    this.#protocolName = image.protocolName
    for (const member of image.members) {
      this.members.add(member)
      member.isNew = false
      this.beat(member)
    }
    this.members.setLeader(image.leader)
    this.#state = this.members.size === 0 ? 'Empty' : 'Stable'
    this.#stateSince = image.stateSince
  }

  /** A new member. It is given up after `waitMs` unless the generation has begun by then. */
  add(member: GroupMember, waitMs: number): void {
    if (this.#delayLeftMs !== undefined) this.#hasNewMember = true
    this.members.add(member)
    member.sessionEnd = this.#owner.clock.monotonic() + waitMs
    this.#alarm.by(member.sessionEnd)
  }

  /** Gives an id that may be used for so long. */
  giveId(id: string, ms: number): void {
    const end = this.#owner.clock.monotonic() + ms
    this.givenIds.add(id, end)
    this.#alarm.by(end)
  }

  /** The member is there: it has its session's time again. */
  beat(member: GroupMember): void {
    member.sessionEnd = this.#owner.clock.monotonic() + member.sessionTimeoutMs
    this.#alarm.by(member.sessionEnd)
  }

  /** Takes a member out; what follows from that is for `goOnWithout`. */
  remove(member: GroupMember): void {
    this.members.endJoin(member, refuseJoin(errorCode.UNKNOWN_MEMBER_ID, ''))
    this.endSync(member, refuseSync(errorCode.UNKNOWN_MEMBER_ID))
    this.#unsynced.delete(member)
    this.members.remove(member)
  }

  /** Members were taken out. */
  goOnWithout(): void {
    if (this.#state !== 'Empty') this.start()
  }

  /** Begins the preparation of a new generation, or the generation if that is what was missing. */
  start(): void {
    if (this.#state === 'PreparingRebalance') {
      this.beginIfReady()
      return
    }
    if (this.#state === 'CompletingRebalance') {
      for (const member of this.members) {
        this.members.setAssignment(member, emptyBytes)
        if (this.endSync(member, refuseSync(errorCode.REBALANCE_IN_PROGRESS))) this.beat(member)
      }
    }
    this.#syncEnd = never
    const isInitial = this.#state === 'Empty'
    this.#enter('PreparingRebalance')
    const { initialDelayMs } = this.#owner
    if (isInitial && initialDelayMs > 0) {
      this.#delayLeftMs = Math.max(0, this.members.rebalanceTimeoutMs - initialDelayMs)
      this.#hasNewMember = false
      this.#setJoinEnd(initialDelayMs)
    } else if (isInitial || this.#haveAllJoined) {
      this.#begin()
    } else {
      this.#setJoinEnd(this.members.rebalanceTimeoutMs)
    }
  }

  beginIfReady(): void {
    const isWaiting = this.#state === 'PreparingRebalance' && this.#delayLeftMs === undefined
    if (isWaiting && this.#haveAllJoined) this.#begin()
  }

  /** The leader has said who reads what: it counts when it is durable. */
  async assign(assignments: kafka.SyncGroupRequest['assignments']): Promise<void> {
    const generation = this.#generation
    // It was sent again, since its answer was lost.
    if (this.#storing === generation) return
    this.#storing = generation
    for (const member of this.members) this.members.setAssignment(member, emptyBytes)
    for (const { memberId, assignment } of assignments) {
      const member = this.members.get(memberId)
      if (member !== undefined) this.members.setAssignment(member, new Uint8Array(assignment))
    }
    let isStored = true
    try {
      await this.#owner.store()
    } catch {
      isStored = false
    }
    if (this.#storing === generation) this.#storing = undefined
    if (this.#state !== 'CompletingRebalance' || this.#generation !== generation) return
    if (!isStored) {
      for (const member of this.members) {
        this.endSync(member, refuseSync(errorCode.COORDINATOR_NOT_AVAILABLE))
        this.beat(member)
      }
      this.start()
      return
    }
    this.#enter('Stable')
    const answers: (() => void)[] = []
    for (const member of this.members) {
      const { sync } = member
      if (sync === undefined) continue
      const answer = this.syncAnswer(member)
      member.sync = undefined
      answers.push(() => sync.settle(answer))
      this.beat(member)
    }
    void this.#answerAll(answers)
  }

  hasSynced(member: GroupMember): void {
    this.#unsynced.delete(member)
    if (this.#unsynced.size === 0) this.#syncEnd = never
  }

  /** Answers its SyncGroup; false: it does not wait for an answer. */
  endSync(member: GroupMember, answer: SyncAnswer): boolean {
    const { sync } = member
    member.sync = undefined
    sync?.settle(answer)
    return sync !== undefined
  }

  joinAnswer(member: GroupMember, { withMembers }: { withMembers: boolean }): JoinAnswer {
    const { leader } = this.members
    return {
      errorCode: errorCode.NONE,
      generationId: this.#generation,
      protocolType: this.protocolType ?? null,
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

  syncAnswer({ assignment }: GroupMember): SyncAnswer {
    return {
      errorCode: errorCode.NONE,
      protocolType: this.protocolType ?? null,
      protocolName: this.#protocolName ?? null,
      assignment,
    }
  }

  /** Answers all that waits with this code, and does nothing by itself any more. */
  close(code: kafka.KafkaErrorCode): void {
    this.#alarm.stop()
    for (const member of this.members) {
      this.members.endJoin(member, refuseJoin(code, member.id))
      this.endSync(member, refuseSync(code))
    }
    this.givenIds.clear()
  }

  get #haveAllJoined(): boolean {
    return this.members.joining === this.members.size && this.givenIds.size === 0
  }

  /** The time to join is up; before a first generation it is extended while members come (KIP-134). */
  #joinTimeIsUp(): void {
    const left = this.#delayLeftMs ?? 0
    if (left > 0 && this.#hasNewMember) {
      const delayMs = Math.min(this.#owner.initialDelayMs, left)
      this.#hasNewMember = false
      this.#delayLeftMs = left - delayMs
      this.#setJoinEnd(delayMs)
    } else {
      this.#begin()
    }
  }

  /** Begins the next generation with those that have joined, and the static ones. */
  #begin(): void {
    this.#delayLeftMs = undefined
    this.#joinEnd = never
    for (const member of this.members) {
      if (member.join === undefined && !member.isStatic) this.remove(member)
    }
    if (!this.members.electLeader() && this.members.size > 0) {
      // Static members alone, and none of them has joined: until one does, or their sessions end.
      this.#setJoinEnd(Math.max(this.members.rebalanceTimeoutMs, staticJoinMsMin))
      return
    }
    this.#generation++
    if (this.members.size === 0) {
      this.#protocolName = undefined
      this.#enter('Empty')
      // Nobody waits for that: a start that does not find it waits for members that are gone.
      this.#owner.store().catch(() => {})
      if (this.isIdle) this.#owner.emptied()
      return
    }
    this.#protocolName = this.members.selectProtocol()
    this.#enter('CompletingRebalance')
    const answers: (() => void)[] = []
    for (const member of this.members) {
      this.#unsynced.add(member)
      member.isNew = false
      const join = this.members.takeJoin(member)
      const answer = this.joinAnswer(member, { withMembers: true })
      answers.push(() => join?.settle(answer))
      this.beat(member)
    }
    void this.#answerAll(answers)
    this.#syncEnd = this.#owner.clock.monotonic() + this.members.rebalanceTimeoutMs
    this.#alarm.by(this.#syncEnd)
  }

  /** In slices: each answer is encoded and sent in the turn in which it is given. */
  async #answerAll(answers: readonly (() => void)[]): Promise<void> {
    for (const [index, answer] of answers.entries()) {
      if (index > 0 && index % answersAtOnce === 0) await this.#owner.clock.yield()
      answer()
    }
  }

  #enter(state: GroupState): void {
    this.#state = state
    this.#stateSince = this.#owner.clock.now()
  }

  #setJoinEnd(ms: number): void {
    this.#joinEnd = this.#owner.clock.monotonic() + ms
    this.#alarm.by(this.#joinEnd)
  }

  /** Looks whose time is up, and when the next one's will be. */
  #look(now: number): void {
    let hasLost = false
    this.givenIds.expire(now)
    for (const member of this.members) {
      if (deadlineOf(member) > now) continue
      this.remove(member)
      hasLost = true
    }
    if (this.#syncEnd <= now) {
      this.#syncEnd = never
      for (const member of this.#unsynced) this.remove(member)
      hasLost = true
    }
    if (hasLost) this.goOnWithout()
    else this.beginIfReady()
    if (this.#joinEnd <= now) this.#joinTimeIsUp()
    if (this.isIdle) this.#owner.emptied()
    let next = Math.min(this.#joinEnd, this.#syncEnd, this.givenIds.end)
    for (const member of this.members) next = Math.min(next, deadlineOf(member))
    this.#alarm.by(next)
  }
}

/** When it is given up, in monotonic time, unless it says that it lives. */
function deadlineOf(member: GroupMember): number {
  const isWaiting = member.join !== undefined || member.sync !== undefined
  return isWaiting && !member.isNew ? never : member.sessionEnd
}
