/** Topics changed, and groups looked at and moved, over HTTP. */
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { connect } from '@kaska/client'
import { joinChunks, kafka } from '@kaska/protocol'
import { startHttp } from './http-start.ts'
import type { KafkaTestClient } from './kafka-client.ts'
import { dialKafkaPort } from './kafka-socket.ts'

const [offsetCommit, joinGroup, syncGroup, leaveGroup] = [8, 11, 14, 13]

/** A lone consumer that reads partition 1 of orders. */
async function joinAlone(client: KafkaTestClient, groupId: string) {
  const subscription = { topics: ['orders'], ownedPartitions: [] }
  const type = kafka.consumerProtocolSubscription
  const metadata = joinChunks(kafka.writeVersioned(type, subscription, 1))
  const asked = {
    groupId,
    sessionTimeoutMs: 10_000,
    rebalanceTimeoutMs: 60_000,
    memberId: '',
    protocolType: 'consumer',
    protocols: [{ name: 'range', metadata }],
  }
  const { memberId } = await client.ask(joinGroup, 9, asked)
  const { generationId } = await client.ask(joinGroup, 9, { ...asked, memberId })
  const assigned = { assignedPartitions: [{ topic: 'orders', partitions: [1] }], userData: null }
  const assignment = joinChunks(kafka.writeVersioned(kafka.consumerProtocolAssignment, assigned, 1))
  const chosen = { protocolType: 'consumer', protocolName: 'range' }
  const assignments = [{ memberId, assignment }]
  const member = { groupId, memberId, generationId }
  await client.ask(syncGroup, 5, { ...member, ...chosen, assignments })
  return member
}

interface Bounds {
  readonly startOffset: number
  readonly endOffset: number
}

test('settings are changed, and set back to their defaults', async (context) => {
  const { ask } = await startHttp(context)
  const config = { 'retention.ms': 3_600_000, 'max.message.bytes': '2000' }
  const changed = await ask('PATCH', '/topics/orders', { config })
  assert.equal(changed.status, 200)
  const setting = (answer: typeof changed, name: string) =>
    answer.json.config.find((each: { name: string }) => each.name === name)
  const retention = setting(changed, 'retention.ms')
  assert.equal(retention.value, '3600000')
  assert.equal(retention.isDefault, false)
  assert.equal(retention.defaultValue, '-1')
  assert.equal(retention.type, 'long')
  assert.match(retention.doc, /\w/)
  assert.deepEqual(setting(changed, 'cleanup.policy').words, ['delete'])
  const back = await ask('PATCH', '/topics/orders', { config: { 'retention.ms': null } })
  assert.equal(setting(back, 'retention.ms').isDefault, true)
  assert.equal(setting(back, 'max.message.bytes').value, '2000')
})

test('a topic is given more partitions, and never fewer', async (context) => {
  const { ask } = await startHttp(context)
  assert.equal((await ask('PATCH', '/topics/orders', { partitions: 5 })).json.bounds.length, 5)
  assert.equal((await ask('PATCH', '/topics/orders', { partitions: 5 })).status, 200)
  assert.equal((await ask('PATCH', '/topics/orders', {})).status, 200)
  for (const [body, status] of [
    [{ partitions: 4 }, 400],
    [{ partitions: 10_001 }, 400],
    [{ partitions: '6' }, 400],
    [{ partitions: 6, config: { 'retention.mss': 1 } }, 400],
    [{ config: { 'retention.ms': { a: 1 } } }, 400],
    [{ config: [] }, 400],
    [{ name: 'x' }, 400],
    [[], 400],
  ] as const) {
    assert.equal((await ask('PATCH', '/topics/orders', body)).status, status, JSON.stringify(body))
  }
  assert.equal((await ask('GET', '/topics/orders')).json.partitions, 5, 'none was half done')
  assert.equal((await ask('PATCH', '/topics/nothing', { partitions: 2 })).status, 404)
})

