/**
 * CreateTopics (key 19): versions 0 to 7; Apache Kafka 4 begins at 2. 1: validate only; error texts.
 * 4: -1 partitions and replicas mean the broker's defaults (KIP-464). 5: flexible; the configuration
 * comes back (KIP-525). 6: may be throttled by quota. 7: topic ids come back.
 */
import {
  array,
  bool,
  type Decoded,
  int8,
  int16,
  int32,
  list,
  message,
  string,
  uuid,
} from './schema.ts'

export const createTopicsRequest = message({
  name: 'CreateTopicsRequest',
  key: 19,
  versions: '0-7',
  flexible: '5+',
  fields: {
    topics: array('CreatableTopic', {
      name: string(),
      numPartitions: int32(),
      replicationFactor: int16(),
      assignments: array('CreatableReplicaAssignment', {
        partitionIndex: int32(),
        brokerIds: list(int32()),
      }),
      configs: array('CreatableTopicConfig', {
        name: string(),
        value: string({ nullable: '0+' }),
      }),
    }),
    timeoutMs: int32({ default: 60000 }),
    validateOnly: bool({ versions: '1+' }),
  },
})
export type CreateTopicsRequest = Decoded<typeof createTopicsRequest>

export const createTopicsResponse = message({
  name: 'CreateTopicsResponse',
  key: 19,
  versions: '0-7',
  flexible: '5+',
  fields: {
    throttleTimeMs: int32({ versions: '2+' }),
    topics: array('CreatableTopicResult', {
      name: string(),
      topicId: uuid({ versions: '7+' }),
      errorCode: int16(),
      errorMessage: string({ versions: '1+', nullable: '0+' }),
      topicConfigErrorCode: int16({ versions: '5+', tag: 0, tagged: '5+' }),
      numPartitions: int32({ versions: '5+', default: -1 }),
      replicationFactor: int16({ versions: '5+', default: -1 }),
      configs: array(
        'CreatableTopicConfigs',
        {
          name: string(),
          value: string({ nullable: '5+' }),
          readOnly: bool(),
          configSource: int8({ default: -1 }),
          isSensitive: bool(),
        },
        { versions: '5+', nullable: '5+' },
      ),
    }),
  },
})
export type CreateTopicsResponse = Decoded<typeof createTopicsResponse>
