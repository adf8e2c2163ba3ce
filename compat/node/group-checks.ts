/**
 * Checks of consumer groups, for any client: its members run as processes of their own (group-member.ts).
 *
 * In each of them: every message is processed, whoever joins, leaves or crashes (nothing lost); none is
 * processed again once its commit was acknowledged (nothing committed is repeated); in the end each
 * partition has one owner.
 */
import assert from 'node:assert/strict'
import { type Checks, uniqueName, until } from './checks.ts'
import { GroupMember, type MemberEvent, type MemberProgram } from './group-member.ts'
import type { KafkajsTools } from './kafkajs-tools.ts'

const partitionCount = 6
const settleMsMax = 30_000
/** How soon one that has crashed is missed. */
const sessionMs = 6_000
/** Long enough for a static member to start again, however busy the machine is. */
const staticSessionMs = 60_000

export interface GroupClient {
  readonly checks: Checks
  readonly tools: KafkajsTools
  readonly bootstrap: string
  readonly member: MemberProgram
  /** The client's names of its assignors; '' is its default. */
  readonly assignors: readonly string[]
  /** Why it has no static members, if it has none. */
  readonly withoutStatic?: string
}

export function addGroupChecks(client: GroupClient): void {
  const { checks } = client
  for (const assignor of client.assignors) {
    const name = assignor === '' ? 'the default assignor' : assignor
    checks.add(
      `group of 3, ${name}: joins and leaves lose and repeat nothing`,
      () => inGroup(client, assignor, joinsAndLeaves),
      { msMax: 60_000 },
    )
  }
  checks.add('group of 3: a crash loses and repeats nothing', () => inGroup(client, '', crash), {
    msMax: 60_000,
  })
  checks.add(
    'group: a restart of the broker loses and repeats nothing',
    () => inGroup(client, '', brokerRestart),
    { msMax: 60_000, isSlow: true },
  )
  checks.add('group: a static member comes back', () => inGroup(client, '', staticMember), {
    msMax: 60_000,
    skipped: client.withoutStatic,
  })
}

async function joinsAndLeaves(group: Group): Promise<void> {
  const first = group.join()
  await group.begun()
  const second = group.join()
  await group.produce(60)
  await group.settled()
  const third = group.join()
  await group.produce(60)
  await group.settled()
  await Promise.all([group.produce(60), second.leave()])
  await group.settled()
  await group.produce(60)
  await group.processed()
  await Promise.all([first.leave(), third.leave()])
}

async function crash(group: Group): Promise<void> {
  const members = [group.join(), group.join(), group.join()]
  await group.begun()
  await group.produce(120)
  await members[1]?.crash()
  await group.produce(60)
  await group.settled()
  await group.produce(60)
  await group.processed()
}

async function brokerRestart(group: Group, { checks }: GroupClient): Promise<void> {
  group.join()
  group.join()
  await group.begun()
  await group.produce(60)
  await checks.restartBroker('kill')
  await group.produce(60)
  await group.processed()
}

async function staticMember(group: Group): Promise<void> {
  const [one, two] = [group.join('one'), group.join('two')]
  await group.begun()
  const had = one.assigned
  const { assignments } = two
  await one.crash()
  const again = group.join('one')
  await until('the member that came back has its partitions', () => again.assigned.length > 0)
  assert.deepEqual([...again.assigned].sort(), [...had].sort(), 'it has what it had')
  assert.equal(two.assignments, assignments, 'the other member saw no rebalance')
  await group.produce(60)
  await group.processed()
}

async function inGroup(
  client: GroupClient,
  assignor: string,
  work: (group: Group, client: GroupClient) => Promise<void>,
): Promise<void> {
  const topic = await client.tools.createTopic(partitionCount)
  const group = new Group(client, topic, assignor)
  try {
    await work(group, client)
    group.verify()
  } catch (error) {
    throw new Error(`${String(error)}${group.complaints()}`)
  } finally {
    await group.end()
  }
}

class Group {
  readonly #client: GroupClient
  readonly #topic: string
  readonly #assignor: string
  readonly #name = uniqueName('group')
  readonly #members: GroupMember[] = []
  readonly #events: MemberEvent[] = []
  readonly #sent = new Set<string>()

  constructor(client: GroupClient, topic: string, assignor: string) {
    this.#client = client
    this.#topic = topic
    this.#assignor = assignor
  }

  join(instanceId = ''): GroupMember {
    const { bootstrap, member } = this.#client
    const options = {
      bootstrap,
      topic: this.#topic,
      group: this.#name,
      instanceId,
      assignor: this.#assignor,
      sessionMs: instanceId === '' ? sessionMs : staticSessionMs,
    }
    const joining = new GroupMember(member, options, (event) => this.#events.push(event))
    this.#members.push(joining)
    return joining
  }

  /** Resolves when each partition has one owner, and each living member has partitions. */
  async settled(): Promise<void> {
    await until(
      'each partition has one owner',
      () => {
        const living = this.#members.filter((member) => !member.isGone)
        const owned = living.flatMap((member) => member.assigned)
        return (
          owned.length === partitionCount &&
          new Set(owned).size === partitionCount &&
          living.every((member) => member.assigned.length > 0)
        )
      },
      settleMsMax,
    )
  }

  /**
   * Resolves once each partition has a commit: without one, @platformatic/kafka goes on where it once read
   * to, when a partition comes back to it.
   */
  async begun(): Promise<void> {
    await this.settled()
    await this.produce(partitionCount)
    await this.processed()
  }

  /** Sends this many messages, to each partition as many. */
  async produce(count: number): Promise<void> {
    const start = this.#sent.size
    const messages = Array.from({ length: count }, (_, index) => {
      const partition = index % partitionCount
      return { partition, value: `${partition}-${start + index}` }
    })
    for (const { value } of messages) this.#sent.add(value)
    await this.#client.tools.send(this.#topic, messages)
  }

  /** Resolves when all is processed, and committed unless who processed it was killed meanwhile. */
  async processed(): Promise<void> {
    await until(
      'all is processed and committed',
      () => {
        const done = new Set(
          this.#events
            .filter(({ member, kind }) => kind !== 'got' || member.isGone)
            .map(({ value }) => value),
        )
        return [...this.#sent].every((value) => done.has(value))
      },
      settleMsMax,
    )
  }

  verify(): void {
    const got = new Set(this.#values('got'))
    const lost = [...this.#sent].filter((value) => !got.has(value))
    assert.deepEqual(lost, [], 'lost')
    const committed = new Set<string>()
    const repeated: string[] = []
    for (const { kind, value } of this.#events.toSorted((one, other) => one.at - other.at)) {
      if (kind === 'committed') committed.add(value)
      else if (kind === 'got' && committed.has(value)) repeated.push(value)
    }
    assert.deepEqual(repeated, [], 'repeated though committed')
  }

  complaints(): string {
    const told = this.#members.map(
      (member, index) =>
        `\nmember ${index}${member.isGone ? ' (gone)' : ''}: has ${member.assigned}; ${member.complaints}`,
    )
    const [got, committed] = [this.#values('got'), this.#values('committed')]
    const seen = new Set(got)
    const missing = [...this.#sent].filter((value) => !seen.has(value))
    const counts = `${got.length} processed, ${committed.length} committed, ${this.#sent.size} sent`
    return `\n${counts}; not processed: ${missing.join(' ')}${told.join('')}`
  }

  async end(): Promise<void> {
    await Promise.all(this.#members.map((member) => member.crash()))
  }

  #values(kind: MemberEvent['kind']): string[] {
    return this.#events.filter((event) => event.kind === kind).map((event) => event.value)
  }
}
