/** Consumer groups of Kafka's classic protocol, by the messages that clients send. */
import assert from 'node:assert/strict'
import { suite, test } from 'node:test'
import { createBroker } from '../src/broker.ts'
import { ServeProcess, temporaryDirectory } from './cli-process.ts'
import { dialKafka, type KafkaTestClient } from './kafka-client.ts'
import { dialKafkaPort } from './kafka-socket.ts'
import { startNativeBroker } from './native-broker.ts'

const [findCoordinator, joinGroup, heartbeat, leaveGroup, syncGroup] = [10, 11, 12, 13, 14]
const [describeGroups, listGroups, deleteGroups] = [15, 16, 42]

const bytesOf = (text: string) => new TextEncoder().encode(text)
const textOf = (bytes: Uint8Array) => new TextDecoder().decode(bytes)

const joining = {
  groupId: 'g',
  sessionTimeoutMs: 300_000,
  rebalanceTimeoutMs: 60_000,
  memberId: '',
  protocolType: 'consumer',
  protocols: [{ name: 'range', metadata: bytesOf('wants x') }],
}
const chosen = { protocolType: 'consumer', protocolName: 'range' }

/** Joins as clients do: again with the id that it is given. */
async function join(client: KafkaTestClient, input: object = {}) {
  const asked = { ...joining, ...input }
  const given = await client.ask(joinGroup, 9, asked)
  if (given.errorCode !== 79) return given
  return client.ask(joinGroup, 9, { ...asked, memberId: given.memberId })
}

