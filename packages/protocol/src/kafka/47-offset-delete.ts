/** OffsetDelete (key 47): version 0, never flexible (KIP-496). */
import { array, type Decoded, int16, int32, message, string } from './schema.ts'

export const offsetDeleteRequest = message({
  name: 'OffsetDeleteRequest',
  key: 47,
  versions: '0',
  fields: {
    groupId: string(),
    topics: array('OffsetDeleteRequestTopic', {
      name: string(),
      partitions: array('OffsetDeleteRequestPartition', {
        partitionIndex: int32(),
      }),
    }),
  },
})
export type OffsetDeleteRequest = Decoded<typeof offsetDeleteRequest>

export const offsetDeleteResponse = message({
  name: 'OffsetDeleteResponse',
  key: 47,
  versions: '0',
  fields: {
    errorCode: int16(),
    throttleTimeMs: int32(),
    topics: array('OffsetDeleteResponseTopic', {
      name: string(),
      partitions: array('OffsetDeleteResponsePartition', {
        partitionIndex: int32(),
        errorCode: int16(),
      }),
    }),
  },
})
export type OffsetDeleteResponse = Decoded<typeof offsetDeleteResponse>
