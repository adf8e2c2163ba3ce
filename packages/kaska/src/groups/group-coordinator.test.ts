import assert from 'node:assert/strict'
import { suite, test } from 'node:test'
import { kafka } from '@kaska/protocol'
import { ManualClock } from '../../../../sim/manual-clock.ts'
import {
  assignTo,
  type Harness,
  joinAll,
  openGroups,
  syncAll,
  type TestMember,
} from '../../test/group-harness.ts'
import { StateDouble } from '../../test/state-double.ts'

const { errorCode: code } = kafka

/** Its process does nothing for a while, and no timer runs in that time. */
class HeldUpClock extends ManualClock {
  heldUpMs = 0

  override monotonic(): number {
    return super.monotonic() + this.heldUpMs
  }
}

function stateOf({ groups }: Harness, group = 'g') {
  const found = groups.describe(group)
  return found === undefined ? 'none' : `${found.state} ${found.members.length}`
}

/** What is waited for settles in this turn, or waits for something else. */
async function isWaiting(promise: Promise<unknown>): Promise<boolean> {
  const waits = Symbol('waits')
  const turn = new Promise((resolve) => setImmediate(resolve, waits))
  return (await Promise.race([promise, turn])) === waits
}

/** They live on for so long. */
async function live({ clock }: Harness, ms: number, ...members: TestMember[]): Promise<void> {
  for (let left = ms; left > 0; left -= 3000) {
    for (const member of members) member.heartbeat()
    await clock.advance(Math.min(left, 3000))
  }
}

