/**
 * OffsetCommit (key 8): versions 2 to 10. 2 to 4 carry a retention time (-1: as the broker has it).
 * 6: leader epochs. 7: static members (KIP-345). 8: flexible. 9: the epoch of a member of the newer
 * group protocol in the generation's place (KIP-848). 10: topic ids in the place of names.
 */
import { array, type Decoded, int16, int32, int64, message, string, uuid } from './schema.ts'

export const offsetCommitRequest = message({
  name: 'OffsetCommitRequest',
  key: 8,
  versions: '2-10',
  flexible: '8+',
  fields: {
    groupId: string(),
    generationIdOrMemberEpoch: int32({ default: -1 }),
    memberId: string(),
    groupInstanceId: string({ versions: '7+', nullable: '7+', default: null }),
    retentionTimeMs: int64({ versions: '2-4', default: -1 }),
    topics: array('OffsetCommitRequestTopic', {
      name: string({ versions: '0-9' }),
      topicId: uuid({ versions: '10+' }),
      partitions: array('OffsetCommitRequestPartition', {
        partitionIndex: int32(),
        committedOffset: int64(),
        committedLeaderEpoch: int32({ versions: '6+', default: -1 }),
        committedMetadata: string({ nullable: '0+' }),
      }),
    }),
  },
})
export type OffsetCommitRequest = Decoded<typeof offsetCommitRequest>

export const offsetCommitResponse = message({
  name: 'OffsetCommitResponse',
  key: 8,
  versions: '2-10',
  flexible: '8+',
  fields: {
    throttleTimeMs: int32({ versions: '3+' }),
    topics: array('OffsetCommitResponseTopic', {
      name: string({ versions: '0-9' }),
      topicId: uuid({ versions: '10+' }),
      partitions: array('OffsetCommitResponsePartition', {
        partitionIndex: int32(),
        errorCode: int16(),
      }),
    }),
  },
})
export type OffsetCommitResponse = Decoded<typeof offsetCommitResponse>
