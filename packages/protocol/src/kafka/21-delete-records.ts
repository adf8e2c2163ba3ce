/**
 * DeleteRecords (key 21): versions 0 to 2. 2: flexible. An offset of -1 is the high watermark.
 */
import { array, type Decoded, int16, int32, int64, message, string } from './schema.ts'

export const deleteRecordsRequest = message({
  name: 'DeleteRecordsRequest',
  key: 21,
  versions: '0-2',
  flexible: '2+',
  fields: {
    topics: array('DeleteRecordsTopic', {
      name: string(),
      partitions: array('DeleteRecordsPartition', {
        partitionIndex: int32(),
        offset: int64(),
      }),
    }),
    timeoutMs: int32(),
  },
})
export type DeleteRecordsRequest = Decoded<typeof deleteRecordsRequest>

export const deleteRecordsResponse = message({
  name: 'DeleteRecordsResponse',
  key: 21,
  versions: '0-2',
  flexible: '2+',
  fields: {
    throttleTimeMs: int32(),
    topics: array('DeleteRecordsTopicResult', {
      name: string(),
      partitions: array('DeleteRecordsPartitionResult', {
        partitionIndex: int32(),
        lowWatermark: int64(),
        errorCode: int16(),
      }),
    }),
  },
})
export type DeleteRecordsResponse = Decoded<typeof deleteRecordsResponse>
