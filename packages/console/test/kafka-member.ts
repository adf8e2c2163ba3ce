/** A consumer of Kafka's in a group by itself, in a connection of its own. */
import type { TestContext } from 'node:test'
import { joinChunks, kafka } from '@kaska/protocol'
import type { KafkaTestClient } from '../../kaska/test/kafka-client.ts'
import { dialKafkaPort } from '../../kaska/test/kafka-socket.ts'

const [offsetCommit, joinGroup, leaveGroup, syncGroup] = [8, 11, 13, 14]

export interface Assigned {
  readonly topic: string
  readonly partitions: readonly number[]
}

export interface KafkaMember {
  readonly client: KafkaTestClient
  readonly memberId: string
  commit(topic: string, partition: number, offset: number, metadata?: string): Promise<void>
  leave(): Promise<void>
}

export function dialBroker(test: TestContext, url: string, clientId = 'test'): KafkaTestClient {
  const client = dialKafkaPort(Number(new URL(url).port), clientId)
  test.after(() => void client.socket.destroy())
  return client
}

/** Joins, and is assigned what is said. */
export async function joinAlone(
  client: KafkaTestClient,
  groupId: string,
  assignedPartitions: readonly Assigned[],
): Promise<KafkaMember> {
  const topics = assignedPartitions.map(({ topic }) => topic)
  const subscription = { topics, ownedPartitions: [] }
  const metadata = joinChunks(
    kafka.writeVersioned(kafka.consumerProtocolSubscription, subscription, 1),
  )
  const asked = {
    groupId,
    sessionTimeoutMs: 45_000,
    rebalanceTimeoutMs: 60_000,
    memberId: '',
    protocolType: 'consumer',
    protocols: [{ name: 'range', metadata }],
  }
  const { memberId } = await client.ask(joinGroup, 9, asked)
  const { generationId } = await client.ask(joinGroup, 9, { ...asked, memberId })
  const assigned = { assignedPartitions: [...assignedPartitions], userData: null }
  const assignment = joinChunks(kafka.writeVersioned(kafka.consumerProtocolAssignment, assigned, 1))
  const chosen = { protocolType: 'consumer', protocolName: 'range' }
  const member = { groupId, memberId, generationId }
  await client.ask(syncGroup, 5, {
    ...member,
    ...chosen,
    assignments: [{ memberId, assignment }],
  })
  return {
    client,
    memberId,
    async commit(name, partitionIndex, committedOffset, committedMetadata = '') {
      const partitions = [{ partitionIndex, committedOffset, committedMetadata }]
      await client.ask(offsetCommit, 8, {
        groupId,
        memberId,
        generationIdOrMemberEpoch: generationId,
        topics: [{ name, partitions }],
      })
    },
    async leave() {
      await client.ask(leaveGroup, 5, { groupId, members: [{ memberId }] })
    },
  }
}
