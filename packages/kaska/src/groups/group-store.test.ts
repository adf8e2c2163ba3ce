import assert from 'node:assert/strict'
import { suite, test } from 'node:test'
import { DiskFullError, kafka } from '@kaska/protocol'
import { drainMicrotasks } from '../../../../sim/manual-clock.ts'
import { assignTo, type Harness, joinAll, openGroups, syncAll } from '../../test/group-harness.ts'

const { errorCode: code } = kafka

/** The broker ends, by whatever, and starts again after so long. */
async function restart(
  { directory, clock }: Harness,
  options: { readonly snapshot?: boolean } = {},
): Promise<Harness> {
  await clock.advance(5000)
  return openGroups({}, directory.reopened(options), clock)
}

suite('groups over a restart', () => {
  for (const snapshot of [false, true]) {
    test(`members go on in their generation${snapshot ? ', by a snapshot' : ''}`, async () => {
      const before = await openGroups()
      const protocols = { range: 'wants x', sticky: 'wants y' }
      const a = before.member({ protocols })
      const b = before.member({ protocols, instance: 'b' })
      await assignTo(a)
      await assignTo(a, b)
      const lone = before.member({ group: 'lone' })
      await assignTo(lone)
      lone.leave()

      const after = await restart(before, { snapshot })
      const [a2, b2] = [after.member({ protocols }), after.member({ protocols, instance: 'b' })]
      Object.assign(a2, { id: a.id, generation: a.generation, protocol: a.protocol })
      Object.assign(b2, { id: b.id, generation: b.generation, protocol: b.protocol })
      assert.deepEqual([a2.heartbeat(), b2.heartbeat()], [0, 0])
      assert.equal(a2.commit(), 0)
      assert.deepEqual(await Promise.all([a2.sync(), b2.sync()]), ['part 0', 'part 1'])
      assert.deepEqual(after.groups.describe('g'), before.groups.describe('g'))
      const next = after.member({ protocols, instance: 'b' })
      assert.equal(await next.join(), 0)
      assert.deepEqual([next.generation, await next.sync()], [b.generation, 'part 1'])
      // Who leads is known too: it begins a rebalance by joining again.
      assert.equal(next.leader, a.id)
      await joinAll(a2, next)
      assert.equal(a2.generation, a.generation + 1)

      assert.equal(after.groups.describe('lone')?.state, 'Empty')
      assert.equal(after.groups.emptySince('lone'), before.groups.emptySince('lone'))
      await after.clock.advance(10_000)
      assert.equal(after.groups.describe('g')?.state, 'Empty')
      assert.equal(a2.heartbeat(), code.UNKNOWN_MEMBER_ID)
    })
  }

  test('a rebalance that was under way begins again from the generation before it', async () => {
    const before = await openGroups()
    const [a, b] = [before.member(), before.member()]
    await assignTo(a)
    const joining = b.join()
    await drainMicrotasks()
    before.groups.close()
    assert.equal(await joining, code.NOT_COORDINATOR)
    assert.equal(a.heartbeat(), code.NOT_COORDINATOR)
    assert.equal(await a.join(), code.NOT_COORDINATOR)

    const after = await restart(before)
    const [a2, b2] = [after.member(), after.member()]
    Object.assign(a2, { id: a.id, generation: a.generation })
    Object.assign(b2, { id: b.id })
    assert.equal(a2.heartbeat(), 0)
    assert.equal(await b2.join(), code.UNKNOWN_MEMBER_ID)
    b2.id = ''
    assert.deepEqual(await assignTo(a2, b2), ['part 0', 'part 1'])
  })

  test('members are told their part when it is durable, and not before', async () => {
    const harness = await openGroups()
    const { directory } = harness
    const a = harness.member()
    await a.join()
    directory.hold()
    let told: unknown
    const syncing = a.sync({ [a.id]: 'all' }).then((part) => {
      told = part
    })
    await drainMicrotasks()
    assert.equal(told, undefined)
    assert.equal(harness.groups.describe('g')?.state, 'CompletingRebalance')
    await directory.settle()
    await syncing
    assert.equal(told, 'all')

    // A static member is told that it was replaced under the same rule.
    const b = harness.member({ instance: 'b' })
    const joined = joinAll(a, b)
    await joined
    const parts = syncAll(a, b)
    await drainMicrotasks()
    await directory.settle()
    await parts
    const next = harness.member({ instance: 'b' })
    const joining = next.join()
    await drainMicrotasks()
    assert.equal(next.generation, -1)
    await directory.settle()
    assert.deepEqual([await joining, next.generation], [0, b.generation])
  })

  test('a rebalance that begins while a generation is stored goes before it', async () => {
    const harness = await openGroups()
    const { directory } = harness
    const [a, b] = [harness.member(), harness.member({ instance: 'b' })]
    await assignTo(a)
    await joinAll(a, b)
    directory.hold()
    const syncing = syncAll(a, b)
    await drainMicrotasks()
    const c = harness.member()
    const joining = joinAll(a, c)
    assert.deepEqual(await syncing, [code.REBALANCE_IN_PROGRESS, code.REBALANCE_IN_PROGRESS])
    await drainMicrotasks()
    await directory.settle()
    assert.equal(harness.groups.describe('g')?.state, 'PreparingRebalance')
    await b.join()
    await joining
    const parts = syncAll(a, b, c)
    await drainMicrotasks()
    await directory.settle()
    assert.deepEqual(await parts, ['part 0', 'part 1', 'part 2'])

    // A static member that is replaced meanwhile takes part in it.
    const { generation } = a
    const next = harness.member({ instance: 'b' })
    const replacing = next.join()
    const again = a.join()
    await drainMicrotasks()
    await directory.settle()
    assert.equal(next.generation, -1)
    await Promise.all([replacing, again, c.join()])
    assert.deepEqual([a.generation, next.generation], [generation + 1, generation + 1])
  })

  test('what could not be stored was never there', async () => {
    const harness = await openGroups()
    const { directory } = harness
    const a = harness.member()
    await assignTo(a)
    const { generation } = a
    const b = harness.member({ instance: 'b' })
    await joinAll(a, b)
    directory.hold()
    const parts = syncAll(a, b)
    await drainMicrotasks()
    await directory.settle(new DiskFullError('full'))
    assert.deepEqual(await parts, [15, 15])
    assert.match(harness.reports.join('\n'), /'g' could not be stored: full/)
    assert.equal(a.heartbeat(), code.REBALANCE_IN_PROGRESS)
    const after = await restart(harness)
    const again = after.member()
    Object.assign(again, { id: a.id, generation })
    assert.equal(again.heartbeat(), 0)
    assert.equal(after.groups.describe('g')?.members.length, 1)

    // There is space again.
    await joinAll(a, b)
    const syncing = syncAll(a, b)
    await drainMicrotasks()
    await directory.settle()
    assert.deepEqual(await syncing, ['part 0', 'part 1'])
    const next = harness.member({ instance: 'b' })
    const joining = next.join()
    await drainMicrotasks()
    await directory.settle(new DiskFullError('full'))
    assert.equal(await joining, code.COORDINATOR_NOT_AVAILABLE)
  })

  test('a group that was deleted, or forgotten, does not come back', async () => {
    const before = await openGroups()
    const members = ['deleted', 'forgotten', 'kept'].map((group) => before.member({ group }))
    for (const member of members) {
      await assignTo(member)
      member.leave()
    }
    before.withOffsets.add('kept').add('deleted')
    assert.equal(await before.groups.delete('deleted'), 0)
    assert.equal(before.withOffsets.has('deleted'), false)
    await before.clock.advance(1_200_000)
    assert.equal(before.groups.describe('forgotten'), undefined)
    assert.equal(before.groups.describe('kept')?.protocolType, 'consumer')
    const { groups } = await restart(before)
    assert.deepEqual(
      ['deleted', 'forgotten', 'kept'].map((name) => groups.describe(name)?.protocolType),
      [undefined, undefined, 'consumer'],
    )
  })
})
