/** Committed offsets by the messages of Kafka's clients, and what they and native clients see of each other's. */
import assert from 'node:assert/strict'
import path from 'node:path'
import { suite, test } from 'node:test'
import { setImmediate } from 'node:timers/promises'
import { connect } from '@kaska/client'
import { GroupActiveError, kafka, noTopicId } from '@kaska/protocol'
import { ManualClock } from '../../../sim/manual-clock.ts'
import { createBroker } from '../src/broker.ts'
import type { Disk, DiskFile } from '../src/log/disk.ts'
import { MemoryDisk } from '../src/log/memory-disk.ts'
import { context } from './batches.ts'
import { ServeProcess, temporaryDirectory } from './cli-process.ts'
import { dialKafka, type KafkaTestClient } from './kafka-client.ts'
import { dialKafkaPort } from './kafka-socket.ts'
import { createTopic, type NativeBroker, startNativeBroker } from './native-broker.ts'

const { errorCode } = kafka
const [offsetCommit, offsetFetch, metadata, offsetDelete] = [8, 9, 3, 47]
const [joinGroup, leaveGroup, syncGroup] = [11, 13, 14]

const minute = 60_000
const day = 24 * 60 * minute

interface Target {
  readonly name: string
  readonly id: string
}

function dialBroker(broker: NativeBroker): KafkaTestClient {
  return dialKafka((transport) => broker.kafka.accept(transport))
}

/** What is committed in a partition, unless a test says otherwise. */
const row = {
  partitionIndex: 0,
  committedOffset: 1,
  committedLeaderEpoch: -1,
  committedMetadata: '',
}
/** Somebody who is in no group. */
const nobody = { memberId: '', generationIdOrMemberEpoch: -1 }

function commitRequest(groupId: string, { name, id }: Target, rows: object[], more: object = {}) {
  const partitions = rows.map((each) => ({ ...row, ...each }))
  return { groupId, ...nobody, topics: [{ name, topicId: id, partitions }], ...more }
}

/** Commits, and returns the codes of the rows. */
async function commit(
  client: KafkaTestClient,
  group: string,
  topic: Target,
  rows: object[],
  more: { version?: number } & object = {},
): Promise<number[]> {
  const { version = 9, ...fields } = more
  const request = commitRequest(group, topic, rows, fields)
  const answer = await client.ask(offsetCommit, version, request)
  return answer.topics[0].partitions.map((each: { errorCode: number }) => each.errorCode)
}

/** Asks for what is committed; the rows of the first topic, or of all where none is asked for. */
async function fetch(
  client: KafkaTestClient,
  groupId: string,
  topic: Target | null,
  partitionIndexes: number[] = [0],
  version = 9,
) {
  const topics = topic && [{ name: topic.name, topicId: topic.id, partitionIndexes }]
  const request = version >= 8 ? { groups: [{ groupId, topics }] } : { groupId, topics }
  const answer = await client.ask(offsetFetch, version, request)
  const group = version >= 8 ? answer.groups[0] : answer
  assert.equal(group.errorCode, 0)
  return group.topics
}

async function offsetOf(client: KafkaTestClient, group: string, topic: Target): Promise<number> {
  const [{ partitions }] = await fetch(client, group, topic)
  return partitions[0].committedOffset
}

interface Member {
  readonly memberId: string
  readonly generationIdOrMemberEpoch: number
}

/** A member that subscribes to topic x, in the group of which it is the only one. */
async function join(
  client: KafkaTestClient,
  groupId: string,
  protocolType = 'consumer',
): Promise<Member> {
  // Version 0, the topics ['x'], no user data.
  const wish = Uint8Array.of(0, 0, 0, 0, 0, 1, 0, 1, 0x78, 0xff, 0xff, 0xff, 0xff)
  const joined = await client.ask(joinGroup, 3, {
    groupId,
    // It sends no heartbeats, also while commands run beside it.
    sessionTimeoutMs: 5 * minute,
    rebalanceTimeoutMs: 10_000,
    memberId: '',
    protocolType,
    protocols: [{ name: 'p', metadata: wish }],
  })
  assert.equal(joined.errorCode, 0)
  const { memberId, generationId } = joined
  const assignments = [{ memberId, assignment: new Uint8Array() }]
  const synced = await client.ask(syncGroup, 2, { groupId, generationId, memberId, assignments })
  assert.equal(synced.errorCode, 0)
  return { memberId, generationIdOrMemberEpoch: generationId }
}

