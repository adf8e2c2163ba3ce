/** Whatever members do, in whatever order: what every one of them is told fits together. */
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { DiskFullError, kafka } from '@kaska/protocol'
import fc from 'fast-check'
import { drainMicrotasks } from '../../../../sim/manual-clock.ts'
import { type Harness, openGroups, type TestMember } from '../../test/group-harness.ts'

const who = fc.nat(4)
const action = fc.oneof(
  { weight: 6, arbitrary: fc.record({ kind: fc.constant('join' as const), who }) },
  { weight: 6, arbitrary: fc.record({ kind: fc.constant('sync' as const), who }) },
  { weight: 2, arbitrary: fc.record({ kind: fc.constant('all' as const), who }) },
  { weight: 3, arbitrary: fc.record({ kind: fc.constant('heartbeat' as const), who }) },
  { weight: 1, arbitrary: fc.record({ kind: fc.constant('leave' as const), who }) },
  { weight: 1, arbitrary: fc.record({ kind: fc.constant('change' as const), who }) },
  { weight: 2, arbitrary: fc.record({ kind: fc.constant('start anew' as const), who }) },
  { weight: 2, arbitrary: fc.record({ kind: fc.constant('reconnect' as const), who }) },
  {
    weight: 3,
    arbitrary: fc.record({
      kind: fc.constant('wait' as const),
      ms: fc.constantFrom(0, 1000, 4000, 9000, 20_000),
    }),
  },
  { weight: 2, arbitrary: fc.record({ kind: fc.constant('hold' as const) }) },
  {
    weight: 3,
    arbitrary: fc.record({ kind: fc.constant('settle' as const), fails: fc.boolean() }),
  },
)
type Action = typeof action extends fc.Arbitrary<infer A> ? A : never

const options = [
  {},
  { needsMemberId: false, protocols: { range: 'a', sticky: 'b' } },
  { protocols: { sticky: 'c', range: 'd' }, rebalanceMs: 15_000 },
  { instance: 'i', sessionMs: 15_000 },
  { instance: 'j', canSkipAssignment: false },
]

const full = ['PreparingRebalance', 'CompletingRebalance', 'Stable']

class World {
  readonly #harness: Harness
  readonly #members: TestMember[]
  readonly #waiting = new Set<Promise<void>>()
  /** What was said of a generation: that has to be the same for all. */
  readonly #protocols = new Map<number, string | null>()
  #held = 0
  #isHolding = false
  #changes = 0

  constructor(harness: Harness) {
    this.#harness = harness
    this.#members = options.map((each) => harness.member(each))
  }

  async run(action: Action): Promise<void> {
    if (action.kind === 'all') await this.#all(action.who)
    else if (action.kind === 'wait') await this.#harness.clock.advance(action.ms)
    else if (action.kind === 'hold') this.#hold()
    else if (action.kind === 'settle') await this.#settle(action.fails)
    else this.#ask(action.kind, action.who)
    await drainMicrotasks()
    this.#check()
  }

  async end(): Promise<void> {
    const { clock, groups } = this.#harness
    while (this.#held < this.#harness.directory.appended.length) await this.#settle(false)
    for (let round = 0; round < 10; round++) {
      await clock.advance(120_000)
      while (this.#held < this.#harness.directory.appended.length) await this.#settle(false)
    }
    await drainMicrotasks()
    assert.equal(this.#waiting.size, 0, 'somebody was never answered')
    assert.equal(groups.bytes, 0)
    await clock.advance(1_200_000)
    assert.deepEqual(Array.from(groups.list()), [])
  }

  #ask(
    kind: 'join' | 'sync' | 'heartbeat' | 'leave' | 'change' | 'start anew' | 'reconnect',
    at: number,
  ) {
    const member = this.#members[at] as TestMember
    if (kind === 'join') this.#track(this.#join(member))
    else if (kind === 'sync') this.#track(this.#sync(member))
    else if (kind === 'heartbeat') member.heartbeat()
    else if (kind === 'leave') member.leave()
    else if (kind === 'change') {
      const change = `${++this.#changes}`
      member.protocols = Object.fromEntries(
        Object.keys(member.protocols).map((name) => [name, change]),
      )
    } else {
      member.vanish()
      const next = this.#harness.member(options[at] ?? {})
      const { id, generation, protocol, leader } = member
      if (kind === 'reconnect') Object.assign(next, { id, generation, protocol, leader })
      this.#members[at] = next
    }
  }

  async #join(member: TestMember): Promise<void> {
    const answer = await member.joinOnce()
    if (answer.errorCode !== kafka.errorCode.NONE) return
    const { generationId, protocolName, members, leader, memberId, skipAssignment } = answer
    const said = this.#protocols.get(generationId)
    if (said !== undefined) assert.equal(protocolName, said)
    this.#protocols.set(generationId, protocolName)
    const ids = members.map((one) => one.memberId)
    assert.equal(new Set(ids).size, ids.length)
    if (ids.length > 0) assert(ids.includes(memberId) && leader === memberId)
    if (skipAssignment) assert(ids.length > 0)
  }

  async #sync(member: TestMember): Promise<void> {
    const { generation } = member
    const parts = Object.keys(member.others).map((id) => [id, `generation ${generation}`])
    const part = await member.sync(Object.fromEntries(parts))
    if (typeof part === 'string' && part !== '') assert.equal(part, `generation ${generation}`)
  }

  /** What is always so. */
  #check(): void {
    const found = this.#harness.groups.describe('g')
    if (found === undefined) return
    const states = found.members.length === 0 ? ['Empty', 'PreparingRebalance'] : full
    assert(states.includes(found.state), `${found.state} of ${found.members.length}`)
    const instances = found.members.flatMap(({ groupInstanceId }) => groupInstanceId ?? [])
    assert.equal(new Set(instances).size, instances.length)
    assert(this.#harness.groups.bytes >= found.members.length * 1000)
  }

  #track(promise: Promise<void>): void {
    const tracked = promise.finally(() => this.#waiting.delete(tracked))
    this.#waiting.add(tracked)
  }

  /** All but one do as clients do: most of the time that makes a generation. */
  async #all(but: number): Promise<void> {
    for (const kind of ['join', 'join', 'sync'] as const) {
      for (const at of this.#members.keys()) if (at !== but) this.#ask(kind, at)
      await drainMicrotasks()
    }
  }

  #hold(): void {
    if (this.#isHolding) return
    this.#isHolding = true
    this.#held = this.#harness.directory.appended.length
    this.#harness.directory.hold()
  }

  /** The oldest of what is being stored is, or is not. */
  async #settle(fails: boolean): Promise<void> {
    const { directory } = this.#harness
    if (!this.#isHolding) {
      this.#held = directory.appended.length
      return
    }
    if (this.#held === directory.appended.length) return
    this.#held++
    await directory.settle(fails ? new DiskFullError('full') : undefined)
  }
}

test('everybody is answered, and nothing is left', async () => {
  await fc.assert(
    fc.asyncProperty(
      fc.array(action, { maxLength: 60, size: 'max' }),
      fc.constantFrom(0, 3000),
      async (actions, groupInitialRebalanceDelayMs) => {
        const world = new World(await openGroups({ groupInitialRebalanceDelayMs }))
        for (const each of actions) await world.run(each)
        await world.end()
      },
    ),
    { numRuns: 300 },
  )
})
