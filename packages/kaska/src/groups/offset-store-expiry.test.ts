import assert from 'node:assert/strict'
import { suite, test } from 'node:test'
import { createTopicId, DiskFullError } from '@kaska/protocol'
import { ManualClock } from '../../../../sim/manual-clock.ts'
import { SeededRandom } from '../../../../sim/seeded-random.ts'
import { StateDouble } from '../../test/state-double.ts'
import type { Membership } from './membership.ts'
import { noMembers } from './no-members.ts'
import { OffsetStore } from './offset-store.ts'

const random = new SeededRandom(1)
const orders = createTopicId(random)
const bills = createTopicId(random)

const retentionMs = 1_000_000
const checkMs = 100_000

async function openStore(membership: Partial<Membership> = {}, directory = new StateDouble()) {
  const clock = new ManualClock()
  const open = (from: StateDouble) =>
    OffsetStore.open(from, {
      clock,
      budget: { total: 2 ** 30, charge: () => {} },
      membership: { ...noMembers, ...membership },
      topicName: (id) => (id === orders ? 'orders' : 'bills'),
      retentionMs,
      retentionCheckMs: checkMs,
    })
  return { clock, directory, open, store: await open(directory) }
}

function commitTo(topic: string, more: { partition?: number; retentionMs?: number } = {}) {
  return { topic, partition: 0, offset: 1, leaderEpoch: -1, metadata: '', ...more }
}

function offsetsOf(store: OffsetStore, group: string): string[] {
  return Array.from(store.allDurable(group), ({ topic }) => (topic === orders ? 'orders' : 'bills'))
}

suite('the expiry of committed offsets', () => {
  test('what Kafka clients committed expires; what native ones committed never does', async () => {
    const { clock, directory, open, store } = await openStore()
    await store.commitFor('simple', [commitTo(orders)])
    await store.commitFor('both', [commitTo(orders), commitTo(bills)])
    await store.commit('both', [{ topic: bills, partition: 0, offset: 1 }])
    await store.commit('native', [{ topic: orders, partition: 0, offset: 1 }])
    await clock.advance(retentionMs - 1)
    assert.deepEqual(offsetsOf(store, 'simple'), ['orders'])
    // A commit, also of the same offset, begins anew.
    await store.commitFor('renewed', [commitTo(orders)])
    await clock.advance(checkMs)
    assert.deepEqual([...store.groups()], ['both', 'native', 'renewed'])
    assert.deepEqual(offsetsOf(store, 'both'), ['bills'])
    const again = await open(directory.reopened())
    assert.deepEqual([...again.groups()], ['both', 'native', 'renewed'])
    await clock.advance(100 * retentionMs)
    assert.deepEqual([...store.groups()], ['both', 'native'])
    // Nothing is left that could expire: no timer runs, in the store that was opened again neither.
    assert.deepEqual([...again.groups()], ['both', 'native'])
    assert.equal(clock.waiting, 0)
  })

  test('counts from when the group became empty, as long as it has members not at all', async () => {
    let emptySince: number | undefined
    const { clock, store } = await openStore({
      hasMembers: () => emptySince === undefined,
      emptySince: () => emptySince,
      protocolType: () => 'connect',
    })
    await store.commitFor('g', [commitTo(orders)])
    await clock.advance(3 * retentionMs)
    assert.deepEqual(offsetsOf(store, 'g'), ['orders'])
    emptySince = clock.now()
    await clock.advance(retentionMs - checkMs)
    assert.deepEqual(offsetsOf(store, 'g'), ['orders'])
    await clock.advance(2 * checkMs)
    assert.deepEqual(offsetsOf(store, 'g'), [])
  })

  test('of running consumers only topics expire that none subscribes to', async () => {
    const { clock, store } = await openStore({
      hasMembers: () => true,
      protocolType: () => 'consumer',
      isSubscribed: (group, topic) => group === 'g' && topic === 'orders',
    })
    await store.commitFor('g', [commitTo(orders), commitTo(bills)])
    await clock.advance(retentionMs + checkMs)
    assert.deepEqual(offsetsOf(store, 'g'), ['orders'])
  })

  test('a commit may say how long it is to be kept', async () => {
    const { clock, store } = await openStore()
    await store.commitFor('short', [commitTo(orders, { retentionMs: checkMs })])
    await store.commitFor('long', [commitTo(orders, { retentionMs: 2 ** 53 })])
    await clock.advance(checkMs)
    assert.deepEqual([...store.groups()], ['long'])
    await clock.advance(100 * retentionMs)
    assert.deepEqual([...store.groups()], ['long'])
  })

  test('goes on at the next time when the disk was full', async () => {
    const { clock, directory, store } = await openStore()
    await store.commitFor('g', [commitTo(orders)])
    directory.hold()
    await clock.advance(retentionMs)
    await directory.settle(new DiskFullError('full'))
    assert.deepEqual(offsetsOf(store, 'g'), ['orders'])
    await clock.advance(checkMs)
    await directory.settle()
    assert.deepEqual([...store.groups()], [])
  })

  test('what is committed anew while much is looked through stays', async () => {
    const { clock, store } = await openStore()
    const partitions = Array.from({ length: 5000 }, (_, partition) => {
      return commitTo(orders, { partition })
    })
    await store.commitFor('g', partitions)
    await clock.advance(retentionMs - checkMs / 2)
    // In the first turn of others that the walk leaves, everything is committed again.
    const yields = clock.yield.bind(clock)
    let turns = 0
    clock.yield = async () => {
      if (turns++ === 0) await store.commitFor('g', partitions)
      await yields()
    }
    await clock.advance(checkMs)
    assert.ok(turns >= 4)
    assert.equal(offsetsOf(store, 'g').length, 5000)
    store.close()
    await clock.advance(10 * retentionMs)
    assert.equal(offsetsOf(store, 'g').length, 5000)
  })
})