suite('a group of members', () => {
  test('a lone member has all at once; the next one waits for it to join again', async () => {
    const harness = await openGroups()
    const [a, b] = [harness.member(), harness.member()]
    assert.deepEqual(await assignTo(a), ['part 0'])
    assert.deepEqual([a.generation, a.isLeader, stateOf(harness)], [1, true, 'Stable 1'])

    const joining = b.join()
    assert(await isWaiting(joining))
    assert.equal(a.heartbeat(), code.REBALANCE_IN_PROGRESS)
    assert.equal(await a.sync(), code.REBALANCE_IN_PROGRESS)
    assert.equal(a.commit(), code.NONE)
    assert.equal(stateOf(harness), 'PreparingRebalance 2')
    assert.equal(await a.join(), 0)
    assert.equal(await joining, 0)
    assert.deepEqual([a.generation, b.generation, b.leader], [2, 2, a.id])
    assert.deepEqual(a.others, { [a.id]: 'wants x', [b.id]: 'wants x' })
    assert.deepEqual(b.others, {})

    const syncing = b.sync()
    assert(await isWaiting(syncing))
    assert.equal(b.heartbeat(), code.NONE)
    assert.equal(b.commit(), code.REBALANCE_IN_PROGRESS)
    assert.equal(await a.sync({ [a.id]: '0', [b.id]: '1', nobody: '2' }), '0')
    assert.equal(await syncing, '1')
    assert.equal(stateOf(harness), 'Stable 2')
    assert.equal(await b.sync(), '1')
  })

  test('three join, one leaves, one dies, and the last goes too', async () => {
    const harness = await openGroups()
    const [a, b, c] = [harness.member(), harness.member(), harness.member()]
    await assignTo(a)
    await assignTo(a, b)
    assert.deepEqual(await assignTo(a, b, c), ['part 0', 'part 1', 'part 2'])

    assert.equal(b.leave(), 0)
    assert.equal(b.heartbeat(), code.UNKNOWN_MEMBER_ID)
    assert.equal(a.heartbeat(), code.REBALANCE_IN_PROGRESS)
    assert.deepEqual(await assignTo(a, c), ['part 0', 'part 1'])

    await live(harness, 12_000, c)
    assert.equal(stateOf(harness), 'PreparingRebalance 1')
    assert.equal(a.heartbeat(), code.UNKNOWN_MEMBER_ID)
    assert.equal(c.heartbeat(), code.REBALANCE_IN_PROGRESS)
    assert.deepEqual(await assignTo(c), ['part 0'])
    assert(c.isLeader)

    const { generation } = c
    assert.equal(c.leave(), 0)
    assert.equal(stateOf(harness), 'Empty 0')
    assert.deepEqual(await assignTo(a), [code.UNKNOWN_MEMBER_ID])
    a.id = ''
    assert.deepEqual(await assignTo(a), ['part 0'])
    assert.equal(a.generation, generation + 2)
  })

  test('a leader that dies between its join and its sync is replaced', async () => {
    const harness = await openGroups()
    const [a, b, c] = [harness.member(), harness.member(), harness.member()]
    await assignTo(a)
    await assignTo(a, b)
    await joinAll(a, b, c)
    const syncing = [b.sync(), c.sync()]
    await harness.clock.advance(10_000)
    assert.deepEqual(await Promise.all(syncing), [27, 27])
    assert.equal(stateOf(harness), 'PreparingRebalance 2')
    assert.deepEqual(await assignTo(b, c), ['part 0', 'part 1'])
    assert.equal(b.leader, c.leader)
    assert.equal(a.heartbeat(), code.UNKNOWN_MEMBER_ID)
  })

  test('who does not join again in time is out, whether it lives or not', async () => {
    const harness = await openGroups()
    const rebalanceMs = 20_000
    const [a, b] = [harness.member({ rebalanceMs }), harness.member({ rebalanceMs })]
    await assignTo(a)
    const joining = b.join()
    await live(harness, rebalanceMs - 1, a)
    assert(await isWaiting(joining))
    await harness.clock.advance(1)
    assert.equal(await joining, 0)
    assert(b.isLeader)
    assert.equal(a.heartbeat(), code.UNKNOWN_MEMBER_ID)
  })

  test('who does not sync in time is out', async () => {
    const harness = await openGroups()
    const times = { sessionMs: 60_000, rebalanceMs: 20_000 }
    const [a, b] = [harness.member(times), harness.member(times)]
    await assignTo(a)
    const joining = b.join()
    await harness.clock.advance(1000)
    await Promise.all([joining, a.join()])
    assert.equal(await a.sync(), '')
    await harness.clock.advance(19_999)
    assert.equal(b.heartbeat(), 0)
    await harness.clock.advance(1)
    assert.equal(b.heartbeat(), code.UNKNOWN_MEMBER_ID)
    assert.equal(a.heartbeat(), code.REBALANCE_IN_PROGRESS)
  })

  test('an id that was given and not used holds a rebalance up until it expires', async () => {
    const harness = await openGroups()
    const [a, b, c] = [harness.member(), harness.member(), harness.member()]
    await assignTo(a)
    await b.joinOnce()
    const joining = joinAll(a, c)
    assert(await isWaiting(joining))
    await harness.clock.advance(10_000)
    assert.deepEqual(await joining, [0, 0])
    assert.equal((await b.joinOnce()).errorCode, code.UNKNOWN_MEMBER_ID)
  })

  test('clients that are not given an id first', async () => {
    const harness = await openGroups()
    const old = { needsMemberId: false }
    const [a, b] = [harness.member(old), harness.member(old)]
    assert.equal((await a.joinOnce()).errorCode, 0)
    await syncAll(a)
    // Nobody knows the id of one that does not wait any more.
    const joining = b.joinOnce()
    await isWaiting(joining)
    assert.equal(stateOf(harness), 'PreparingRebalance 2')
    b.vanish()
    assert.equal((await joining).errorCode, code.NOT_COORDINATOR)
    assert.equal(stateOf(harness), 'PreparingRebalance 1')
    assert.deepEqual(await assignTo(a), ['part 0'])
  })

  test('a member whose connection ends while it joins may come back within its session', async () => {
    const harness = await openGroups()
    const [a, b] = [harness.member(), harness.member()]
    await assignTo(a)
    await assignTo(a, b)
    const gone = harness.member({ protocols: { range: 'wants y' } })
    for (const isBack of [true, false]) {
      gone.id = b.id
      const joining = gone.joinOnce()
      await isWaiting(joining)
      gone.vanish()
      await joining
      const others = a.join()
      assert(await isWaiting(others), 'it has not joined')
      if (isBack) {
        assert.equal(await b.join(), 0)
        assert.equal(await others, 0)
        await syncAll(a, b)
      } else {
        await harness.clock.advance(10_000)
        assert.equal(await others, 0)
        assert.equal(b.heartbeat(), code.UNKNOWN_MEMBER_ID)
      }
    }
  })

  test('the protocol is one that all have, as most of them like it', async () => {
    const harness = await openGroups()
    const a = harness.member({ protocols: { old: 'a', range: 'a', sticky: 'a' } })
    const b = harness.member({ protocols: { sticky: 'b', range: 'b' } })
    const c = harness.member({ protocols: { sticky: 'c', range: 'c' } })
    await assignTo(a)
    assert.equal(a.protocol, 'old')
    await assignTo(a, b, c)
    assert.deepEqual([a.protocol, c.protocol], ['sticky', 'sticky'])
    assert.deepEqual(a.others, { [a.id]: 'a', [b.id]: 'b', [c.id]: 'c' })
    const other = harness.member({ protocols: { old: 'd' } })
    assert.equal(await other.join(), code.INCONSISTENT_GROUP_PROTOCOL)
    assert.equal(stateOf(harness), 'Stable 3')
  })

  test('a cooperative member that joins again unchanged stays in the generation, unless it leads', async () => {
    const harness = await openGroups()
    const protocols = { 'cooperative-sticky': 'owns 1', range: '' }
    const [a, b] = [harness.member({ protocols }), harness.member({ protocols })]
    await assignTo(a)
    await assignTo(a, b)
    const { generation } = b
    assert.equal(await b.join(), 0)
    assert.deepEqual([b.generation, stateOf(harness)], [generation, 'Stable 2'])
    b.protocols = { 'cooperative-sticky': 'owns nothing', range: '' }
    const changed = b.join()
    assert(await isWaiting(changed))
    assert.equal(await a.join(), 0)
    assert.equal(await changed, 0)
    // Its answer was lost: it is told again.
    assert.equal(await b.join(), 0)
    assert.deepEqual([a.generation, b.generation], [generation + 1, generation + 1])
    await syncAll(a, b)
    const again = a.join()
    assert(await isWaiting(again))
    assert.equal(b.heartbeat(), code.REBALANCE_IN_PROGRESS)
    assert.equal(await b.join(), 0)
    assert.deepEqual([await again, a.generation], [0, generation + 2])
  })

  test('before its first generation a group waits for members as it is told to', async () => {
    const harness = await openGroups({ groupInitialRebalanceDelayMs: 3000 })
    const rebalanceMs = 10_000
    const members = Array.from({ length: 5 }, () => harness.member({ rebalanceMs }))
    const joining: Promise<number>[] = []
    // One comes every two seconds: the wait goes on, up to the rebalance timeout.
    for (const member of members) {
      joining.push(member.join())
      await harness.clock.advance(2000)
    }
    assert.deepEqual(await Promise.all(joining), [0, 0, 0, 0, 0])
    assert.deepEqual(new Set(members.map(({ generation }) => generation)), new Set([1]))

    const lone = harness.member({ group: 'lone' })
    const alone = lone.join()
    await harness.clock.advance(2999)
    assert(await isWaiting(alone))
    await harness.clock.advance(1)
    assert.equal(await alone, 0)
  })

  test('many members are answered in slices, and none of them is left out', async () => {
    const harness = await openGroups({ groupInitialRebalanceDelayMs: 3000 })
    const members = Array.from({ length: 1000 }, () => harness.member())
    const joining = Promise.all(members.map((member) => member.join()))
    await harness.clock.advance(6000)
    assert.deepEqual(new Set(await joining), new Set([0]))
    const syncing = syncAll(...members)
    await harness.clock.advance(0)
    assert.deepEqual(new Set(await syncing).size, 1000)
    assert.equal(stateOf(harness), 'Stable 1000')
  })

  test('who was heard of while the broker was held up is not given up for that', async () => {
    const clock = new HeldUpClock()
    const harness = await openGroups({}, new StateDouble(), clock)
    const [a, b] = [harness.member(), harness.member()]
    await assignTo(a)
    await assignTo(a, b)
    // Both sessions of 10 s are over when it goes on; timers run first, and then a heartbeat is read.
    clock.heldUpMs = 60_000
    const beats: number[] = []
    clock.after(10_000, () => beats.push(a.heartbeat()))
    await clock.advance(10_000)
    assert.deepEqual(beats, [0])
    assert.equal(stateOf(harness), 'PreparingRebalance 1')
    assert.equal(a.heartbeat(), code.REBALANCE_IN_PROGRESS)
    assert.equal(b.heartbeat(), code.UNKNOWN_MEMBER_ID)
  })

  test('what members subscribe to is what those say that are there', async () => {
    const harness = await openGroups({ groupInitialRebalanceDelayMs: 3000 })
    const { clock, groups } = harness
    const [a, b] = [harness.member(), harness.member()]
    const joining = a.join()
    await clock.advance(3000)
    await joining
    await syncAll(a)
    assert.equal(groups.isSubscribed('g', 'x'), true, 'what cannot be read may be all topics')
    a.leave()
    assert.equal(groups.isSubscribed('g', 'x'), false)
    // Before the next generation there is a member again.
    const again = b.join()
    await isWaiting(again)
    assert.equal(stateOf(harness), 'PreparingRebalance 1')
    assert.equal(groups.isSubscribed('g', 'x'), true)
    await clock.advance(3000)
    await again
  })

  test('what is wrong is refused', async () => {
    const harness = await openGroups({ groupSizeMax: 2 })
    const [a, b, c] = [harness.member(), harness.member(), harness.member()]
    await assignTo(a)
    assert.equal(await harness.member({ group: '' }).join(), code.INVALID_GROUP_ID)
    for (const sessionMs of [5_999, 1_800_001]) {
      assert.equal(await harness.member({ sessionMs }).join(), code.INVALID_SESSION_TIMEOUT)
    }
    assert.equal(await harness.member({ protocols: {} }).join(), code.INCONSISTENT_GROUP_PROTOCOL)
    await assignTo(a, b)
    assert.equal(await c.join(), code.GROUP_MAX_SIZE_REACHED)
    a.generation--
    assert.equal(a.heartbeat(), code.ILLEGAL_GENERATION)
    assert.equal(await a.sync(), code.ILLEGAL_GENERATION)
    assert.equal(a.commit(), code.ILLEGAL_GENERATION)
    a.generation++
    a.protocol = 'other'
    assert.equal(await a.sync(), code.INCONSISTENT_GROUP_PROTOCOL)
    assert.equal(await harness.groups.delete('g'), code.NON_EMPTY_GROUP)
    assert.equal(await harness.groups.delete('none'), code.GROUP_ID_NOT_FOUND)
  })
})

