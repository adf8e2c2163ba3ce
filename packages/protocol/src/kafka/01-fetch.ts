/**
 * Fetch (key 1): versions 4 to 18, all that Apache Kafka 4 takes and all that clients since 1.0 send.
 * 5: log start offsets. 7: incremental sessions (KIP-227). 9: the leader epoch, for fencing (KIP-320).
 * 10: zstd may be returned. 11: racks (KIP-392). 12: flexible; diverging epochs. 13: topic ids in the
 * place of names (KIP-516). 15: the follower's state. 16: the new leader comes with an error (KIP-951).
 * 17: directory ids. 18: the follower's high watermark (KIP-1166).
 */
import { currentLeader, nodeEndpoints } from './leader-hints.ts'
import {
  array,
  type Decoded,
  int8,
  int16,
  int32,
  int64,
  list,
  message,
  records,
  string,
  struct,
  uuid,
} from './schema.ts'

export const fetchRequest = message({
  name: 'FetchRequest',
  key: 1,
  versions: '4-18',
  flexible: '12+',
  fields: {
    clusterId: string({ versions: '12+', nullable: '12+', tag: 0, tagged: '12+', default: null }),
    replicaId: int32({ versions: '0-14', default: -1 }),
    replicaState: struct(
      'ReplicaState',
      {
        replicaId: int32({ default: -1 }),
        replicaEpoch: int64({ default: -1 }),
      },
      { versions: '15+', tag: 1, tagged: '15+' },
    ),
    maxWaitMs: int32(),
    minBytes: int32(),
    maxBytes: int32({ default: 0x7fffffff }),
    isolationLevel: int8(),
    sessionId: int32({ versions: '7+' }),
    sessionEpoch: int32({ versions: '7+', default: -1 }),
    topics: array('FetchTopic', {
      topic: string({ versions: '0-12' }),
      topicId: uuid({ versions: '13+' }),
      partitions: array('FetchPartition', {
        partition: int32(),
        currentLeaderEpoch: int32({ versions: '9+', default: -1 }),
        fetchOffset: int64(),
        lastFetchedEpoch: int32({ versions: '12+', default: -1 }),
        logStartOffset: int64({ versions: '5+', default: -1 }),
        partitionMaxBytes: int32(),
        replicaDirectoryId: uuid({ versions: '17+', tag: 0, tagged: '17+' }),
        highWatermark: int64({ versions: '18+', tag: 1, tagged: '18+', default: 2 ** 63 }),
      }),
    }),
    forgottenTopicsData: array(
      'ForgottenTopic',
      {
        topic: string({ versions: '7-12' }),
        topicId: uuid({ versions: '13+' }),
        partitions: list(int32()),
      },
      { versions: '7+' },
    ),
    rackId: string({ versions: '11+' }),
  },
})
export type FetchRequest = Decoded<typeof fetchRequest>

export const fetchResponse = message({
  name: 'FetchResponse',
  key: 1,
  versions: '4-18',
  flexible: '12+',
  fields: {
    throttleTimeMs: int32(),
    errorCode: int16({ versions: '7+' }),
    sessionId: int32({ versions: '7+' }),
    responses: array('FetchableTopicResponse', {
      topic: string({ versions: '0-12' }),
      topicId: uuid({ versions: '13+' }),
      partitions: array('PartitionData', {
        partitionIndex: int32(),
        errorCode: int16(),
        highWatermark: int64(),
        lastStableOffset: int64({ default: -1 }),
        logStartOffset: int64({ versions: '5+', default: -1 }),
        divergingEpoch: struct(
          'EpochEndOffset',
          {
            epoch: int32({ default: -1 }),
            endOffset: int64({ default: -1 }),
          },
          { versions: '12+', tag: 0, tagged: '12+' },
        ),
        currentLeader: currentLeader('12+', 1),
        snapshotId: struct(
          'SnapshotId',
          {
            endOffset: int64({ default: -1 }),
            epoch: int32({ default: -1 }),
          },
          { versions: '12+', tag: 2, tagged: '12+' },
        ),
        abortedTransactions: array(
          'AbortedTransaction',
          {
            producerId: int64(),
            firstOffset: int64(),
          },
          { nullable: '4+' },
        ),
        preferredReadReplica: int32({ versions: '11+', default: -1 }),
        records: records({ nullable: '0+' }),
      }),
    }),
    nodeEndpoints: nodeEndpoints('16+'),
  },
})
export type FetchResponse = Decoded<typeof fetchResponse>