suite("Kafka's consumer groups", () => {
  test('a lone consumer joins, is assigned what it says, lives and leaves, in all versions', async () => {
    await using broker = await startNativeBroker()
    const client = dialKafka((transport) => broker.kafka.accept(transport))
    for (let version = 0; version <= 9; version++) {
      const at = (max: number) => Math.min(version, max)
      let joined = await client.ask(joinGroup, version, joining)
      if (version >= 4) {
        assert.equal(joined.errorCode, 79)
        joined = await client.ask(joinGroup, version, { ...joining, memberId: joined.memberId })
      }
      assert.equal(joined.errorCode, 0)
      const { memberId, generationId } = joined
      assert.equal(joined.leader, memberId)
      assert.equal(joined.protocolName, 'range')
      assert.equal(textOf(joined.members[0].metadata), 'wants x')
      const who = { groupId: 'g', memberId, generationId }
      const assignments = [{ memberId, assignment: bytesOf('has x') }]
      const synced = await client.ask(syncGroup, at(5), { ...who, ...chosen, assignments })
      assert.deepEqual([synced.errorCode, textOf(synced.assignment)], [0, 'has x'])
      assert.equal((await client.ask(heartbeat, at(4), who)).errorCode, 0)
      const left = await client.ask(leaveGroup, at(5), { ...who, members: [{ memberId }] })
      assert.equal(left.errorCode, 0)
      assert.equal((await client.ask(heartbeat, at(4), who)).errorCode, 25)
    }
    const unsaid = { groupId: 'g', memberId: 'x', generationId: 1 }
    assert.equal((await client.ask(syncGroup, 5, unsaid)).errorCode, 23)
    assert.equal((await client.ask(syncGroup, 4, unsaid)).errorCode, 25)
  })

  test('the coordinator is found, of groups and of transactions', async () => {
    await using broker = await startNativeBroker()
    const client = dialKafka((transport) => broker.kafka.accept(transport))
    for (let version = 0; version <= 6; version++) {
      for (const keyType of [0, 1, 2]) {
        const isBatched = version >= 4
        const keys = isBatched ? { coordinatorKeys: ['a', ''] } : { key: 'a' }
        const answer = await client.ask(findCoordinator, version, { keyType, ...keys })
        const rows = isBatched ? answer.coordinators : [answer]
        for (const { errorCode, nodeId, port } of rows) {
          // Version 0 knows groups only; share groups are not enabled.
          const expected = keyType === 2 && version > 0 ? [42, -1, -1] : [0, 1, 9092]
          assert.deepEqual([errorCode, nodeId, port], expected)
        }
        if (isBatched) assert.deepEqual([rows[0].key, rows[1].key], ['a', ''])
      }
    }
  })

  test('groups are listed, described and deleted', async () => {
    await using broker = await startNativeBroker()
    const [member, admin] = [1, 2].map(() => {
      return dialKafka((transport) => broker.kafka.accept(transport))
    }) as [KafkaTestClient, KafkaTestClient]
    const { memberId, generationId } = await join(member, { groupInstanceId: 'i' })
    const who = { groupId: 'g', memberId, generationId, groupInstanceId: 'i' }
    const assignments = [{ memberId, assignment: bytesOf('has x') }]
    await member.ask(syncGroup, 5, { ...who, ...chosen, assignments })

    const described = async (version: number, group = 'g') => {
      const asked = { groups: [group], includeAuthorizedOperations: version >= 3 }
      const [row] = (await admin.ask(describeGroups, version, asked)).groups
      return row
    }
    for (let version = 0; version <= 6; version++) {
      const { groupState, protocolType, protocolData, members, ...row } = await described(version)
      assert.deepEqual([groupState, protocolType, protocolData], ['Stable', 'consumer', 'range'])
      const [{ memberMetadata, memberAssignment, ...rest }] = members
      assert.deepEqual([textOf(memberMetadata), textOf(memberAssignment)], ['wants x', 'has x'])
      const groupInstanceId = version >= 4 ? 'i' : null
      const clientHost = '/client'
      assert.deepEqual(rest, { memberId, groupInstanceId, clientId: 'test', clientHost })
      assert.equal(row.authorizedOperations, version >= 3 ? 3400 : -0x80000000)
      const none = await described(version, 'none')
      assert.deepEqual([none.errorCode, none.groupState], [version >= 6 ? 69 : 0, 'Dead'])
    }
    const listed = async (version: number, filters: object = {}) => {
      const { groups } = await admin.ask(listGroups, version, filters)
      return groups.map((row: object) => Object.values(row).join(' ').trim())
    }
    for (let version = 0; version <= 3; version++) {
      assert.deepEqual(await listed(version), ['g consumer'])
    }
    assert.deepEqual(await listed(4), ['g consumer Stable'])
    assert.deepEqual(await listed(5), ['g consumer Stable classic'])
    assert.equal(
      (await listed(5, { statesFilter: ['stable'], typesFilter: ['Classic'] })).length,
      1,
    )
    assert.deepEqual(await listed(5, { statesFilter: ['Empty', 'nonsense'] }), [])
    assert.deepEqual(await listed(5, { typesFilter: ['consumer'] }), [])

    const deleted = async (...groupsNames: string[]) => {
      const { results } = await admin.ask(deleteGroups, 2, { groupsNames })
      return results.map(({ errorCode }: { errorCode: number }) => errorCode)
    }
    assert.deepEqual(await deleted('g', 'none', 'g'), [68, 69])
    await member.ask(leaveGroup, 5, { groupId: 'g', members: [{ groupInstanceId: 'i' }] })
    assert.equal((await described(6)).groupState, 'Empty')
    assert.deepEqual(await deleted('g'), [0])
    assert.equal((await described(6)).errorCode, 69)
    assert.deepEqual(await listed(5), [])
  })

  test('members go on in their generation when the broker starts again', async () => {
    await using directory = await temporaryDirectory()
    // So long that its chunks are freed when the request is answered.
    const metadata = bytesOf('wants x, '.repeat(30_000))
    const protocols = [{ name: 'range', metadata }]
    const part = 'has x, '.repeat(30_000)
    let a = { memberId: '', generationId: -1 }
    let b = { memberId: '', generationId: -1 }
    {
      await using broker = await createBroker({ data: directory.path })
      const { port } = await broker.listen({ port: 0 })
      using one = dialKafkaPort(port)
      using other = dialKafkaPort(port)
      a = await join(one, { protocols })
      const waiting = join(other, { protocols })
      await one.ask(heartbeat, 4, { groupId: 'g', ...a })
      const stateOf = async () => {
        const { groups } = await one.ask(describeGroups, 5, { groups: ['g'] })
        return groups[0].groupState
      }
      while ((await stateOf()) !== 'PreparingRebalance');
      a = await join(one, { protocols, memberId: a.memberId })
      b = await waiting
      assert.equal(b.generationId, a.generationId)
      const sync = (who: object, assignments: object[]) => {
        return { groupId: 'g', ...who, ...chosen, assignments }
      }
      const following = other.ask(syncGroup, 5, sync(b, []))
      const parts = [{ memberId: b.memberId, assignment: bytesOf(part) }]
      const led = await one.ask(syncGroup, 5, sync(a, parts))
      assert.equal(led.assignment.length, 0)
      assert.equal(textOf((await following).assignment), part)
      // Another one is joining when the broker ends.
      using third = dialKafkaPort(port)
      const late = third.ask(joinGroup, 3, { ...joining, protocols })
      while ((await stateOf()) !== 'PreparingRebalance');
      const closed = broker.close()
      assert.equal((await late).errorCode, 16)
      await closed
    }
    await using broker = await createBroker({ data: directory.path })
    const { port } = await broker.listen({ port: 0 })
    using one = dialKafkaPort(port)
    for (const who of [a, b]) {
      assert.equal((await one.ask(heartbeat, 4, { groupId: 'g', ...who })).errorCode, 0)
    }
    const synced = await one.ask(syncGroup, 5, { groupId: 'g', ...b, ...chosen })
    assert.equal(textOf(synced.assignment), part)
    const { groups } = await one.ask(describeGroups, 5, { groups: ['g'] })
    assert.equal(groups[0].groupState, 'Stable')
    for (const { memberMetadata } of groups[0].members) {
      assert.deepEqual(Buffer.from(memberMetadata), Buffer.from(metadata))
    }
  })

  test('what a member was told is so after kill -9 too', async () => {
    await using directory = await temporaryDirectory()
    let member = { memberId: '', generationId: 0 }
    for (let round = 1; round <= 4; round++) {
      await using broker = await ServeProcess.start(['--data', directory.path])
      using client = dialKafkaPort(broker.port)
      const who = { groupId: 'g', groupInstanceId: 'i', ...chosen }
      if (round > 1) {
        assert.equal((await client.ask(heartbeat, 4, { ...who, ...member })).errorCode, 0)
        const { generationId } = member
        member = await join(client, { groupInstanceId: 'i' })
        assert.equal(member.generationId, generationId, 'it goes on where it was')
        const kept = await client.ask(syncGroup, 5, { ...who, ...member })
        assert.equal(textOf(kept.assignment), `round ${round - 1}`)
      }
      // As the leader it begins the next generation.
      const { memberId } = member
      member = await join(client, { groupInstanceId: 'i', memberId })
      assert.equal(member.generationId, round)
      const assignment = bytesOf(`round ${round}`)
      const assignments = [{ memberId: member.memberId, assignment }]
      const synced = await client.ask(syncGroup, 5, { ...who, ...member, assignments })
      assert.equal(synced.errorCode, 0)
      await broker.stop('SIGKILL')
    }
  })

  test('clients that are refused again and again do not fill the log', async () => {
    const reports: string[] = []
    const report = (line: string) => void reports.push(line)
    await using broker = await createBroker({ memory: true, memoryBytesMax: 2 ** 24, report })
    const { port } = await broker.listen({ port: 0 })
    using client = dialKafkaPort(port)
    // Groups may take an eighth of the memory, two MiB.
    const protocols = [{ name: 'range', metadata: new Uint8Array(60_000) }]
    const codes: number[] = []
    for (let index = 0; index < 100; index++) {
      const asked = { ...joining, groupId: `g${index}`, protocols }
      codes.push((await client.ask(joinGroup, 3, asked)).errorCode)
    }
    assert.deepEqual([codes[0], codes[50], codes[99]], [0, 15, 15])
    assert.equal(reports.length, 20)
    assert.match(reports[0] ?? '', /the members of all groups take \d+ bytes/)
  })

  test('a member that is gone while it joins is not waited for', async () => {
    await using broker = await createBroker({ memory: true })
    const { port } = await broker.listen({ port: 0 })
    using one = dialKafkaPort(port)
    const first = await join(one)
    {
      using gone = dialKafkaPort(port)
      gone.send(joinGroup, 3, joining)
      const asked = { groupId: 'g', ...first }
      while ((await one.ask(heartbeat, 4, asked)).errorCode !== 27);
    }
    const members = async () => {
      return (await one.ask(describeGroups, 5, { groups: ['g'] })).groups[0].members.length
    }
    while ((await members()) === 2);
    const again = await join(one, { memberId: first.memberId })
    assert.deepEqual([again.errorCode, again.members.length], [0, 1])
  })
})
