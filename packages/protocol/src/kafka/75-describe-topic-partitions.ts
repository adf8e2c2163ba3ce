/** DescribeTopicPartitions (key 75): version 0, flexible: Metadata in pages (KIP-966). */
import {
  array,
  bool,
  type Decoded,
  int16,
  int32,
  list,
  message,
  string,
  struct,
  uuid,
} from './schema.ts'

export const describeTopicPartitionsRequest = message({
  name: 'DescribeTopicPartitionsRequest',
  key: 75,
  versions: '0',
  flexible: '0+',
  fields: {
    topics: array('TopicRequest', {
      name: string(),
    }),
    responsePartitionLimit: int32({ default: 2000 }),
    cursor: struct(
      'Cursor',
      {
        topicName: string(),
        partitionIndex: int32(),
      },
      { nullable: '0+', default: null },
    ),
  },
})
export type DescribeTopicPartitionsRequest = Decoded<typeof describeTopicPartitionsRequest>

export const describeTopicPartitionsResponse = message({
  name: 'DescribeTopicPartitionsResponse',
  key: 75,
  versions: '0',
  flexible: '0+',
  fields: {
    throttleTimeMs: int32(),
    topics: array('DescribeTopicPartitionsResponseTopic', {
      errorCode: int16(),
      name: string({ nullable: '0+' }),
      topicId: uuid(),
      isInternal: bool(),
      partitions: array('DescribeTopicPartitionsResponsePartition', {
        errorCode: int16(),
        partitionIndex: int32(),
        leaderId: int32(),
        leaderEpoch: int32({ default: -1 }),
        replicaNodes: list(int32()),
        isrNodes: list(int32()),
        eligibleLeaderReplicas: list(int32(), { nullable: '0+', default: null }),
        lastKnownElr: list(int32(), { nullable: '0+', default: null }),
        offlineReplicas: list(int32()),
      }),
      topicAuthorizedOperations: int32({ default: -0x80000000 }),
    }),
    nextCursor: struct(
      'Cursor',
      {
        topicName: string(),
        partitionIndex: int32(),
      },
      { nullable: '0+', default: null },
    ),
  },
})
export type DescribeTopicPartitionsResponse = Decoded<typeof describeTopicPartitionsResponse>
