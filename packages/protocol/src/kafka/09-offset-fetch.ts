/**
 * OffsetFetch (key 9): versions 1 to 10. 2: null topics mean all; an error for the group. 5: leader
 * epochs. 6: flexible. 7: only stable offsets (KIP-447). 8: several groups in one request, in `groups`
 * and no longer at the top (KIP-709). 9: members (KIP-848). 10: topic ids in the place of names.
 */
import {
  array,
  bool,
  type Decoded,
  int16,
  int32,
  int64,
  list,
  message,
  string,
  uuid,
} from './schema.ts'

export const offsetFetchRequest = message({
  name: 'OffsetFetchRequest',
  key: 9,
  versions: '1-10',
  flexible: '6+',
  fields: {
    groupId: string({ versions: '0-7' }),
    topics: array(
      'OffsetFetchRequestTopic',
      {
        name: string(),
        partitionIndexes: list(int32()),
      },
      { versions: '0-7', nullable: '2-7' },
    ),
    groups: array(
      'OffsetFetchRequestGroup',
      {
        groupId: string(),
        memberId: string({ versions: '9+', nullable: '9+', default: null }),
        memberEpoch: int32({ versions: '9+', default: -1 }),
        topics: array(
          'OffsetFetchRequestTopics',
          {
            name: string({ versions: '8-9' }),
            topicId: uuid({ versions: '10+' }),
            partitionIndexes: list(int32()),
          },
          { nullable: '8+' },
        ),
      },
      { versions: '8+' },
    ),
    requireStable: bool({ versions: '7+' }),
  },
})
export type OffsetFetchRequest = Decoded<typeof offsetFetchRequest>

export const offsetFetchResponse = message({
  name: 'OffsetFetchResponse',
  key: 9,
  versions: '1-10',
  flexible: '6+',
  fields: {
    throttleTimeMs: int32({ versions: '3+' }),
    topics: array(
      'OffsetFetchResponseTopic',
      {
        name: string(),
        partitions: array('OffsetFetchResponsePartition', {
          partitionIndex: int32(),
          committedOffset: int64(),
          committedLeaderEpoch: int32({ versions: '5-7', default: -1 }),
          metadata: string({ nullable: '0-7' }),
          errorCode: int16(),
        }),
      },
      { versions: '0-7' },
    ),
    errorCode: int16({ versions: '2-7' }),
    groups: array(
      'OffsetFetchResponseGroup',
      {
        groupId: string(),
        topics: array('OffsetFetchResponseTopics', {
          name: string({ versions: '8-9' }),
          topicId: uuid({ versions: '10+' }),
          partitions: array('OffsetFetchResponsePartitions', {
            partitionIndex: int32(),
            committedOffset: int64(),
            committedLeaderEpoch: int32({ default: -1 }),
            metadata: string({ nullable: '8+' }),
            errorCode: int16(),
          }),
        }),
        errorCode: int16(),
      },
      { versions: '8+' },
    ),
  },
})
export type OffsetFetchResponse = Decoded<typeof offsetFetchResponse>
