/**
 * ListOffsets (key 2): versions 1 to 11. 2: isolation level. 4: leader epochs. 6: flexible.
 * By version more times have a meaning: -1 latest and -2 earliest from the first; 7: -3, the largest
 * timestamp (KIP-734); 8: -4, the earliest local (KIP-405); 9: -5, the last tiered (KIP-1005);
 * 10: a time limit; 11: -6, the earliest not yet uploaded (KIP-1023).
 */
import { array, type Decoded, int8, int16, int32, int64, message, string } from './schema.ts'

export const listOffsetsRequest = message({
  name: 'ListOffsetsRequest',
  key: 2,
  versions: '1-11',
  flexible: '6+',
  fields: {
    replicaId: int32(),
    isolationLevel: int8({ versions: '2+' }),
    topics: array('ListOffsetsTopic', {
      name: string(),
      partitions: array('ListOffsetsPartition', {
        partitionIndex: int32(),
        currentLeaderEpoch: int32({ versions: '4+', default: -1 }),
        timestamp: int64(),
      }),
    }),
    timeoutMs: int32({ versions: '10+' }),
  },
})
export type ListOffsetsRequest = Decoded<typeof listOffsetsRequest>

export const listOffsetsResponse = message({
  name: 'ListOffsetsResponse',
  key: 2,
  versions: '1-11',
  flexible: '6+',
  fields: {
    throttleTimeMs: int32({ versions: '2+' }),
    topics: array('ListOffsetsTopicResponse', {
      name: string(),
      partitions: array('ListOffsetsPartitionResponse', {
        partitionIndex: int32(),
        errorCode: int16(),
        timestamp: int64({ default: -1 }),
        offset: int64({ default: -1 }),
        leaderEpoch: int32({ versions: '4+', default: -1 }),
      }),
    }),
  },
})
export type ListOffsetsResponse = Decoded<typeof listOffsetsResponse>