test('messages are deleted: all, those of a partition, those before an offset', async (context) => {
  const { ask, broker } = await startHttp(context)
  await using client = await connect(broker)
  for (const partition of [0, 1]) {
    for (let n = 0; n < 5; n++) await client.send('orders', { value: 'x', partition })
  }
  const before = await ask('POST', '/topics/orders/truncate', { partition: 1, before: 3 })
  const size = before.json.bounds[0].bytes
  assert(size > 5 * 61, `five batches take ${size} bytes`)
  assert.deepEqual(before.json.bounds, [
    { startOffset: 0, endOffset: 5, bytes: size },
    { startOffset: 3, endOffset: 5, bytes: size },
  ])
  assert.equal((await ask('POST', '/topics/orders/truncate', { before: 3 })).status, 400)
  const beyond = await ask('POST', '/topics/orders/truncate', { partition: 1, before: 6 })
  assert.deepEqual([beyond.status, beyond.json.endOffset], [416, 5])
  assert.equal((await ask('POST', '/topics/orders/truncate', { partition: 2 })).status, 404)
  assert.equal((await ask('POST', '/topics/orders/truncate', { befor: 2 })).status, 400)
  const all = await ask('POST', '/topics/orders/truncate', {})
  const last = all.json.bounds.map(({ startOffset, endOffset }: Bounds) => [startOffset, endOffset])
  assert.deepEqual(last, [
    [5, 5],
    [5, 5],
  ])
})

test('groups are listed and described, with how far they are behind', async (context) => {
  const { ask, broker, port } = await startHttp(context)
  await using client = await connect(broker)
  await client.commit('a name', 'orders', 0, 0)
  for (let n = 0; n < 4; n++) await client.send('orders', { value: 'x', partition: 1 })
  using consumer = dialKafkaPort(port)
  const member = await joinAlone(consumer, 'team')
  const commit = { partitionIndex: 1, committedOffset: 4, committedMetadata: 'note' }
  const topics = [{ name: 'orders', partitions: [commit] }]
  await consumer.ask(offsetCommit, 8, {
    groupId: 'team',
    generationIdOrMemberEpoch: member.generationId,
    memberId: member.memberId,
    topics,
  })

  const { groups } = (await ask('GET', '/groups')).json
  assert.deepEqual(
    groups.sort((one: { name: string }, other: { name: string }) =>
      one.name < other.name ? -1 : 1,
    ),
    [
      { name: 'a name', state: 'Empty', protocolType: '', members: 0, topics: ['orders'], lag: 0 },
      {
        name: 'team',
        state: 'Stable',
        protocolType: 'consumer',
        members: 1,
        topics: ['orders'],
        lag: 0,
      },
    ],
  )
  await client.send('orders', { value: 'x', partition: 1, timestamp: Date.now() - 5000 })
  await client.send('orders', { value: 'x', partition: 0, timestamp: Date.now() - 9000 })

  const team = (await ask('GET', '/groups/team')).json
  assert.equal(team.state, 'Stable')
  assert.equal(team.protocol, 'range')
  assert.equal(team.members[0].memberId, member.memberId)
  assert.deepEqual(team.members[0].assignment, [{ topic: 'orders', partitions: [1] }])
  assert.equal(team.offsets.length, 1)
  const [{ lagMs, committedAt, ...row }] = team.offsets
  assert.ok(lagMs >= 5000 && lagMs < 60_000, String(lagMs))
  assert.ok(Math.abs(committedAt - Date.now()) < 60_000)
  assert.deepEqual(row, {
    topic: 'orders',
    partition: 1,
    offset: 4,
    startOffset: 0,
    endOffset: 5,
    lag: 1,
    metadata: 'note',
    isNative: false,
    memberId: member.memberId,
  })

  const named = (await ask('GET', '/groups/a%20name')).json
  assert.deepEqual([named.state, named.members, named.offsets[0].isNative], ['Empty', [], true])
  assert.equal(named.offsets[0].lag, 1)
  const nobody = await ask('GET', '/groups/nobody')
  assert.deepEqual([nobody.status, nobody.json.code], [404, 'UNKNOWN_GROUP'])
})

