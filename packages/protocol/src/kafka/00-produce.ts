/**
 * Produce (key 0): versions 3 to 13, all that Apache Kafka 4 takes and all that clients since 1.0 send.
 * 7: zstd may be used. 8: errors by record, and a text. 9: flexible. 10: the new leader comes with an
 * error (KIP-951). 11, 12: transactions by KIP-890. 13: topic ids in the place of names (KIP-516).
 * Kafka lists 0 to 13 in ApiVersions all the same: older librdkafka looks there for what it may do.
 */
import { currentLeader, nodeEndpoints } from './leader-hints.ts'
import {
  array,
  type Decoded,
  int16,
  int32,
  int64,
  message,
  records,
  string,
  uuid,
} from './schema.ts'

export const produceRequest = message({
  name: 'ProduceRequest',
  key: 0,
  versions: '3-13',
  flexible: '9+',
  fields: {
    transactionalId: string({ nullable: '3+', default: null }),
    acks: int16(),
    timeoutMs: int32(),
    topicData: array('TopicProduceData', {
      name: string({ versions: '0-12' }),
      topicId: uuid({ versions: '13+' }),
      partitionData: array('PartitionProduceData', {
        index: int32(),
        records: records({ nullable: '0+' }),
      }),
    }),
  },
})
export type ProduceRequest = Decoded<typeof produceRequest>

export const produceResponse = message({
  name: 'ProduceResponse',
  key: 0,
  versions: '3-13',
  flexible: '9+',
  fields: {
    responses: array('TopicProduceResponse', {
      name: string({ versions: '0-12' }),
      topicId: uuid({ versions: '13+' }),
      partitionResponses: array('PartitionProduceResponse', {
        index: int32(),
        errorCode: int16(),
        baseOffset: int64(),
        logAppendTimeMs: int64({ default: -1 }),
        logStartOffset: int64({ versions: '5+', default: -1 }),
        recordErrors: array(
          'BatchIndexAndErrorMessage',
          {
            batchIndex: int32(),
            batchIndexErrorMessage: string({ nullable: '8+', default: null }),
          },
          { versions: '8+' },
        ),
        errorMessage: string({ versions: '8+', nullable: '8+', default: null }),
        currentLeader: currentLeader('10+', 0),
      }),
    }),
    throttleTimeMs: int32(),
    nodeEndpoints: nodeEndpoints('10+'),
  },
})
export type ProduceResponse = Decoded<typeof produceResponse>
