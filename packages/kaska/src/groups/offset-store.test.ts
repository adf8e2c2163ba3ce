import assert from 'node:assert/strict'
import { suite, test } from 'node:test'
import { createTopicId, DiskFullError } from '@kaska/protocol'
import fc from 'fast-check'
import { ManualClock } from '../../../../sim/manual-clock.ts'
import { SeededRandom } from '../../../../sim/seeded-random.ts'
import { StateDouble } from '../../test/state-double.ts'
import { noMembers } from './no-members.ts'
import { OffsetStore } from './offset-store.ts'

const random = new SeededRandom(1)
const orders = createTopicId(random)
const bills = createTopicId(random)

async function openStore(directory = new StateDouble(), gone: readonly string[] = []) {
  const topicName = (id: string) => (gone.includes(id) ? undefined : 'a topic')
  const store = await OffsetStore.open(directory, {
    clock: new ManualClock(),
    budget: { total: 2 ** 30, charge: () => {} },
    membership: noMembers,
    topicName,
  })
  return { directory, store }
}

function turn(): Promise<void> {
  return new Promise((resolve) => setImmediate(resolve))
}

suite('the store of committed offsets', () => {
  test('answers by group, topic and partition, also after a restart', async () => {
    const { directory, store } = await openStore()
    await store.commit('billing', [
      { topic: orders, partition: 0, offset: 5 },
      { topic: orders, partition: 9_999, offset: 2 ** 53 - 1 },
      { topic: bills, partition: 0, offset: 0 },
    ])
    await store.commit('other \u{1f600}', [{ topic: orders, partition: 0, offset: 7 }])
    await store.commit('billing', [{ topic: orders, partition: 0, offset: 3 }])
    for (const snapshot of [false, true]) {
      const { store: again } = await openStore(directory.reopened({ snapshot }))
      assert.equal(await again.committed('billing', orders, 0), 3)
      assert.equal(await again.committed('billing', orders, 9_999), 2 ** 53 - 1)
      assert.equal(await again.committed('billing', bills, 0), 0)
      assert.equal(await again.committed('other \u{1f600}', orders, 0), 7)
      assert.equal(await again.committed('billing', orders, 1), undefined)
      assert.equal(await again.committed('nobody', orders, 0), undefined)
    }
  })

  test('an answer waits for the commits that were asked for before it', async () => {
    const { directory, store } = await openStore()
    directory.hold()
    const committing = store.commit('g', [{ topic: orders, partition: 0, offset: 1 }])
    let answer: number | undefined
    const asked = store.committed('g', orders, 0).then((offset) => {
      answer = offset
    })
    await turn()
    assert.equal(answer, undefined)
    await directory.settle()
    await Promise.all([committing, asked])
    assert.equal(answer, 1)
  })

  test('an answer is not of a commit that begins while it is made', async () => {
    const { directory, store } = await openStore()
    await store.commit('g', [{ topic: orders, partition: 0, offset: 1 }])
    directory.hold()
    const asked = store.committed('g', orders, 0)
    const committing = store.commit('g', [{ topic: orders, partition: 0, offset: 2 }])
    assert.equal(await asked, 1)
    await directory.settle()
    await committing
    assert.equal(await store.committed('g', orders, 0), 2)
  })

  test('a deleted topic takes its offsets along, in memory and over a restart', async () => {
    const { directory, store } = await openStore()
    await store.commit('g', [
      { topic: orders, partition: 0, offset: 1 },
      { topic: bills, partition: 0, offset: 2 },
    ])
    await store.forgetTopic(orders)
    assert.equal(await store.committed('g', orders, 0), undefined)
    assert.equal(await store.committed('g', bills, 0), 2)
    const { store: again } = await openStore(directory.reopened(), [orders])
    assert.equal(await again.committed('g', orders, 0), undefined)
    assert.equal(await again.committed('g', bills, 0), 2)
  })

  test('whatever is refused on the way, it answers what a restart would find', async () => {
    const action = fc.oneof(
      fc.record({
        kind: fc.constant('commit' as const),
        offsets: fc.dictionary(fc.constantFrom('0', '1', '2'), fc.nat(99), { minKeys: 1 }),
      }),
      fc.record({ kind: fc.constant('settle' as const), fails: fc.boolean() }),
    )
    await fc.assert(
      fc.asyncProperty(fc.array(action, { maxLength: 30 }), async (actions) => {
        const { directory, store } = await openStore()
        directory.hold()
        let waiting = 0
        const settle = async (fails: boolean) => {
          waiting--
          await directory.settle(fails ? new DiskFullError('full') : undefined)
        }
        for (const each of actions) {
          if (each.kind === 'commit') {
            const entries = Object.entries(each.offsets).map(([partition, offset]) => {
              return { topic: orders, partition: Number(partition), offset }
            })
            store.commit('g', entries).catch(() => {})
            waiting++
          } else if (waiting > 0) {
            await settle(each.fails)
          }
        }
        while (waiting > 0) await settle(waiting % 2 === 0)
        const { store: again } = await openStore(directory.reopened())
        for (const partition of [0, 1, 2]) {
          assert.equal(
            await store.committed('g', orders, partition),
            await again.committed('g', orders, partition),
          )
        }
      }),
      { numRuns: 200 },
    )
  })
})
