import assert from 'node:assert/strict'
import { suite, test } from 'node:test'
import {
  createTopicId,
  DiskFullError,
  GroupActiveError,
  joinChunks,
  kafka,
  OverloadedError,
  topicIdToBytes,
} from '@kaska/protocol'
import fc from 'fast-check'
import { ManualClock } from '../../../../sim/manual-clock.ts'
import { SeededRandom } from '../../../../sim/seeded-random.ts'
import { StateDouble } from '../../test/state-double.ts'
import type { State, StateLog } from '../log/state-log.ts'
import { noMembers } from './no-members.ts'
import { type GroupCommit, OffsetStore } from './offset-store.ts'

const random = new SeededRandom(1)
const orders = createTopicId(random)
const bills = createTopicId(random)

const none: readonly string[] = []

function openStateOf(directory: StateDouble) {
  return (name: string, state: State) => directory.openState(name, state)
}

async function openStore(
  directory = new StateDouble(),
  { gone = none, members = none, total = 2 ** 30, openState = openStateOf(directory) } = {},
) {
  let kept = 0
  const charge = (bytes: number) => {
    kept += bytes
  }
  const clock = new ManualClock()
  const store = await OffsetStore.open(
    { openState },
    {
      clock,
      budget: { total, charge },
      membership: { ...noMembers, hasMembers: (group) => members.includes(group) },
      topicName: (id) => (gone.includes(id) ? undefined : 'a topic'),
    },
  )
  return { clock, directory, store, kept: () => kept }
}

