/**
 * OffsetForLeaderEpoch (key 23): versions 0 to 4; Apache Kafka 4 begins at 2. 1: the epoch comes back.
 * 2: the current leader epoch, for fencing. 3: who asks; -2 is a consumer. 4: flexible.
 */
import { array, type Decoded, int16, int32, int64, message, string } from './schema.ts'

export const offsetForLeaderEpochRequest = message({
  name: 'OffsetForLeaderEpochRequest',
  key: 23,
  versions: '0-4',
  flexible: '4+',
  fields: {
    replicaId: int32({ versions: '3+', default: -2 }),
    topics: array('OffsetForLeaderTopic', {
      topic: string(),
      partitions: array('OffsetForLeaderPartition', {
        partition: int32(),
        currentLeaderEpoch: int32({ versions: '2+', default: -1 }),
        leaderEpoch: int32(),
      }),
    }),
  },
})
export type OffsetForLeaderEpochRequest = Decoded<typeof offsetForLeaderEpochRequest>

export const offsetForLeaderEpochResponse = message({
  name: 'OffsetForLeaderEpochResponse',
  key: 23,
  versions: '0-4',
  flexible: '4+',
  fields: {
    throttleTimeMs: int32({ versions: '2+' }),
    topics: array('OffsetForLeaderTopicResult', {
      topic: string(),
      partitions: array('EpochEndOffset', {
        errorCode: int16(),
        partition: int32(),
        leaderEpoch: int32({ versions: '1+', default: -1 }),
        endOffset: int64({ default: -1 }),
      }),
    }),
  },
})
export type OffsetForLeaderEpochResponse = Decoded<typeof offsetForLeaderEpochResponse>
