/**
 * ConsumerGroupDescribe (key 69): versions 0 and 1, flexible: the groups of the newer protocol (KIP-848),
 * which DescribeGroups does not know. 1: whether a member speaks the older one (KIP-1099).
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
  struct,
  uuid,
} from './schema.ts'

export const consumerGroupDescribeRequest = message({
  name: 'ConsumerGroupDescribeRequest',
  key: 69,
  versions: '0-1',
  flexible: '0+',
  fields: {
    groupIds: list(string()),
    includeAuthorizedOperations: bool(),
  },
})
export type ConsumerGroupDescribeRequest = Decoded<typeof consumerGroupDescribeRequest>

const assignment = {
  topicPartitions: array('TopicPartitions', {
    topicId: uuid(),
    topicName: string(),
    partitions: list(int32()),
  }),
}

export const consumerGroupDescribeResponse = message({
  name: 'ConsumerGroupDescribeResponse',
  key: 69,
  versions: '0-1',
  flexible: '0+',
  fields: {
    throttleTimeMs: int32(),
    groups: array('DescribedGroup', {
      errorCode: int16(),
      errorMessage: string({ nullable: '0+', default: null }),
      groupId: string(),
      groupState: string(),
      groupEpoch: int32(),
      assignmentEpoch: int32(),
      assignorName: string(),
      members: array('Member', {
        memberId: string(),
        instanceId: string({ nullable: '0+', default: null }),
        rackId: string({ nullable: '0+', default: null }),
        memberEpoch: int32(),
        clientId: string(),
        clientHost: string(),
        subscribedTopicNames: list(string()),
        subscribedTopicRegex: string({ nullable: '0+', default: null }),
        assignment: struct('Assignment', assignment),
        targetAssignment: struct('Assignment', assignment),
        memberType: int8({ versions: '1+', default: -1 }),
      }),
      authorizedOperations: int32({ default: -0x80000000 }),
    }),
  },
})
export type ConsumerGroupDescribeResponse = Decoded<typeof consumerGroupDescribeResponse>
