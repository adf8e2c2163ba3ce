/** One Fetch request (KIP-74, KIP-227 without sessions, KIP-516) for parts of any polls, and its answer. */
import { type Chunks, kafka, UnsupportedVersionError } from '@kaska/protocol'
import type { BrokerConnection } from './broker-connection.ts'
import type { FetchPart, PartitionAnswer } from './fetch-part.ts'
import { errorOfCode, isMoved, Moved } from './kafka-errors.ts'

export interface FetchedPart {
  readonly part: FetchPart
  readonly bytesMax: number
}

/** The first version with topic ids: a successor of a topic is never taken for it. */
const fetchVersionMin = 13
/** What was aborted is never read (KIP-98). */
const readCommitted = 1

/**
 * By `placeOf` the part; what the broker did not answer for is missing. The broker fills the answer in the
 * order of the parts; `received` is that of `BrokerConnection.request`. Rejects with Moved, ConnectionError
 * and whatever else ends a request.
 */
export async function fetchParts(
  connection: BrokerConnection,
  parts: readonly FetchedPart[],
  waitMs: number,
  bytesMax: number,
  received: (answer: Chunks) => void,
): Promise<ReadonlyMap<string, PartitionAnswer>> {
  const version = connection.versionOf(kafka.fetchRequest)
  if (version < fetchVersionMin) {
    throw new UnsupportedVersionError(
      `the broker at ${connection.address} knows no topic ids: Apache Kafka 3.1 is the first that does`,
    )
  }
  const input = {
    maxWaitMs: waitMs,
    minBytes: 1,
    maxBytes: bytesMax,
    isolationLevel: readCommitted,
    sessionEpoch: -1,
    topics: topicsOf(parts),
  }
  const { errorCode, responses } = await connection.request(
    kafka.fetchRequest,
    kafka.fetchResponse,
    input,
    { waitMs, received },
  )
  if (errorCode !== 0) {
    const error = errorOfCode(errorCode, 'a fetch failed')
    throw isMoved(errorCode) ? new Moved(error) : error
  }
  const answers = new Map<string, PartitionAnswer>()
  for (const { topicId, partitions } of responses) {
    for (const answer of partitions) {
      answers.set(placeOf({ topic: topicId, partition: answer.partitionIndex }), answer)
    }
  }
  return answers
}

/** A partition, wherever one reads it. */
export function placeOf({ topic, partition }: Pick<FetchPart, 'topic' | 'partition'>): string {
  return `${topic} ${partition}`
}

/** A topic comes as often as parts of others lie between its own: the order is that of the parts. */
function topicsOf(parts: readonly FetchedPart[]) {
  const topics: { topicId: string; partitions: ReturnType<typeof partitionOf>[] }[] = []
  for (const one of parts) {
    const last = topics.at(-1)
    if (last?.topicId === one.part.topic) last.partitions.push(partitionOf(one))
    else topics.push({ topicId: one.part.topic, partitions: [partitionOf(one)] })
  }
  return topics
}

function partitionOf({ part, bytesMax }: FetchedPart) {
  return {
    partition: part.partition,
    currentLeaderEpoch: part.leaderEpoch,
    fetchOffset: part.offset,
    lastFetchedEpoch: part.lastEpoch,
    partitionMaxBytes: bytesMax,
  }
}