suite('static members', () => {
  test('one that starts anew goes on where it was, and the one before it is fenced', async () => {
    const harness = await openGroups()
    const [a, b] = [harness.member({ instance: 'a' }), harness.member({ instance: 'b' })]
    assert.equal((await a.joinOnce()).errorCode, 0, 'it is not told to come again with an id')
    await syncAll(a)
    assert.deepEqual(await assignTo(a, b), ['part 0', 'part 1'])
    const { generation } = b

    const next = harness.member({ instance: 'b' })
    assert.equal(await next.join(), 0)
    assert.deepEqual([next.generation, next.leader], [generation, a.id])
    assert.notEqual(next.id, b.id)
    assert.equal(await next.sync(), 'part 1')
    assert.equal(b.heartbeat(), code.FENCED_INSTANCE_ID)
    assert.equal(await b.join(), code.FENCED_INSTANCE_ID)
    assert.equal(b.commit(), code.FENCED_INSTANCE_ID)
    assert.equal(b.leave(), code.FENCED_INSTANCE_ID)
    assert.equal(a.heartbeat(), 0)

    const leader = await harness.member({ instance: 'a' }).joinOnce()
    assert.deepEqual([leader.skipAssignment, leader.members.length], [true, 2])
    assert.equal(leader.leader, leader.memberId)
    const old = await harness.member({ instance: 'a', canSkipAssignment: false }).joinOnce()
    assert.deepEqual([old.skipAssignment, old.members.length], [false, 0])
    assert.equal(old.leader, leader.memberId, 'it does not take itself for the leader')
  })

  test('one that starts anew with another protocol, or while others sync, begins a rebalance', async () => {
    const harness = await openGroups()
    const protocols = { range: '', sticky: '' }
    const a = harness.member({ instance: 'a', protocols })
    const b = harness.member({ protocols })
    await assignTo(a)
    await assignTo(a, b)
    const other = harness.member({ instance: 'a', protocols: { sticky: '' } })
    const joining = other.join()
    assert(await isWaiting(joining))
    assert.equal(b.heartbeat(), code.REBALANCE_IN_PROGRESS)
    await Promise.all([joining, b.join()])
    const syncing = b.sync()
    await isWaiting(syncing)
    const third = harness.member({ instance: 'a', protocols: { sticky: '' } })
    const again = third.join()
    assert.equal(await syncing, code.REBALANCE_IN_PROGRESS)
    assert.equal(await other.sync(), code.FENCED_INSTANCE_ID)
    await Promise.all([again, b.join()])
    assert.deepEqual(await syncAll(third, b), ['part 0', 'part 1'])
  })

  test('one is not out for a rebalance without it, but for a session without it', async () => {
    const harness = await openGroups()
    const times = { sessionMs: 60_000, rebalanceMs: 20_000 }
    const a = harness.member({ instance: 'a', ...times })
    const b = harness.member(times)
    await assignTo(a)
    const joining = b.join()
    await harness.clock.advance(20_000)
    assert.equal(await joining, 0)
    assert(b.isLeader)
    assert.deepEqual(Object.keys(b.others).sort(), [a.id, b.id].sort())
    await b.sync({ [a.id]: 'all' })
    assert.equal(await a.join(), 0)
    assert.deepEqual([await a.sync(), a.generation], ['all', b.generation])
    await live(harness, 60_000, b)
    assert.equal(a.heartbeat(), code.UNKNOWN_MEMBER_ID)
  })

  test('those that give others no time to join, and do not join, are looked at once a second', async () => {
    const harness = await openGroups()
    const a = harness.member({ instance: 'a', rebalanceMs: 1 })
    const b = harness.member({ rebalanceMs: 1 })
    await assignTo(a)
    const joining = b.join()
    await isWaiting(joining)
    await Promise.all([joining, a.join()])
    await syncAll(a, b)
    b.leave()
    const { steps } = harness.clock
    await live(harness, 60_000, a)
    assert.equal(stateOf(harness), 'PreparingRebalance 1')
    assert(harness.clock.steps - steps < 200, `${harness.clock.steps - steps} steps`)
    assert.deepEqual(await assignTo(a), ['part 0'])
  })

  test('an id that was given to somebody without a name is none of theirs', async () => {
    const harness = await openGroups()
    const a = harness.member({ instance: 'a' })
    await assignTo(a)
    const nameless = harness.member()
    await nameless.joinOnce()
    const other = harness.member({ instance: 'a' })
    other.id = nameless.id
    const joining = other.join()
    assert(!(await isWaiting(joining)), 'nobody has to join again for that')
    assert.equal(await joining, code.FENCED_INSTANCE_ID)
    assert.deepEqual([a.heartbeat(), stateOf(harness)], [0, 'Stable 1'])
  })

  test('somebody else takes them out by their names', async () => {
    const harness = await openGroups()
    const [a, b] = [harness.member({ instance: 'a' }), harness.member({ instance: 'b' })]
    await assignTo(a)
    await assignTo(a, b)
    const named = (groupInstanceId: string, memberId = '') => {
      return { memberId, groupInstanceId, reason: null }
    }
    const { members } = harness.groups.leave('g', [named('a'), named('c'), named('b', 'x')])
    assert.deepEqual(
      members.map(({ errorCode }) => errorCode),
      [0, code.UNKNOWN_MEMBER_ID, code.FENCED_INSTANCE_ID],
    )
    assert.equal(stateOf(harness), 'PreparingRebalance 1')
  })
})
