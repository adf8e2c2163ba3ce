/**
 * Fetch (key 1), versions 4 to 18: batches as they are stored, header included, as views from the tail
 * or the disk to the socket (contract 11). Waits for `minBytes` at most `maxWaitMs`; the first batch of
 * all is sent whatever its size. What is read is under the high watermark, which is the last stable
 * offset too. From version 12 on a reader is told where the log parts from what it has seen.
 *
 * No session is made: the answer's session id is 0, and clients send all their partitions each time.
 */
import { type Chunks, kafka, type TopicInfo } from '@kaska/protocol'
import { handler, type KafkaContext } from './handler.ts'
import { codeOf, leaderEpochCode } from './kafka-error.ts'
import type { StoredReadPart, StoredReadPartResult } from './kafka-store.ts'
import { findTopic } from './topics.ts'

const { errorCode } = kafka

type TopicRow = kafka.FetchResponse['responses'][number]
type ReadRow = TopicRow['partitions'][number]
type Row = { -readonly [K in keyof ReadRow]: ReadRow[K] }
type WantedTopic = kafka.FetchRequest['topics'][number]
type WantedPartition = WantedTopic['partitions'][number]

const topicIdVersionMin = 13
const finalEpoch = -1
const noRecords: Chunks = []

export const fetch = handler({
  key: 1,
  versions: '4-18',
  request: kafka.fetchRequest,
  response: kafka.fetchResponse,
  handle: async (context, request, version) => {
    const { limits, store } = context.broker
    // Nobody has a session: who claims one starts over.
    if (request.sessionId !== 0 && request.sessionEpoch !== finalEpoch) {
      return { errorCode: errorCode.FETCH_SESSION_ID_NOT_FOUND }
    }
    const parts: StoredReadPart[] = []
    const fills: ((result: StoredReadPartResult) => void)[] = []
    let hasFailed = false
    const responses = request.topics.map((wanted): TopicRow => {
      const id = version >= topicIdVersionMin ? wanted.topicId : undefined
      const topic = findTopic(context, { name: wanted.topic, id })
      const partitions = wanted.partitions.map((partition): Row => {
        const row = emptyRow(partition.partition)
        const code = refuse(context, topic, partition, version)
        if (code !== errorCode.NONE || topic === undefined) {
          row.errorCode = code
          hasFailed = true
          return row
        }
        parts.push(partOf(topic, partition))
        fills.push((result) => fill(row, result))
        return row
      })
      return { topic: wanted.topic, topicId: wanted.topicId, partitions }
    })
    const result = await store.readStored(
      {
        parts,
        // Kafka waits neither for nothing nor with an error in its hands.
        waitMs:
          hasFailed || parts.length === 0 ? 0 : clamp(request.maxWaitMs, limits.fetchWaitMsMax),
        bytesMin: clamp(request.minBytes, limits.fetchBytesMax),
        bytesMax: clamp(request.maxBytes, limits.fetchBytesMax),
      },
      { ...context.request, signal: context.signal },
    )
    context.afterSent(() => result.release())
    for (const [index, part] of result.parts.entries()) fills[index]?.(part)
    return { responses }
  },
})

function clamp(value: number, max: number): number {
  return Math.max(0, Math.min(value, max))
}

function refuse(
  { broker }: KafkaContext,
  topic: TopicInfo | undefined,
  { partition, currentLeaderEpoch }: WantedPartition,
  version: number,
): number {
  if (topic === undefined) {
    return version >= topicIdVersionMin
      ? errorCode.UNKNOWN_TOPIC_ID
      : errorCode.UNKNOWN_TOPIC_OR_PARTITION
  }
  if (partition < 0 || partition >= topic.partitions) return errorCode.UNKNOWN_TOPIC_OR_PARTITION
  return leaderEpochCode(currentLeaderEpoch, broker.identity.leaderEpoch)
}

function partOf({ id }: TopicInfo, wanted: WantedPartition): StoredReadPart {
  const { partition, fetchOffset, partitionMaxBytes, lastFetchedEpoch } = wanted
  return {
    topic: id,
    partition,
    offset: fetchOffset,
    bytesMax: Math.max(0, partitionMaxBytes),
    ...(lastFetchedEpoch < 0 ? {} : { lastEpoch: lastFetchedEpoch }),
  }
}

function emptyRow(partitionIndex: number): Row {
  return {
    partitionIndex,
    errorCode: errorCode.NONE,
    highWatermark: -1,
    lastStableOffset: -1,
    logStartOffset: -1,
    divergingEpoch: { epoch: -1, endOffset: -1 },
    currentLeader: { leaderId: -1, leaderEpoch: -1 },
    snapshotId: { endOffset: -1, epoch: -1 },
    abortedTransactions: null,
    preferredReadReplica: -1,
    records: noRecords,
  }
}

function fill(
  row: Row,
  { error, diverging, batches, startOffset, endOffset }: StoredReadPartResult,
) {
  if (error !== undefined) {
    row.errorCode = codeOf(error)
    return
  }
  row.highWatermark = endOffset
  row.lastStableOffset = endOffset
  row.logStartOffset = startOffset
  if (diverging !== undefined) row.divergingEpoch = { ...diverging }
  if (batches.length === 0) return
  const views: Uint8Array[] = []
  for (const { headerBytes, records } of batches) {
    views.push(headerBytes)
    for (const view of records) views.push(view)
  }
  row.records = views
}