test('a member that has committed nothing is shown with what it reads', async (context) => {
  const { ask, port } = await startHttp(context)
  using consumer = dialKafkaPort(port)
  const { memberId } = await joinAlone(consumer, 'team')
  const [row] = (await ask('GET', '/groups/team')).json.offsets
  assert.deepEqual(row, {
    topic: 'orders',
    partition: 1,
    offset: null,
    startOffset: 0,
    endOffset: 0,
    lag: null,
    lagMs: null,
    committedAt: null,
    metadata: '',
    isNative: false,
    memberId,
  })
})

test('offsets are moved, tried first, and not under running members', async (context) => {
  const { ask, broker, port } = await startHttp(context)
  await using client = await connect(broker)
  for (let n = 0; n < 4; n++) {
    await client.send('orders', { value: 'x', partition: 1, timestamp: 1000 * n })
  }
  const reset = (group: string, body: object) => ask('POST', `/groups/${group}/reset`, body)
  const move = (partition: number, before: number | null, after: number) => {
    return { topic: 'orders', partition, before, after }
  }
  const tried = await reset('g', { topic: 'orders', to: 'latest', dryRun: true })
  assert.deepEqual(tried.json.offsets, [move(0, null, 0), move(1, null, 4)])
  assert.equal(await client.committed('g', 'orders', 1), undefined)
  await reset('g', { topic: 'orders', to: 'latest' })
  assert.equal(await client.committed('g', 'orders', 1), 4)
  for (const [to, after] of [
    ['earliest', 0],
    [{ offset: 3 }, 3],
    [{ offset: 99 }, 4],
    [{ timestamp: 1500 }, 2],
    [{ timestamp: 9999 }, 4],
  ] as const) {
    const { json } = await reset('g', { topic: 'orders', partition: 1, to })
    assert.equal(json.offsets[0].after, after, JSON.stringify(to))
    assert.equal(await client.committed('g', 'orders', 1), after)
  }
  for (const [body, status] of [
    [{ topic: 'orders' }, 400],
    [{ topic: 'orders', to: 'middle' }, 400],
    [{ topic: 'orders', to: { offset: -1 } }, 400],
    [{ topic: 'orders', to: { offset: 1, timestamp: 1 } }, 400],
    [{ topic: 'orders', to: 'latest', partition: 2 }, 404],
    [{ topic: 'nothing', to: 'latest' }, 404],
    [{ to: 'latest' }, 400],
  ] as const) {
    assert.equal((await reset('g', body)).status, status, JSON.stringify(body))
  }

  using consumer = dialKafkaPort(port)
  const { memberId } = await joinAlone(consumer, 'team')
  const active = await reset('team', { topic: 'orders', to: 'latest' })
  assert.deepEqual([active.status, active.json.code], [409, 'GROUP_ACTIVE'])
  assert.equal((await reset('team', { topic: 'orders', to: 'latest', dryRun: true })).status, 200)
  assert.equal((await ask('DELETE', '/groups/team')).status, 409)
  await consumer.ask(leaveGroup, 5, { groupId: 'team', members: [{ memberId }] })
  assert.equal((await reset('team', { topic: 'orders', to: 'latest' })).status, 200)
  const [row] = (await ask('GET', '/groups/team')).json.offsets
  assert.deepEqual([row.offset, row.isNative], [0, false], 'it expires as its consumers expect')
  assert.equal((await ask('DELETE', '/groups/team')).status, 204)
  assert.equal((await ask('DELETE', '/groups/team')).status, 404)
  assert.equal((await ask('GET', '/groups/team')).status, 404)
})

test('a long list of groups comes in pages', async (context) => {
  const { ask, broker } = await startHttp(context)
  await using client = await connect(broker)
  const commits = Array.from({ length: 1001 }, (_, n) => client.commit(`g${n}`, 'orders', 0, 0))
  await Promise.all(commits)
  const first = (await ask('GET', '/groups')).json
  assert.equal(first.groups.length, 1000)
  const rest = (await ask('GET', `/groups?cursor=${first.next}`)).json
  assert.deepEqual(
    rest.groups.map(({ name }: { name: string }) => name),
    ['g1000'],
  )
  assert.equal(rest.next, undefined)
})