/** A disk in memory whose syncs wait while it is held. */
function holdingDisk() {
  let held: (() => void)[] | undefined
  let syncs = 0
  const memory = new MemoryDisk()
  const holding = (file: DiskFile): DiskFile =>
    new Proxy(file, {
      get: (target, name) => {
        const member: unknown = Reflect.get(target, name, target)
        if (typeof member !== 'function') return member
        if (name !== 'sync') return member.bind(target)
        return async () => {
          syncs++
          await target.sync()
          const waiting = held
          if (waiting !== undefined) await new Promise<void>((resolve) => waiting.push(resolve))
        }
      },
    })
  const disk: Disk = new Proxy(memory as Disk, {
    get: (target, name) => {
      const member: unknown = Reflect.get(target, name, target)
      if (name === 'open') {
        return async (...argv: Parameters<Disk['open']>) => holding(await target.open(...argv))
      }
      return typeof member === 'function' ? member.bind(target) : member
    },
  })
  return {
    disk,
    /** Syncs that have begun. */
    get syncs() {
      return syncs
    },
    hold: () => {
      held = []
    },
    release: () => {
      for (const resolve of held ?? []) resolve()
      held = undefined
    },
  }
}

suite("offsets that Kafka's clients commit", () => {
  test('are read back, in all versions of both', async () => {
    await using broker = await startNativeBroker()
    const client = dialBroker(broker)
    const topic = await createTopic(broker, 'x', 3)
    for (let version = 2; version <= 10; version++) {
      const rows = [
        { committedOffset: version, committedLeaderEpoch: 4, committedMetadata: `v${version} é` },
        { partitionIndex: 2, committedOffset: 2 ** 40, committedMetadata: null },
        { partitionIndex: 3 },
      ]
      const codes = await commit(client, `g${version}`, topic, rows, { version })
      assert.deepEqual(codes, [0, 0, errorCode.UNKNOWN_TOPIC_OR_PARTITION])
    }
    const none = { committedOffset: -1, committedLeaderEpoch: -1, metadata: '', errorCode: 0 }
    for (let version = 1; version <= 10; version++) {
      for (let committed = 2; committed <= 10; committed++) {
        const leaderEpoch = version >= 5 && committed >= 6 ? 4 : -1
        const first = { ...none, committedOffset: committed, metadata: `v${committed} é` }
        const third = { ...none, committedOffset: 2 ** 40 }
        const expected = [
          { partitionIndex: 0, ...first, committedLeaderEpoch: leaderEpoch },
          { partitionIndex: 2, ...third },
          { partitionIndex: 1, ...none },
          { partitionIndex: 9, ...none },
        ]
        const group = `g${committed}`
        const [named] = await fetch(client, group, topic, [0, 2, 1, 9], version)
        assert.deepEqual(named.partitions, expected)
        assert.equal(version === 10 ? named.topicId : named.name, version === 10 ? topic.id : 'x')
        if (version < 2) continue
        const all = await fetch(client, group, null, [], version)
        assert.deepEqual(
          all.map((each: { partitions: object[] }) => each.partitions),
          [expected.slice(0, 2)],
        )
      }
    }
  })

  test('are of several groups in one request, of which some have nothing', async () => {
    await using broker = await startNativeBroker()
    const client = dialBroker(broker)
    const topic = await createTopic(broker, 'x')
    await commit(client, 'a', topic, [{ committedOffset: 5 }])
    const topics = [{ name: 'x', partitionIndexes: [0] }]
    const groups = [
      { groupId: 'a', topics: null },
      { groupId: 'nobody', topics: null },
      { groupId: 'nobody', topics, memberId: 'm', memberEpoch: 3 },
      { groupId: 'a', topics: [{ name: 'never', partitionIndexes: [0] }] },
    ]
    const answer = await client.ask(offsetFetch, 9, { groups, requireStable: true })
    const offsets = answer.groups.map((group: { groupId: string; topics: never[] }) => [
      group.groupId,
      ...group.topics.map(({ name, partitions }: { name: string; partitions: never[] }) => [
        name,
        ...partitions.map((each: { committedOffset: number }) => each.committedOffset),
      ]),
    ])
    assert.deepEqual(offsets, [
      ['a', ['x', 5]],
      ['nobody'],
      ['nobody', ['x', -1]],
      ['a', ['never', -1]],
    ])
    const gone = { name: '', id: 'AAAAAAAAAAAAAAAAAAAAAQ' }
    const [unknown] = await fetch(client, 'a', gone, [0], 10)
    assert.equal(unknown.partitions[0].errorCode, errorCode.UNKNOWN_TOPIC_ID)
  })

  test('are refused row by row with the code that Kafka gives', async () => {
    await using broker = await startNativeBroker()
    const client = dialBroker(broker)
    const topic = await createTopic(broker, 'x')
    const unknown = { name: 'y', id: 'AAAAAAAAAAAAAAAAAAAAAQ' }
    const native = await createTopic(broker, 'a name with blanks')
    const stranger = { memberId: 'm', generationIdOrMemberEpoch: 1 }
    const cases: [string, number[], number[]][] = [
      [
        'no such topic',
        await commit(client, 'g', unknown, [{}]),
        [errorCode.UNKNOWN_TOPIC_OR_PARTITION],
      ],
      [
        'a topic for native clients alone',
        await commit(client, 'g', native, [{}]),
        [errorCode.UNKNOWN_TOPIC_OR_PARTITION],
      ],
      [
        'no such id',
        await commit(client, 'g', unknown, [{}, {}], { version: 10 }),
        [errorCode.UNKNOWN_TOPIC_ID, errorCode.UNKNOWN_TOPIC_ID],
      ],
      [
        'too much metadata, and a partition that is not there',
        await commit(client, 'g', topic, [
          { committedMetadata: 'x'.repeat(4097) },
          { partitionIndex: -1 },
          { committedMetadata: 'é'.repeat(4096), committedOffset: 8 },
        ]),
        [errorCode.OFFSET_METADATA_TOO_LARGE, errorCode.UNKNOWN_TOPIC_OR_PARTITION, 0],
      ],
      [
        'a member of no group',
        await commit(client, 'new', topic, [{}], { ...stranger, version: 8 }),
        [errorCode.ILLEGAL_GENERATION],
      ],
      [
        'a member of no group, in a later version',
        await commit(client, 'new', topic, [{}], stranger),
        [errorCode.GROUP_ID_NOT_FOUND],
      ],
      [
        'a member of a group that has offsets alone',
        await commit(client, 'g', topic, [{}], stranger),
        [errorCode.UNKNOWN_MEMBER_ID],
      ],
    ]
    for (const [what, codes, expected] of cases) assert.deepEqual(codes, expected, what)
    assert.equal(await offsetOf(client, 'g', topic), 8)
    assert.equal(await offsetOf(client, 'new', topic), -1)
    // A negative one is what the client makes of it; the last of several counts.
    await commit(client, 'g', topic, [{ committedOffset: 3 }, { committedOffset: -2 }])
    assert.equal(await offsetOf(client, 'g', topic), -2)
  })

  test('are moved by members alone while there are some', async () => {
    await using broker = await startNativeBroker()
    const client = dialBroker(broker)
    const x = await createTopic(broker, 'x')
    const y = await createTopic(broker, 'y')
    const url = `kaska://127.0.0.1:${await broker.listen()}`
    await using other = await connect(url)
    await other.commit('g', 'x', 1)
    const member = await join(client, 'g')
    assert.deepEqual(await commit(client, 'g', x, [{ committedOffset: 7 }], member), [0])
    assert.deepEqual(await commit(client, 'g', y, [{ committedOffset: 9 }], member), [0])
    assert.deepEqual(await commit(client, 'g', x, [{}]), [errorCode.UNKNOWN_MEMBER_ID])
    const late = { ...member, generationIdOrMemberEpoch: 99 }
    assert.deepEqual(await commit(client, 'g', x, [{}], late), [errorCode.ILLEGAL_GENERATION])
    await assert.rejects(other.commit('g', 'x', 2), GroupActiveError)
    assert.equal(await other.committed('g', 'x'), 7)

    const topics = [x, y].map(({ name }) => ({ name, partitions: [{ partitionIndex: 0 }] }))
    const deleted = await client.ask(offsetDelete, 0, { groupId: 'g', topics })
    assert.deepEqual(
      deleted.topics.map((topic: { partitions: { errorCode: number }[] }) => topic.partitions),
      [errorCode.GROUP_SUBSCRIBED_TO_TOPIC, 0].map((code) => [
        { partitionIndex: 0, errorCode: code },
      ]),
    )
    assert.deepEqual([await offsetOf(client, 'g', x), await offsetOf(client, 'g', y)], [7, -1])

    await client.ask(leaveGroup, 1, { groupId: 'g', memberId: member.memberId })
    assert.deepEqual(await commit(client, 'g', x, [{}], member), [errorCode.UNKNOWN_MEMBER_ID])
    await other.commit('g', 'x', 2)
    assert.equal(await offsetOf(client, 'g', x), 2)
  })

  test('are deleted, of groups and topics that allow it', async () => {
    await using broker = await startNativeBroker()
    const client = dialBroker(broker)
    const x = await createTopic(broker, 'x', 2)
    const remove = async (groupId: string, name: string, indexes: number[]) => {
      const partitions = indexes.map((partitionIndex) => ({ partitionIndex }))
      const request = { groupId, topics: [{ name, partitions }] }
      const { errorCode: code, topics } = await client.ask(offsetDelete, 0, request)
      const codes = topics[0]?.partitions.map((each: { errorCode: number }) => each.errorCode)
      return codes ?? code
    }
    await commit(client, 'g', x, [{}, { partitionIndex: 1 }])
    const { UNKNOWN_TOPIC_OR_PARTITION, ...codes } = errorCode
    assert.deepEqual(await remove('g', 'x', [0, 2, 0]), [0, UNKNOWN_TOPIC_OR_PARTITION, 0])
    assert.deepEqual(await remove('g', 'y', [0]), [UNKNOWN_TOPIC_OR_PARTITION])
    assert.equal(await remove('nobody', 'x', [0]), codes.GROUP_ID_NOT_FOUND)
    assert.equal(await remove('', 'x', [0]), codes.INVALID_GROUP_ID)
    const [{ partitions }] = await fetch(client, 'g', x, [0, 1])
    assert.deepEqual(
      partitions.map((each: { committedOffset: number }) => each.committedOffset),
      [-1, 1],
    )
    await join(client, 'workers', 'connect')
    assert.equal(await remove('workers', 'x', [0]), codes.NON_EMPTY_GROUP)
  })

  test('are seen when they are durable, and the answer waits for those before it', async () => {
    const holding = holdingDisk()
    await using broker = await startNativeBroker({ disk: holding.disk, syncMode: 'always' })
    const topic = await createTopic(broker, 'x')
    const [writer, reader] = [dialBroker(broker), dialBroker(broker)]
    await commit(writer, 'g', topic, [{ committedOffset: 1 }])
    holding.hold()
    const settled: string[] = []
    const committing = commit(writer, 'g', topic, [{ committedOffset: 2 }]).then(() => {
      settled.push('committed')
    })
    const fetched = offsetOf(reader, 'g', topic).then((offset) => {
      settled.push(`read ${offset}`)
    })
    // Another group's are not held up by it.
    assert.equal(await offsetOf(dialBroker(broker), 'other', topic), -1)
    assert.deepEqual(settled, [])
    holding.release()
    await Promise.all([committing, fetched])
    assert.deepEqual(settled.sort(), ['committed', 'read 2'])
  })

  test('are committed in the order of the requests, and many that are pipelined need few syncs', async () => {
    const holding = holdingDisk()
    await using broker = await startNativeBroker({ disk: holding.disk, syncMode: 'always' })
    const topic = await createTopic(broker, 'x', 3000)
    const client = dialBroker(broker)
    await commit(client, 'g', topic, [{}])
    holding.hold()
    const before = holding.syncs
    const small = (committedOffset: number) => {
      const request = commitRequest('g', topic, [{ committedOffset, partitionIndex: 2999 }])
      return client.send(offsetCommit, 9, request)
    }
    const large = (committedOffset: number) => {
      const rows = Array.from({ length: 3000 }, (_, partitionIndex) => {
        return { partitionIndex, committedOffset }
      })
      return client.send(offsetCommit, 9, commitRequest('g', topic, rows))
    }
    const sent = [...Array.from({ length: 100 }, (_, offset) => small(offset)), large(100)]
    sent.push(small(101), large(102), large(103), small(104), large(105), small(106))
    // The first ones are under way, and the disk takes its time for them.
    await setImmediate()
    holding.release()
    for (const request of sent) await client.answerTo(request)
    const syncs = holding.syncs - before
    assert.ok(syncs < 30, `${syncs} syncs`)
    const [{ partitions }] = await fetch(client, 'g', topic, [0, 1500, 2999])
    const offsets = partitions.map((each: { committedOffset: number }) => each.committedOffset)
    assert.deepEqual(offsets, [105, 105, 106])
  })

  test('may be very many in one request, which holds nobody up and takes no memory for good', async () => {
    await using broker = await startNativeBroker()
    const client = dialBroker(broker)
    const topics = [await createTopic(broker, 'x', 10_000), await createTopic(broker, 'y', 10_000)]
    const used = broker.budget.used
    const rows = Array.from({ length: 10_000 }, (_, partitionIndex) => ({ ...row, partitionIndex }))
    const partitions = rows.map(({ partitionIndex }) => ({ partitionIndex }))
    const named = topics.map(({ name }) => ({ name, partitions: rows }))
    const committing = client.ask(offsetCommit, 9, { groupId: 'g', ...nobody, topics: named })
    // In the turns that it leaves to others.
    const other = dialBroker(broker)
    let turns = 0
    let isDone = false
    const asking = async () => {
      for (; !isDone; turns++) {
        await other.ask(metadata, 9, { topics: [] })
        await setImmediate()
      }
    }
    const finished = committing.finally(() => {
      isDone = true
    })
    const [committed] = await Promise.all([finished, asking()])
    assert.ok(turns >= 10, `${turns} turns`)
    assert.equal(committed.topics[1].partitions.length, 10_000)
    const all = await fetch(client, 'g', null)
    assert.equal(all[0].partitions.length + all[1].partitions.length, 20_000)
    await client.ask(offsetDelete, 0, {
      groupId: 'g',
      topics: topics.map(({ name }) => ({ name, partitions })),
    })
    assert.deepEqual(await fetch(client, 'g', null), [])
    assert.ok(broker.budget.used <= used, `${broker.budget.used - used} bytes are still counted`)
  })

  test('an answer that is too large for the memory is refused for now', async () => {
    await using broker = await startNativeBroker({ memoryBytesMax: 16 * 1024 * 1024 })
    const client = dialBroker(broker)
    const topic = await createTopic(broker, 'x')
    await commit(client, 'g', topic, [{ committedMetadata: 'é'.repeat(4096) }])
    const used = broker.budget.used
    const partitionIndexes = Array.from({ length: 10_000 }, () => 0)
    const groups = [{ groupId: 'g', topics: [{ name: 'x', partitionIndexes }] }]
    const answer = await client.ask(offsetFetch, 9, { groups })
    assert.equal(answer.groups[0].errorCode, errorCode.COORDINATOR_LOAD_IN_PROGRESS)
    assert.equal(await offsetOf(client, 'g', topic), 1)
    assert.equal(broker.budget.used, used)
  })

  test('endless names fill their share of the memory, and no more', async () => {
    await using broker = await startNativeBroker({ memoryBytesMax: 16 * 1024 * 1024 })
    const client = dialBroker(broker)
    const topic = await createTopic(broker, 'x')
    let codes = [0]
    let names = 0
    for (; codes[0] === 0; names++) {
      const committedMetadata = 'x'.repeat(4096)
      codes = await commit(client, `name-${names}`, topic, [{ committedMetadata }])
    }
    assert.deepEqual(codes, [errorCode.INVALID_COMMIT_OFFSET_SIZE])
    assert.ok(names > 300 && names < 2000)
    assert.ok(broker.budget.used < 8 * 1024 * 1024)
    assert.deepEqual(await commit(client, 'name-0', topic, [{ committedOffset: 2 }]), [0])
  })

  test('expire in the end, if they were not committed natively', async () => {
    const clock = new ManualClock()
    const ask = <T>(asked: Promise<T>) => clock.runUntil(asked, 1000)
    const broker = await ask(startNativeBroker({ clock }))
    const topic = await ask(createTopic(broker, 'x'))
    // A connection that is silent for long is closed: each time another one.
    const offsetNow = (group: string) => ask(offsetOf(dialBroker(broker), group, topic))
    const member = await ask(join(dialBroker(broker), 'left'))
    await ask(commit(dialBroker(broker), 'left', topic, [{}], member))
    await ask(commit(dialBroker(broker), 'simple', topic, [{}]))
    const entry = { topic: topic.id, partition: 0, offset: 3 }
    await ask(broker.engine.commit('native', [entry], context))

    // The first member is silent, and out; another one comes after a day, and goes the same way.
    await clock.advance(day)
    await ask(join(dialBroker(broker), 'left'))
    await clock.advance(6 * day - 1)
    assert.equal(await offsetNow('simple'), 1)
    await clock.advance(day - minute)
    assert.equal(await offsetNow('simple'), -1)
    assert.equal(await offsetNow('left'), 1)
    await clock.advance(12 * minute)
    assert.equal(await offsetNow('left'), -1)
    assert.equal(await offsetNow('native'), 3)
    await clock.runUntil(broker.close(), 1000)
  })
})

