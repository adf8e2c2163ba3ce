/** Consumer groups of Kafka's classic protocol, by the messages that clients send. */
import assert from 'node:assert/strict'
import { suite, test } from 'node:test'
import { dialKafka } from './kafka-client.ts'
import { startNativeBroker } from './native-broker.ts'

const [findCoordinator, joinGroup, heartbeat, leaveGroup, syncGroup] = [10, 11, 12, 13, 14]

const text = (value: string) => new TextEncoder().encode(value)

const joining = {
  groupId: 'g',
  sessionTimeoutMs: 10_000,
  rebalanceTimeoutMs: 60_000,
  memberId: '',
  protocolType: 'consumer',
  protocols: [{ name: 'range', metadata: text('wants x') }],
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
      assert.deepEqual(Buffer.from(joined.members[0].metadata), Buffer.from('wants x'))
      const protocol = { protocolType: 'consumer', protocolName: 'range' }
      const who = { groupId: 'g', memberId, generationId, ...protocol }
      const assignments = [{ memberId, assignment: text('has x') }]
      const synced = await client.ask(syncGroup, at(5), { ...who, assignments })
      assert.deepEqual([synced.errorCode, Buffer.from(synced.assignment).toString()], [0, 'has x'])
      assert.equal((await client.ask(heartbeat, at(4), who)).errorCode, 0)
      const left = await client.ask(leaveGroup, at(5), { ...who, members: [{ memberId }] })
      assert.equal(left.errorCode, 0)
      assert.equal((await client.ask(heartbeat, at(4), who)).errorCode, 25)
    }
  })

  test('the coordinator is found', async () => {
    await using broker = await startNativeBroker()
    const client = dialKafka((transport) => broker.kafka.accept(transport))
    const one = await client.ask(findCoordinator, 2, { key: 'g', keyType: 0 })
    assert.deepEqual([one.errorCode, one.nodeId, one.port], [0, 1, 9092])
    const many = await client.ask(findCoordinator, 6, { keyType: 1, coordinatorKeys: ['a', 'b'] })
    assert.deepEqual(
      many.coordinators.map((row: { key: string; errorCode: number }) => [row.key, row.errorCode]),
      [
        ['a', 0],
        ['b', 0],
      ],
    )
  })
})
