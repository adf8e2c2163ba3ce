/** Asks the leader of a partition whether it knows a producer (KIP-664). */
import { ConnectionError, kafka, type ProducerIdentity, UnknownTopicError } from '@kaska/protocol'
import type { Cluster, KnownTopic } from './cluster.ts'
import { errorOfCode, isMoved } from './kafka-errors.ts'

interface Where {
  readonly topic: string
  readonly partition: number
}

/**
 * In whatever epoch. Rejects with ConnectionError where that may be told later; with UnknownTopicError,
 * NotAuthorizedError, UnsupportedVersionError.
 */
export async function isProducerKnown(
  cluster: Cluster,
  { topic, partition }: Where,
  { producerId }: ProducerIdentity,
): Promise<boolean> {
  const known = cluster.topics.get(topic)
  const producers =
    (known && (await describeProducers(cluster, known, partition).catch(orMoved))) ??
    (await describeProducers(cluster, await cluster.refresh(topic), partition))
  return producers.some((one) => one.producerId === producerId)
}

async function describeProducers(
  cluster: Cluster,
  topic: KnownTopic | undefined,
  partition: number,
) {
  if (topic === undefined) throw new UnknownTopicError('the topic is gone')
  const leader = topic.leaders[partition]?.leader ?? -1
  if (leader < 0) throw new ConnectionError('nobody leads the partition')
  const connection = await cluster.connection(leader, 'look-up')
  const { topics } = await connection.request(
    kafka.describeProducersRequest,
    kafka.describeProducersResponse,
    { topics: [{ name: topic.name, partitionIndexes: [partition] }] },
  )
  const [answer] = topics[0]?.partitions ?? []
  if (answer === undefined || isMoved(answer.errorCode)) {
    throw new ConnectionError('the leader has moved')
  }
  if (answer.errorCode !== 0) throw errorOfCode(answer.errorCode, topic.name, answer.errorMessage)
  return answer.activeProducers
}

/** Undefined where another leader may know. */
function orMoved(error: unknown): undefined {
  if (!(error instanceof ConnectionError)) throw error
}
