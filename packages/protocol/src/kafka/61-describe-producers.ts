/** DescribeProducers (key 61): version 0, flexible (KIP-664). The producers that a partition knows, from its leader. */
import { array, type Decoded, int16, int32, int64, list, message, string } from './schema.ts'

export const describeProducersRequest = message({
  name: 'DescribeProducersRequest',
  key: 61,
  versions: '0',
  flexible: '0+',
  fields: {
    topics: array('TopicRequest', { name: string(), partitionIndexes: list(int32()) }),
  },
})
export type DescribeProducersRequest = Decoded<typeof describeProducersRequest>

export const describeProducersResponse = message({
  name: 'DescribeProducersResponse',
  key: 61,
  versions: '0',
  flexible: '0+',
  fields: {
    throttleTimeMs: int32(),
    topics: array('TopicResponse', {
      name: string(),
      partitions: array('PartitionResponse', {
        partitionIndex: int32(),
        errorCode: int16(),
        errorMessage: string({ nullable: '0+', default: null }),
        activeProducers: array('ProducerState', {
          producerId: int64(),
          producerEpoch: int32(),
          lastSequence: int32({ default: -1 }),
          lastTimestamp: int64({ default: -1 }),
          coordinatorEpoch: int32(),
          currentTxnStartOffset: int64({ default: -1 }),
        }),
      }),
    }),
  },
})
export type DescribeProducersResponse = Decoded<typeof describeProducersResponse>
