import assert from 'node:assert/strict'
import { suite, test } from 'node:test'
import { kafka } from '@kaska/protocol'
import { drainMicrotasks } from '../../../../sim/manual-clock.ts'
import { assignTo, openGroups, textOf } from '../../test/group-harness.ts'

const { errorCode: code } = kafka

suite('what groups take', () => {
  test('is counted, and nothing is left of members that are gone', async () => {
    const harness = await openGroups()
    const { groups, clock } = harness
    assert.equal(groups.bytes, 0)
    const metadata = 'x'.repeat(100_000)
    const members = Array.from({ length: 5 }, (_, index) =>
      harness.member({ group: `g${index}`, protocols: { range: metadata } }),
    )
    for (const member of members) await assignTo(member)
    await members[0]?.join()
    await members[0]?.sync({ [members[0].id]: metadata })
    assert(groups.bytes > 600_000 && groups.bytes < 630_000, `${groups.bytes}`)
    assert.equal(harness.charged(), groups.bytes)
    for (const member of members.slice(0, 2)) member.leave()
    assert(groups.bytes < 330_000)
    await clock.advance(60_000)
    assert.equal(groups.bytes, 0)
    await clock.advance(1_200_000)
    assert.deepEqual(Array.from(groups.list()), [])
    assert.equal(harness.charged(), 0)
    assert.equal(await clock.step(), false, 'no timer is left')
  })

  test('is bounded: nobody joins beyond that, and all goes on when there is room again', async () => {
    const harness = await openGroups({ memberBytesMax: 500_000 })
    const protocols = { range: 'x'.repeat(100_000) }
    const members = Array.from({ length: 10 }, (_, index) =>
      harness.member({ group: `g${index}`, protocols }),
    )
    const codes: number[] = []
    for (const member of members) codes.push(await member.join())
    assert.deepEqual(codes, [0, 0, 0, 0, 15, 15, 15, 15, 15, 15])
    assert(harness.groups.bytes < 500_000)
    assert.match(harness.reports[0] ?? '', /take \d+ bytes; the limit is 500000/)
    members[0]?.leave()
    assert.equal(await members[9]?.join(), 0)

    const leader = members[1]
    assert(leader !== undefined)
    const much = await leader.sync({ [leader.id]: 'x'.repeat(1_000_000) })
    assert.equal(much, code.COORDINATOR_NOT_AVAILABLE)
    assert(harness.groups.bytes < 500_000)
  })

  test('who is in a group already takes part in its rebalances where there is no room', async () => {
    const harness = await openGroups({ memberBytesMax: 500_000 })
    const protocols = { range: 'x'.repeat(100_000) }
    const [a, b] = [harness.member({ protocols }), harness.member({ protocols })]
    const named = { group: 'named', instance: 'a', protocols }
    await assignTo(a)
    await assignTo(a, b)
    await assignTo(harness.member(named))
    assert.equal(await harness.member({ group: 'other', protocols }).join(), 0)
    assert.equal(await harness.member({ protocols }).join(), code.COORDINATOR_NOT_AVAILABLE)
    const { generation } = a
    assert.deepEqual(await assignTo(a, b), ['part 0', 'part 1'])
    assert.equal(a.generation, generation + 1)
    assert.equal(await harness.member(named).join(), 0)
    const larger = harness.member({ ...named, protocols: { range: 'x'.repeat(200_000) } })
    assert.equal(await larger.join(), code.COORDINATOR_NOT_AVAILABLE)
  })

  test('ids that are given and never used are bounded too, and those that are used find their group', async () => {
    const harness = await openGroups({ pendingMax: 100 })
    const { groups, clock } = harness
    for (let index = 0; index < 1000; index++) {
      const { errorCode } = await harness.member({ group: `g${index % 10}` }).joinOnce()
      assert.equal(errorCode, code.MEMBER_ID_REQUIRED)
    }
    assert(groups.bytes < 100 * 1000, `${groups.bytes}`)
    assert.deepEqual(await assignTo(harness.member({ group: 'g3' })), ['part 0'])
    await clock.advance(10_000)
    assert.equal(groups.bytes, 0)
  })

  test('groups that nobody is in any more do not pile up', async () => {
    const harness = await openGroups({ memberBytesMax: 100_000 })
    for (let index = 0; index < 2000; index++) {
      const member = harness.member({ group: `g${index}` })
      await assignTo(member)
      member.leave()
    }
    await harness.clock.advance(0)
    const { length } = Array.from(harness.groups.list())
    assert(length < 200, `${length}`)
  })
})

suite('what offsets ask of groups', () => {
  test('who may commit, and when', async () => {
    const harness = await openGroups()
    const { groups } = harness
    const nobody = { memberId: '', generationId: -1, groupInstanceId: null }
    const someone = { memberId: 'x', generationId: 1, groupInstanceId: null }
    assert.equal(groups.checkCommit('g', nobody), 0)
    assert.equal(groups.checkCommit('g', someone), code.ILLEGAL_GENERATION)
    const a = harness.member()
    await assignTo(a)
    assert.equal(groups.checkCommit('g', nobody), code.UNKNOWN_MEMBER_ID)
    assert.equal(groups.checkCommit('g', someone), code.UNKNOWN_MEMBER_ID)
    // A commit is a sign of life.
    for (let round = 0; round < 5; round++) {
      assert.equal(a.commit(), 0)
      await harness.clock.advance(9000)
    }
    assert.deepEqual([groups.hasMembers('g'), groups.emptySince('g')], [true, undefined])
    assert.equal(groups.protocolType('g'), 'consumer')
    a.leave()
    assert.deepEqual([groups.hasMembers('g'), groups.emptySince('g')], [false, harness.clock.now()])
    assert.equal(groups.protocolType('g'), undefined)
    assert.equal(groups.checkCommit('g', nobody), 0)
  })

  test('what the members of a group subscribe to', async () => {
    const harness = await openGroups()
    const { groups } = harness
    const subscription = (...topics: string[]) => {
      const type = kafka.consumerProtocolSubscription
      return textOf(
        Buffer.concat(kafka.writeVersioned(type, { topics, userData: new Uint8Array(0) }, 0)),
      )
    }
    const a = harness.member({ protocols: { range: subscription('x', 'y') } })
    const b = harness.member({ protocols: { range: subscription('y', 'z') } })
    const asked = () => ['x', 'y', 'z', 'other'].map((topic) => groups.isSubscribed('g', topic))
    assert.deepEqual(asked(), [false, false, false, false])
    await assignTo(a)
    assert.deepEqual(asked(), [true, true, false, false])
    await assignTo(a, b)
    assert.deepEqual(asked(), [true, true, true, false])
    a.leave()
    await assignTo(b)
    assert.deepEqual(asked(), [false, true, true, false])
    // What cannot be read may be anything.
    b.protocols = { range: 'other' }
    await assignTo(b)
    await drainMicrotasks()
    assert.deepEqual(asked(), [true, true, true, true])
  })
})