suite('offsets of native and of Kafka clients', () => {
  test('are the same', async () => {
    await using broker = await createBroker({ memory: true })
    const { port, url } = await broker.listen({ port: 0 })
    using kafkaClient = dialKafkaPort(port)
    await using client = await connect(url)
    const x = await client.createTopic('x', { partitions: 2 })
    await client.createTopic('a name with blanks')
    await client.commit('g', 'x', 5)
    await client.commit('g', 'a name with blanks', 6)
    assert.equal(await offsetOf(kafkaClient, 'g', x), 5)
    const all = await fetch(kafkaClient, 'g', null)
    assert.deepEqual(
      all.map(({ name }: Target) => name),
      ['x'],
    )
    const rows = [{ committedOffset: 8 }, { committedOffset: -1, partitionIndex: 1 }]
    await commit(kafkaClient, 'g', x, rows, { version: 10 })
    assert.equal(await client.committed('g', 'x'), 8)
    assert.equal(await client.committed('g', 'x', 1), undefined)

    // A topic that is made again begins without any.
    await client.deleteTopic('x')
    const again = await client.createTopic('x')
    assert.equal(await offsetOf(kafkaClient, 'g', again), -1)
    assert.deepEqual(await fetch(kafkaClient, 'g', null), [])
    const [old] = await fetch(kafkaClient, 'g', x, [0], 10)
    assert.equal(old.partitions[0].errorCode, errorCode.UNKNOWN_TOPIC_ID)
  })

  test('are not moved from the command line while consumers are running', async () => {
    await using serve = await ServeProcess.start(['--topic', 'x'])
    using client = dialKafkaPort(serve.port)
    await serve.run(['produce', 'x'], { input: '1\n2\n' })
    const member = await join(client, 'g')
    const topic = { name: 'x', id: noTopicId }
    await commit(client, 'g', topic, [{ committedOffset: 1 }], member)
    const refusal =
      /^kaska: 'g' is a group of Kafka consumers that are running; stop them, or commit under another name\n$/
    const moved = await serve.run(['offset', 'commit', 'g', 'x', '0'])
    assert.equal(moved.code, 1)
    assert.match(moved.stderr, refusal)
    const consumed = await serve.run(['consume', 'x', '--as', 'g', '-e'])
    assert.deepEqual([consumed.code, consumed.stdout], [1, '2\n'])
    assert.match(consumed.stderr, refusal)
    assert.equal((await serve.run(['offset', 'committed', 'g', 'x'])).stdout, '1\n')

    await client.ask(leaveGroup, 1, { groupId: 'g', memberId: member.memberId })
    assert.equal((await serve.run(['offset', 'commit', 'g', 'x', '0'])).code, 0)
    assert.equal(await offsetOf(client, 'g', topic), 0)
  })

  test('are all there after kill -9', async () => {
    await using directory = await temporaryDirectory()
    const argv = ['--data', path.join(directory.path, 'data')]
    const topic = { name: 'x', id: noTopicId }
    const epoch = { committedLeaderEpoch: 2, committedMetadata: 'é'.repeat(4096) }
    {
      await using serve = await ServeProcess.start(argv)
      using client = dialKafkaPort(serve.port)
      const topics = [{ name: 'x', topicId: noTopicId }]
      await client.ask(metadata, 9, { topics, allowAutoTopicCreation: true })
      await commit(client, 'k', topic, [{ committedOffset: 4 }])
      await commit(client, 'k', topic, [{ committedOffset: 5, ...epoch }])
      await commit(client, 'gone', topic, [{ committedOffset: 6 }])
      const partitions = [{ partitionIndex: 0 }]
      await client.ask(offsetDelete, 0, { groupId: 'gone', topics: [{ name: 'x', partitions }] })
      await using native = await connect(serve.url)
      await native.commit('n', 'x', 7)
      serve.child.kill('SIGKILL')
      await client.closed()
    }
    await using serve = await ServeProcess.start(argv)
    using client = dialKafkaPort(serve.port)
    const [{ partitions }] = await fetch(client, 'k', topic)
    const expected = { committedOffset: 5, committedLeaderEpoch: 2, metadata: 'é'.repeat(4096) }
    assert.deepEqual(partitions, [{ partitionIndex: 0, ...expected, errorCode: 0 }])
    assert.equal(await offsetOf(client, 'n', topic), 7)
    assert.equal(await offsetOf(client, 'gone', topic), -1)
  })
})
