/**
 * DescribeCluster (key 60): versions 0 to 2, flexible from the first (KIP-700). 1: brokers or
 * controllers (KIP-919). 2: fenced brokers (KIP-1073).
 */
import { array, bool, type Decoded, int8, int16, int32, message, string } from './schema.ts'

export const describeClusterRequest = message({
  name: 'DescribeClusterRequest',
  key: 60,
  versions: '0-2',
  flexible: '0+',
  fields: {
    includeClusterAuthorizedOperations: bool(),
    endpointType: int8({ versions: '1+', default: 1 }),
    includeFencedBrokers: bool({ versions: '2+' }),
  },
})
export type DescribeClusterRequest = Decoded<typeof describeClusterRequest>

export const describeClusterResponse = message({
  name: 'DescribeClusterResponse',
  key: 60,
  versions: '0-2',
  flexible: '0+',
  fields: {
    throttleTimeMs: int32(),
    errorCode: int16(),
    errorMessage: string({ nullable: '0+', default: null }),
    endpointType: int8({ versions: '1+', default: 1 }),
    clusterId: string(),
    controllerId: int32({ default: -1 }),
    brokers: array('DescribeClusterBroker', {
      brokerId: int32(),
      host: string(),
      port: int32(),
      rack: string({ nullable: '0+', default: null }),
      isFenced: bool({ versions: '2+' }),
    }),
    clusterAuthorizedOperations: int32({ default: -0x80000000 }),
  },
})
export type DescribeClusterResponse = Decoded<typeof describeClusterResponse>
