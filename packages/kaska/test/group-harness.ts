/** A coordinator of groups on a manual clock and without a disk, and members that ask it for things. */
import { kafka } from '@kaska/protocol'
import { drainMicrotasks, ManualClock } from '../../../sim/manual-clock.ts'
import { SeededRandom } from '../../../sim/seeded-random.ts'
import { defaultBrokerConfig } from '../src/config/broker-config.ts'
import type { JoinAnswer, SyncAnswer } from '../src/groups/group-answers.ts'
import { type GroupConfig, groupBounds } from '../src/groups/group-config.ts'
import { GroupCoordinator } from '../src/groups/group-coordinator.ts'
import { StateDouble } from './state-double.ts'

export const memoryBytesMax = 64 * 1024 * 1024

export interface Harness {
  readonly clock: ManualClock
  readonly directory: StateDouble
  readonly groups: GroupCoordinator
  /** What was charged to the byte budget. */
  readonly charged: () => number
  /** Groups that have offsets. */
  readonly withOffsets: Set<string>
  readonly reports: string[]
  member(options?: MemberOptions): TestMember
}

export interface MemberOptions {
  readonly group?: string
  readonly instance?: string
  /** Protocols in the order of preference, with what it says by each. */
  readonly protocols?: Readonly<Record<string, string>>
  readonly sessionMs?: number
  readonly rebalanceMs?: number
  /** False: as a client of before Kafka 2.2, which is not given an id first. */
  readonly needsMemberId?: boolean
  readonly canSkipAssignment?: boolean
}

export async function openGroups(
  config: Partial<GroupConfig> = {},
  directory: StateDouble = new StateDouble(),
  clock: ManualClock = new ManualClock(),
): Promise<Harness> {
  const withOffsets = new Set<string>()
  const reports: string[] = []
  let charged = 0
  const groups = await GroupCoordinator.open(directory, {
    clock,
    // A broker that starts again gives other ids.
    random: new SeededRandom(1 + clock.monotonic()),
    config: { ...defaultBrokerConfig, ...groupBounds(memoryBytesMax), ...config },
    budget: {
      charge: (bytes) => {
        charged += bytes
      },
    },
    offsets: () => ({
      groups: () => withOffsets,
      hasOffsets: (group) => withOffsets.has(group),
      forgetGroup: async (group) => void withOffsets.delete(group),
    }),
    report: (line) => void reports.push(line),
  })
  const member = (options: MemberOptions = {}) => new TestMember(groups, options)
  return { clock, directory, groups, charged: () => charged, withOffsets, reports, member }
}

/** One client that is in a group, or wants to be. It remembers what it was told. */
export class TestMember {
  readonly #groups: GroupCoordinator
  readonly #connection = new AbortController()
  readonly group: string
  readonly instance: string | null
  readonly #options: MemberOptions
  protocols: Readonly<Record<string, string>>
  id = ''
  generation = -1
  protocol: string | null = null
  leader = ''
  /** What it was told of the others, as their leader. */
  others: Readonly<Record<string, string>> = {}

  constructor(groups: GroupCoordinator, options: MemberOptions) {
    this.#groups = groups
    this.#options = options
    this.group = options.group ?? 'g'
    this.instance = options.instance ?? null
    this.protocols = options.protocols ?? { range: 'wants x' }
  }

  get isLeader(): boolean {
    return this.id !== '' && this.leader === this.id
  }

  /** Joins once; what it is told is in its fields. */
  async joinOnce(): Promise<JoinAnswer> {
    const { sessionMs = 10_000, rebalanceMs = 60_000 } = this.#options
    const answer = await this.#groups.join(
      {
        groupId: this.group,
        sessionTimeoutMs: sessionMs,
        rebalanceTimeoutMs: rebalanceMs,
        memberId: this.id,
        groupInstanceId: this.instance,
        protocolType: 'consumer',
        protocols: Object.entries(this.protocols).map(([name, metadata]) => ({
          name,
          metadata: bytesOf(metadata),
        })),
        reason: null,
      },
      {
        clientId: 'client',
        clientHost: '/127.0.0.1',
        needsMemberId: this.#options.needsMemberId ?? true,
        canSkipAssignment: this.#options.canSkipAssignment ?? true,
        signal: this.#connection.signal,
      },
    )
    if (answer.errorCode === kafka.errorCode.MEMBER_ID_REQUIRED) this.id = answer.memberId
    if (answer.errorCode !== kafka.errorCode.NONE) return answer
    this.id = answer.memberId
    this.generation = answer.generationId
    this.protocol = answer.protocolName
    this.leader = answer.leader
    this.others = Object.fromEntries(
      answer.members.map(({ memberId, metadata }) => [memberId, textOf(metadata)]),
    )
    return answer
  }

  /** Joins as clients do: again with the id that it is given. */
  async join(): Promise<number> {
    let answer = await this.joinOnce()
    if (answer.errorCode === kafka.errorCode.MEMBER_ID_REQUIRED) answer = await this.joinOnce()
    return answer.errorCode
  }

  /** Tells its part, or the error's code. A leader says who has what. */
  async sync(assignments: Readonly<Record<string, string>> = {}): Promise<string | number> {
    const answer: SyncAnswer = await this.#groups.sync(
      {
        groupId: this.group,
        generationId: this.generation,
        memberId: this.id,
        groupInstanceId: this.instance,
        protocolType: 'consumer',
        protocolName: this.protocol,
        assignments: Object.entries(assignments).map(([memberId, assignment]) => ({
          memberId,
          assignment: bytesOf(assignment),
        })),
      },
      this.#connection.signal,
    )
    return answer.errorCode === kafka.errorCode.NONE ? textOf(answer.assignment) : answer.errorCode
  }

  heartbeat(): number {
    return this.#groups.heartbeat({
      groupId: this.group,
      generationId: this.generation,
      memberId: this.id,
      groupInstanceId: this.instance,
    })
  }

  commit(): number {
    return this.#groups.checkCommit(this.group, {
      memberId: this.id,
      generationId: this.generation,
      groupInstanceId: this.instance,
    })
  }

  leave(): number {
    const who = { memberId: this.id, groupInstanceId: this.instance, reason: null }
    const { errorCode, members } = this.#groups.leave(this.group, [who])
    return errorCode || (members[0]?.errorCode ?? -1)
  }

  /** Its connection ends. */
  vanish(): void {
    this.#connection.abort()
  }
}

/** All of them join, those first that are not in it yet: for a group in which others are. */
export async function joinAll(...members: TestMember[]): Promise<number[]> {
  const isNew = members.map(({ id }) => id === '')
  const joining = members.map((member, index) => (isNew[index] ? member.join() : undefined))
  await drainMicrotasks()
  return Promise.all(members.map((member, index) => joining[index] ?? member.join()))
}

/** All of them join, and the leader says who has what: what each is told. */
export async function assignTo(...members: TestMember[]): Promise<(string | number)[]> {
  const codes = await joinAll(...members)
  return codes.some((code) => code !== 0) ? codes : syncAll(...members)
}

/** The leader gives each its number among these. */
export function syncAll(...members: TestMember[]): Promise<(string | number)[]> {
  const parts = Object.fromEntries(members.map(({ id }, index) => [id, `part ${index}`]))
  return Promise.all(members.map((member) => member.sync(member.isLeader ? parts : {})))
}

export function bytesOf(text: string): Uint8Array {
  return new TextEncoder().encode(text)
}

export function textOf(bytes: Uint8Array): string {
  return new TextDecoder().decode(bytes)
}