/** What a Kafka client commits in a partition of a topic. */
function kafkaCommit(partition: number, offset: number, more: Partial<GroupCommit> = {}) {
  return { topic: orders, partition, offset, leaderEpoch: -1, metadata: '', ...more }
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

  test('an answer waits for them also when a later one is refused at once', async () => {
    const directory = new StateDouble()
    let isFull = false
    const openState = async (name: string, state: State) => {
      const log = await directory.openState(name, state)
      const append: StateLog['append'] = (entries, options) => {
        if (isFull) throw new DiskFullError('full')
        return log.append(entries, options)
      }
      return { ...log, append } as StateLog
    }
    const { store } = await openStore(directory, { openState })
    directory.hold()
    const committing = store.commit('g', [{ topic: orders, partition: 0, offset: 1 }])
    isFull = true
    const entry = { topic: orders, partition: 0, offset: 2 }
    await assert.rejects(store.commit('g', [entry]), DiskFullError)
    const asked = store.committed('g', orders, 0)
    await turn()
    await directory.settle()
    await committing
    assert.equal(await asked, 1)
    assert.equal(await store.committed('g', orders, 0), 1)
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
    const { store: again } = await openStore(directory.reopened(), { gone: [orders] })
    assert.equal(await again.committed('g', orders, 0), undefined)
    assert.equal(await again.committed('g', bills, 0), 2)
  })

  test('keeps all that a Kafka client commits, also after a restart', async () => {
    const { directory, store } = await openStore()
    const commits = [
      kafkaCommit(0, 7, { leaderEpoch: 3, metadata: 'from \u{1f600}', retentionMs: 60_000 }),
      kafkaCommit(1, 2 ** 53 - 1, { metadata: 'x'.repeat(4096) }),
      kafkaCommit(2, -2, { leaderEpoch: 0 }),
    ]
    await store.commitFor('', commits)
    await store.commit('', [{ topic: bills, partition: 0, offset: 1 }])
    const now = new ManualClock().now()
    const expected = [
      { leaderEpoch: 3, metadata: 'from \u{1f600}', offset: 7, expiresAt: now + 60_000 },
      { leaderEpoch: -1, metadata: 'x'.repeat(4096), offset: 2 ** 53 - 1, expiresAt: undefined },
      { leaderEpoch: 0, metadata: '', offset: -2, expiresAt: undefined },
    ].map((one) => ({ ...one, committedAt: now, isNative: false }))
    for (const snapshot of [false, true]) {
      const { store: again } = await openStore(directory.reopened({ snapshot }))
      for (const partition of [0, 1, 2]) {
        assert.deepEqual(again.durable('', orders, partition), expected[partition])
      }
      assert.equal(again.durable('', bills, 0)?.isNative, true)
      assert.deepEqual([...again.allDurable('')].length, 4)
      assert.deepEqual([...again.groups()], [''])
    }
    // Nothing is there, for a native client, at a negative offset.
    assert.equal(await store.committed('', orders, 2), undefined)
  })

  test('reads what was written before there were Kafka clients', async () => {
    const directory = new StateDouble()
    // The group 'ab'; orders, partition 300, offset 2^14 + 1; bills, partition 0, offset 0.
    const ab = Uint8Array.of(2, 0x61, 0x62)
    const [first, second] = [orders, bills].map((id) => topicIdToBytes(id) ?? new Uint8Array())
    assert(first !== undefined && second !== undefined)
    const places = [Uint8Array.of(0xac, 0x02, 0x81, 0x80, 0x01), Uint8Array.of(0, 0)]
    const entry = joinChunks([ab, first, places[0] as Uint8Array, second, places[1] as Uint8Array])
    directory.logs.set('offsets', [entry])
    const { store } = await openStore(directory)
    assert.equal(await store.committed('ab', orders, 300), 2 ** 14 + 1)
    assert.equal(await store.committed('ab', bills, 0), 0)
    assert.equal(store.durable('ab', bills, 0)?.isNative, true)
  })

  test('a native commit to a group with members is refused, and changes nothing', async () => {
    const { directory, store } = await openStore(undefined, { members: ['busy'] })
    await store.commitFor('busy', [kafkaCommit(0, 4)])
    const entry = { topic: orders, partition: 0, offset: 9 }
    await assert.rejects(store.commit('busy', [entry]), (error) => {
      assert(error instanceof GroupActiveError)
      assert.match(error.message, /'busy'.*; stop them, or commit under another name/)
      return true
    })
    await store.commit('idle', [entry])
    assert.equal(await store.committed('busy', orders, 0), 4)
    assert.equal(await store.committed('idle', orders, 0), 9)
    assert.equal(directory.appended.length, 2)
  })

  test('who is a group, and whose offsets may be deleted', async () => {
    const { store } = await openStore(undefined, { members: ['busy'] })
    const { NONE, UNKNOWN_MEMBER_ID, GROUP_ID_NOT_FOUND, ...others } = kafka.errorCode
    const member = { memberId: 'm', generationId: 1, groupInstanceId: null }
    const nobody = { memberId: '', generationId: -1, groupInstanceId: null }
    assert.equal(store.checkCommit('new', nobody), NONE)
    assert.equal(store.checkCommit('new', member), GROUP_ID_NOT_FOUND)
    assert.equal(store.checkDelete('new'), GROUP_ID_NOT_FOUND)
    assert.equal(store.checkDelete(''), others.INVALID_GROUP_ID)
    assert.equal(store.checkDelete('busy'), others.NON_EMPTY_GROUP)
    await store.commit('new', [{ topic: orders, partition: 0, offset: 9 }])
    assert.equal(store.checkCommit('new', member), UNKNOWN_MEMBER_ID)
    assert.equal(store.checkDelete('new'), NONE)
  })

  test('deleted offsets, and forgotten groups, stay away', async () => {
    const { clock, directory, store, kept } = await openStore()
    const places = Array.from({ length: 2500 }, (_, partition) => kafkaCommit(partition, 1))
    await store.commitFor('large', places)
    await store.commitFor('small', [kafkaCommit(0, 1), kafkaCommit(1, 2)])
    await store.deleteOffsets('small', [
      { topic: orders, partition: 0 },
      { topic: bills, partition: 0 },
    ])
    assert.equal(store.durable('small', orders, 0), undefined)
    assert.equal(store.durable('small', orders, 1)?.offset, 2)
    await clock.runUntil(store.forgetGroup('large'), 10)
    await store.forgetGroup('never')
    assert.deepEqual([...store.groups()], ['small'])
    assert.equal(store.hasOffsets('large'), false)
    for (const snapshot of [false, true]) {
      const { store: again } = await openStore(directory.reopened({ snapshot }))
      assert.deepEqual([...again.groups()], ['small'])
      assert.equal([...again.allDurable('small')].length, 1)
    }
    await store.forgetGroup('small')
    assert.equal(kept(), 0)
  })

  test('what would take more memory than there is for offsets is refused', async () => {
    const { directory, store, kept } = await openStore(undefined, { total: 64 * 1024 })
    let names = 0
    const fill = async () => {
      for (;;) await store.commitFor(`name-${++names}`, [kafkaCommit(0, 1)])
    }
    await assert.rejects(fill(), OverloadedError)
    assert(names > 10 && names < 100)
    assert(kept() > 14_000 && kept() <= 16 * 1024)
    const wide = { topic: bills, partition: 0, offset: 1 }
    await assert.rejects(store.commit('name-1', [wide]), OverloadedError)
    const long = kafkaCommit(0, 2, { metadata: 'x'.repeat(4096) })
    await assert.rejects(store.commitFor('name-1', [long]), OverloadedError)
    // What is there goes on, and comes back after a restart, whatever the budget is then.
    await store.commitFor('name-1', [kafkaCommit(0, 2)])
    const { store: again } = await openStore(directory.reopened(), { total: 1024 })
    assert.equal(await again.committed('name-1', orders, 0), 2)
    await again.commitFor('name-1', [kafkaCommit(0, 3)])
    await store.forgetTopic(orders)
    assert.equal(kept(), 0)
  })

  test('whatever is refused on the way, it answers what a restart would find', async () => {
    const action = fc.oneof(
      fc.record({
        kind: fc.constant('commit' as const),
        offsets: fc.dictionary(fc.constantFrom('0', '1', '2'), fc.nat(99), { minKeys: 1 }),
      }),
      fc.record({ kind: fc.constant('delete' as const), partitions: fc.array(fc.nat(2)) }),
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
          } else if (each.kind === 'delete') {
            const { length } = directory.appended
            const partitions = each.partitions.map((partition) => ({ topic: orders, partition }))
            store.deleteOffsets('g', partitions).catch(() => {})
            waiting += directory.appended.length - length
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
        assert.deepEqual([...store.groups()], [...again.groups()])
      }),
      { numRuns: 200 },
    )
  })
})
