/** The Kafka APIs that have a schema here, by key. Which of them a broker serves is the broker's affair. */
import { produceRequest, produceResponse } from './00-produce.ts'
import { fetchRequest, fetchResponse } from './01-fetch.ts'
import { listOffsetsRequest, listOffsetsResponse } from './02-list-offsets.ts'
import { metadataRequest, metadataResponse } from './03-metadata.ts'
import { offsetCommitRequest, offsetCommitResponse } from './08-offset-commit.ts'
import { offsetFetchRequest, offsetFetchResponse } from './09-offset-fetch.ts'
import { findCoordinatorRequest, findCoordinatorResponse } from './10-find-coordinator.ts'
import { joinGroupRequest, joinGroupResponse } from './11-join-group.ts'
import { heartbeatRequest, heartbeatResponse } from './12-heartbeat.ts'
import { leaveGroupRequest, leaveGroupResponse } from './13-leave-group.ts'
import { syncGroupRequest, syncGroupResponse } from './14-sync-group.ts'
import { describeGroupsRequest, describeGroupsResponse } from './15-describe-groups.ts'
import { listGroupsRequest, listGroupsResponse } from './16-list-groups.ts'
import { apiVersionsRequest, apiVersionsResponse } from './18-api-versions.ts'
import { createTopicsRequest, createTopicsResponse } from './19-create-topics.ts'
import { deleteTopicsRequest, deleteTopicsResponse } from './20-delete-topics.ts'
import { deleteRecordsRequest, deleteRecordsResponse } from './21-delete-records.ts'
import { initProducerIdRequest, initProducerIdResponse } from './22-init-producer-id.ts'
import {
  offsetForLeaderEpochRequest,
  offsetForLeaderEpochResponse,
} from './23-offset-for-leader-epoch.ts'
import { describeConfigsRequest, describeConfigsResponse } from './32-describe-configs.ts'
import { alterConfigsRequest, alterConfigsResponse } from './33-alter-configs.ts'
import { describeLogDirsRequest, describeLogDirsResponse } from './35-describe-log-dirs.ts'
import { createPartitionsRequest, createPartitionsResponse } from './37-create-partitions.ts'
import { deleteGroupsRequest, deleteGroupsResponse } from './42-delete-groups.ts'
import {
  incrementalAlterConfigsRequest,
  incrementalAlterConfigsResponse,
} from './44-incremental-alter-configs.ts'
import { offsetDeleteRequest, offsetDeleteResponse } from './47-offset-delete.ts'
import { describeClusterRequest, describeClusterResponse } from './60-describe-cluster.ts'
import { describeProducersRequest, describeProducersResponse } from './61-describe-producers.ts'
import {
  consumerGroupDescribeRequest,
  consumerGroupDescribeResponse,
} from './69-consumer-group-describe.ts'
import {
  describeTopicPartitionsRequest,
  describeTopicPartitionsResponse,
} from './75-describe-topic-partitions.ts'
import { consumerProtocolAssignment, consumerProtocolSubscription } from './consumer-protocol.ts'
import type { Fields, Message } from './schema.ts'
import type { VersionRange } from './versions.ts'

export interface Api {
  readonly key: number
  /** As Kafka's tools print it: `Produce`, `ListOffsets`, ... */
  readonly name: string
  /** Those that both messages have. */
  readonly versions: VersionRange
  /** The versions with compact fields and tags, in the headers too (KIP-482). */
  readonly flexible: VersionRange
  readonly request: Message<Fields>
  readonly response: Message<Fields>
}

function api(request: Message<Fields>, response: Message<Fields>): Api {
  const { key, versions, flexible } = request
  return { key, name: request.name.replace(/Request$/, ''), versions, flexible, request, response }
}

const all: readonly Api[] = [
  api(produceRequest, produceResponse),
  api(fetchRequest, fetchResponse),
  api(listOffsetsRequest, listOffsetsResponse),
  api(metadataRequest, metadataResponse),
  api(offsetCommitRequest, offsetCommitResponse),
  api(offsetFetchRequest, offsetFetchResponse),
  api(findCoordinatorRequest, findCoordinatorResponse),
  api(joinGroupRequest, joinGroupResponse),
  api(heartbeatRequest, heartbeatResponse),
  api(leaveGroupRequest, leaveGroupResponse),
  api(syncGroupRequest, syncGroupResponse),
  api(describeGroupsRequest, describeGroupsResponse),
  api(listGroupsRequest, listGroupsResponse),
  api(apiVersionsRequest, apiVersionsResponse),
  api(createTopicsRequest, createTopicsResponse),
  api(deleteTopicsRequest, deleteTopicsResponse),
  api(deleteRecordsRequest, deleteRecordsResponse),
  api(initProducerIdRequest, initProducerIdResponse),
  api(offsetForLeaderEpochRequest, offsetForLeaderEpochResponse),
  api(describeConfigsRequest, describeConfigsResponse),
  api(alterConfigsRequest, alterConfigsResponse),
  api(describeLogDirsRequest, describeLogDirsResponse),
  api(createPartitionsRequest, createPartitionsResponse),
  api(deleteGroupsRequest, deleteGroupsResponse),
  api(incrementalAlterConfigsRequest, incrementalAlterConfigsResponse),
  api(offsetDeleteRequest, offsetDeleteResponse),
  api(describeClusterRequest, describeClusterResponse),
  api(describeProducersRequest, describeProducersResponse),
  api(consumerGroupDescribeRequest, consumerGroupDescribeResponse),
  api(describeTopicPartitionsRequest, describeTopicPartitionsResponse),
]

/** In the order of their keys. */
export const apis: ReadonlyMap<number, Api> = new Map(all.map((one) => [one.key, one]))

/** Every message that has a schema here. */
export const messages: readonly Message<Fields>[] = [
  ...all.flatMap(({ request, response }) => [request, response]),
  consumerProtocolSubscription,
  consumerProtocolAssignment,
]
