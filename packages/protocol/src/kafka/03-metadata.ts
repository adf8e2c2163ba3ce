/**
 * Metadata (key 3): versions 0 to 13. Topics: in version 0 an empty array means all of them; from 1 on
 * null means all and an empty one none. 1: racks, controller, internal topics. 2: cluster id.
 * 4: whether topics may be created. 5: offline replicas. 7: leader epochs. 8: authorized operations.
 * 9: flexible. 10: topic ids in the answer, 12: in the request too. 11: the operations on the cluster
 * moved to DescribeCluster. 13: an error for all of it.
 */
import { array, bool, type Decoded, int16, int32, list, message, string, uuid } from './schema.ts'

export const metadataRequest = message({
  name: 'MetadataRequest',
  key: 3,
  versions: '0-13',
  flexible: '9+',
  fields: {
    topics: array(
      'MetadataRequestTopic',
      {
        topicId: uuid({ versions: '10+' }),
        name: string({ nullable: '10+' }),
      },
      { nullable: '1+' },
    ),
    allowAutoTopicCreation: bool({ versions: '4+', default: true }),
    includeClusterAuthorizedOperations: bool({ versions: '8-10' }),
    includeTopicAuthorizedOperations: bool({ versions: '8+' }),
  },
})
export type MetadataRequest = Decoded<typeof metadataRequest>

export const metadataResponse = message({
  name: 'MetadataResponse',
  key: 3,
  versions: '0-13',
  flexible: '9+',
  fields: {
    throttleTimeMs: int32({ versions: '3+' }),
    brokers: array('MetadataResponseBroker', {
      nodeId: int32(),
      host: string(),
      port: int32(),
      rack: string({ versions: '1+', nullable: '1+', default: null }),
    }),
    clusterId: string({ versions: '2+', nullable: '2+', default: null }),
    controllerId: int32({ versions: '1+', default: -1 }),
    topics: array('MetadataResponseTopic', {
      errorCode: int16(),
      name: string({ nullable: '12+' }),
      topicId: uuid({ versions: '10+' }),
      isInternal: bool({ versions: '1+' }),
      partitions: array('MetadataResponsePartition', {
        errorCode: int16(),
        partitionIndex: int32(),
        leaderId: int32(),
        leaderEpoch: int32({ versions: '7+', default: -1 }),
        replicaNodes: list(int32()),
        isrNodes: list(int32()),
        offlineReplicas: list(int32(), { versions: '5+' }),
      }),
      topicAuthorizedOperations: int32({ versions: '8+', default: -0x80000000 }),
    }),
    clusterAuthorizedOperations: int32({ versions: '8-10', default: -0x80000000 }),
    errorCode: int16({ versions: '13+' }),
  },
})
export type MetadataResponse = Decoded<typeof metadataResponse>
