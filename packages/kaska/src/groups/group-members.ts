/**
 * The members of one group: by id and by instance id (KIP-345), who leads them, how many of them wait
 * for the others to join, and what all of them can do.
 *
 * There is a leader as long as there is a member; it is the one that came first, until it leaves.
 */
import { kafka } from '@kaska/protocol'
import { type JoinAnswer, refuseJoin } from './group-answers.ts'
import type { GroupMember, GroupProtocol } from './group-member.ts'
import type { Waiter } from './waiter.ts'

const { errorCode } = kafka

export class GroupMembers {
  readonly #byId = new Map<string, GroupMember>()
  readonly #byInstance = new Map<string, GroupMember>()
  /** How many members can do each protocol. */
  readonly #protocolCounts = new Map<string, number>()
  readonly #counted: (bytes: number) => void
  #leader: GroupMember | undefined
  #joining = 0

  /** `counted` is told by how many bytes what the members take has grown. */
  constructor(counted: (bytes: number) => void) {
    this.#counted = counted
  }

  get size(): number {
    return this.#byId.size
  }

  get leader(): GroupMember | undefined {
    return this.#leader
  }

  /** How many of them wait for the others to join. */
  get joining(): number {
    return this.#joining
  }

  /** The longest of them; 0 where there is no member. */
  get rebalanceTimeoutMs(): number {
    let longest = 0
    for (const member of this) longest = Math.max(longest, member.rebalanceTimeoutMs)
    return longest
  }

  [Symbol.iterator](): IterableIterator<GroupMember> {
    return this.#byId.values()
  }

  get(id: string): GroupMember | undefined {
    return this.#byId.get(id)
  }

  instance(instanceId: string | null): GroupMember | undefined {
    return instanceId === null ? undefined : this.#byInstance.get(instanceId)
  }

  /** The member that says that it is one, or why it is none. */
  check(id: string, instanceId: string | null): GroupMember | kafka.KafkaErrorCode {
    if (instanceId !== null) {
      const current = this.#byInstance.get(instanceId)
      if (current === undefined) return errorCode.UNKNOWN_MEMBER_ID
      if (current.id !== id) return errorCode.FENCED_INSTANCE_ID
    }
    return this.#byId.get(id) ?? errorCode.UNKNOWN_MEMBER_ID
  }

  /** Is there a protocol of these that all members have? */
  supports(protocols: readonly GroupProtocol[]): boolean {
    return protocols.some(({ name }) => (this.#protocolCounts.get(name) ?? 0) === this.size)
  }

  add(member: GroupMember): void {
    this.#byId.set(member.id, member)
    if (member.instanceId !== null) this.#byInstance.set(member.instanceId, member)
    this.#countProtocols(member.protocols, 1)
    this.#leader ??= member
    this.recount(member)
  }

  /** Takes it out; what waits for it was settled before. */
  remove(member: GroupMember): void {
    this.#byId.delete(member.id)
    if (member.instanceId !== null) this.#byInstance.delete(member.instanceId)
    this.#countProtocols(member.protocols, -1)
    if (this.#leader === member) this.#leader = this.#byId.values().next().value
    this.#counted(-member.bytesCounted)
    member.bytesCounted = 0
  }

  /** A static member has started anew, and goes on under this id. */
  rename(member: GroupMember, id: string): void {
    this.#byId.delete(member.id)
    member.id = id
    this.#byId.set(id, member)
  }

  setProtocols(member: GroupMember, protocols: readonly GroupProtocol[]): void {
    this.#countProtocols(member.protocols, -1)
    member.protocols = protocols
    this.#countProtocols(protocols, 1)
    this.recount(member)
  }

  setAssignment(member: GroupMember, assignment: Uint8Array): void {
    member.assignment = assignment
    this.recount(member)
  }

  /** Lets it wait for the others. What it sent before, and was not answered, is answered now. */
  startJoin(member: GroupMember, waiter: Waiter<JoinAnswer>): void {
    this.endJoin(member, refuseJoin(errorCode.REBALANCE_IN_PROGRESS, member.id))
    member.join = waiter
    this.#joining++
  }

  /** Answers its JoinGroup, if it waits for an answer. */
  endJoin(member: GroupMember, answer: JoinAnswer): void {
    this.takeJoin(member)?.settle(answer)
  }

  /** It waits no more; whoever takes what it waited for is to answer it. */
  takeJoin(member: GroupMember): Waiter<JoinAnswer> | undefined {
    const { join } = member
    if (join === undefined) return undefined
    member.join = undefined
    this.#joining--
    return join
  }

  /** Sees to it that a member leads which has joined; false where none has. */
  electLeader(): boolean {
    if (this.#leader?.join !== undefined) return true
    for (const member of this) {
      if (member.join === undefined) continue
      this.#leader = member
      return true
    }
    return false
  }

  /** For a group that is read from the disk. */
  setLeader(id: string): void {
    this.#leader = this.#byId.get(id) ?? this.#leader
  }

  /** Of the protocols that all members have, the one that most of them like best. */
  selectProtocol(): string {
    const votes = new Map<string, number>()
    for (const { protocols } of this) {
      const vote = protocols.find(({ name }) => this.#protocolCounts.get(name) === this.size)
      if (vote !== undefined) votes.set(vote.name, (votes.get(vote.name) ?? 0) + 1)
    }
    let selected = ''
    let most = 0
    for (const [name, count] of votes) {
      if (count > most) [selected, most] = [name, count]
    }
    return selected
  }

  /** Counts again what it takes. */
  recount(member: GroupMember): void {
    const { bytes } = member
    this.#counted(bytes - member.bytesCounted)
    member.bytesCounted = bytes
  }

  #countProtocols(protocols: readonly GroupProtocol[], by: number): void {
    // One that is named twice counts once.
    for (const name of new Set(protocols.map((protocol) => protocol.name))) {
      const count = (this.#protocolCounts.get(name) ?? 0) + by
      if (count === 0) this.#protocolCounts.delete(name)
      else this.#protocolCounts.set(name, count)
    }
  }
}
