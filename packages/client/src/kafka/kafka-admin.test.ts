import assert from 'node:assert/strict'
import { test } from 'node:test'
import {
  KaskaError,
  kafka,
  NotAuthorizedError,
  type RequestContext,
  UnknownTopicError,
  UnsupportedVersionError,
} from '@kaska/protocol'
import {
  type Answers,
  coordinator,
  ids,
  metadata,
  scriptedKafka,
} from '../../test/scripted-kafka.ts'
import { createNodeHost } from '../host/node-host.ts'
import type { AdminSeams } from './admin-types.ts'
import { Cluster } from './cluster.ts'
import { KafkaAdmin } from './kafka-admin.ts'

const context: RequestContext = { principal: null, clientId: '', address: 'test' }
const { errorCode } = kafka

function clusterOf(answers: Answers) {
  const { dialer, bootstrap, asked } = scriptedKafka(answers)
  const { clock } = createNodeHost()
  const cluster = new Cluster({ dialer, bootstrap, clock, connectTimeoutMs: 60_000 })
  const run: AdminSeams['run'] = (_, work) => work()
  const admin = new KafkaAdmin({ cluster, clock, run })
  const countOf = (name: string) => asked.filter((one) => one.name === name).length
  return { admin, asked, countOf }
}

const committedIn = (name: string, committedOffset: number, text: string) => ({
  name,
  partitions: [{ partitionIndex: 0, committedOffset, metadata: text, errorCode: 0 }],
})

test('groups are those of all brokers, asked again while one is not ready', async () => {
  let isLoading = true
  const { admin, countOf } = clusterOf({
    ListGroups: (_, node) => {
      const errorNow = node === 2 && isLoading ? errorCode.COORDINATOR_LOAD_IN_PROGRESS : 0
      if (node === 2) isLoading = false
      const group = { groupId: `of ${node}`, protocolType: 'consumer', groupState: 'Stable' }
      return { errorCode: errorNow, groups: errorNow === 0 ? [{ ...group, groupType: '' }] : [] }
    },
  })
  const groups = await admin.listGroups(context)
  assert.deepEqual(
    groups.map(({ name }) => name),
    ['of 1', 'of 2'],
  )
  assert.equal(countOf('ListGroups'), 4)
})

test('what many groups have committed takes one request to each coordinator, and follows those that move', async () => {
  let home = 1
  const { admin, asked } = clusterOf({
    FindCoordinator: ({ coordinatorKeys }: kafka.FindCoordinatorRequest) => ({
      coordinators: coordinatorKeys.map((key) => {
        return coordinator(key, key.endsWith('2') ? 2 : key === 'moved' ? home++ : 1)
      }),
    }),
    OffsetFetch: ({ groups }: kafka.OffsetFetchRequest, node) => ({
      groups: groups.map(({ groupId }) =>
        groupId === 'moved' && node === 1
          ? { groupId, errorCode: errorCode.NOT_COORDINATOR, topics: [] }
          : {
              groupId,
              errorCode: 0,
              topics: [
                committedIn('orders', 3, groupId === 'a' ? ids.orders : 'theirs'),
                // To a topic of the same name that is gone, and to one that is gone.
                committedIn('bills', 4, ids.orders),
                committedIn('gone', 5, ''),
              ],
            },
      ),
    }),
  })
  const found = await admin.committedOffsets(['a', 'b2', 'moved', 'c'], context)
  const topic = { name: 'orders', id: ids.orders, partitions: 2 }
  const row = (text: string) => [{ topic, partition: 0, offset: 3, metadata: text }]
  assert.deepEqual(found, [row(''), row('theirs'), row('theirs'), row('theirs')])
  const fetches = asked.filter(({ name }) => name === 'OffsetFetch')
  const groupsIn = (body: unknown) =>
    (body as kafka.OffsetFetchRequest).groups.map(({ groupId }) => groupId).join(' ')
  assert.deepEqual(
    fetches.map(({ node, body }) => `${node}: ${groupsIn(body)}`),
    ['1: a moved c', '2: b2', '2: moved'],
  )
})

test('a group of the newer protocol is described by its own API, where there is one', async () => {
  const classic: Answers = {
    DescribeGroups: ({ groups }: kafka.DescribeGroupsRequest) => ({
      groups: groups.map((groupId) => ({
        errorCode: groupId === 'old' ? 0 : errorCode.GROUP_ID_NOT_FOUND,
        groupId,
        groupState: groupId === 'old' ? 'Empty' : 'Dead',
        protocolType: '',
        protocolData: '',
        members: [],
      })),
    }),
  }
  const newer: Answers = {
    ConsumerGroupDescribe: ({ groupIds }: kafka.ConsumerGroupDescribeRequest) => ({
      groups: groupIds.map((groupId) => ({
        errorCode: groupId === 'new' ? 0 : errorCode.GROUP_ID_NOT_FOUND,
        groupId,
        groupState: 'Stable',
        groupEpoch: 1,
        assignmentEpoch: 1,
        assignorName: 'uniform',
        members: [],
      })),
    }),
  }
  const names = ['new', 'none', 'old']
  const states = async (answers: Answers) => {
    const groups = await clusterOf(answers).admin.describeGroups(names, context)
    return groups.map((group) => group && `${group.state} ${group.protocolType}`)
  }
  assert.deepEqual(await states({ ...classic, ...newer }), ['Stable consumer', undefined, 'Empty '])
  assert.deepEqual(await states(classic), [undefined, undefined, 'Empty '])
})

test('bounds come from the leaders, once for each partition; those of a partition without one are unknown', async () => {
  let leaders = [1, 1]
  const { admin, countOf } = clusterOf({
    Metadata: ({ topics }: kafka.MetadataRequest) => metadata(topics, [...leaders, -1]),
    ListOffsets: ({ topics }: kafka.ListOffsetsRequest, node) => ({
      topics: topics.map(({ name, partitions }) => ({
        name,
        partitions: partitions.map(({ partitionIndex, timestamp }) => {
          const isLeader = partitionIndex === 0 || node === 2
          if (!isLeader) leaders = [1, 2]
          const code = isLeader ? 0 : errorCode.NOT_LEADER_OR_FOLLOWER
          return {
            partitionIndex,
            errorCode: code,
            timestamp: -1,
            offset: timestamp === -1 ? 9 : 4,
          }
        }),
      })),
    }),
  })
  const place = (partition: number) => ({ topic: ids.orders, partition })
  const places = [place(0), place(1), place(0), place(2), { topic: 'A'.repeat(22), partition: 0 }]
  const known = { startOffset: 4, endOffset: 9 }
  const found = await admin.bounds(places, context)
  assert.deepEqual(found, [known, known, known, undefined, undefined])
  // For the beginnings and the ends: of partition 0 with 1, then of 1 elsewhere.
  assert.equal(countOf('ListOffsets'), 4)
})

test('what a cluster is too old for is said', async () => {
  const { admin } = clusterOf({})
  const changes = new Map([['retention.ms', '1']])
  await assert.rejects(admin.alterTopic('orders', changes, context), UnsupportedVersionError)
  // Sizes are nice to have.
  const topic = { name: 'orders', id: ids.orders, partitions: 2 }
  assert.deepEqual(await admin.sizes([topic], context), [[undefined, undefined]])
})

test('settings are told topic by topic, a default in the unit of the setting that it is of', async () => {
  const codes: Readonly<Record<string, number>> = {
    none: errorCode.UNKNOWN_TOPIC_OR_PARTITION,
    secret: errorCode.TOPIC_AUTHORIZATION_FAILED,
  }
  const config = { readOnly: false, isSensitive: false, configType: 5, documentation: null }
  const { admin } = clusterOf({
    DescribeConfigs: ({ resources }: kafka.DescribeConfigsRequest) => ({
      results: resources.map(({ resourceName, resourceType }) => ({
        errorCode: codes[resourceName] ?? 0,
        errorMessage: null,
        resourceName,
        resourceType,
        configs: [
          {
            ...config,
            name: 'retention.ms',
            value: '5000',
            configSource: 1,
            synonyms: [
              { name: 'retention.ms', value: '5000', source: 1 },
              { name: 'log.retention.hours', value: '168', source: 5 },
            ],
          },
          { ...config, name: 'flush.ms', value: '9', configSource: 5, synonyms: [] },
        ],
      })),
    }),
  })
  const names = ['orders', 'none', 'secret']
  const [settings, none, secret] = await admin.describeSettings(names, context)
  assert(none instanceof UnknownTopicError)
  assert(secret instanceof NotAuthorizedError)
  assert(settings !== undefined && !(settings instanceof KaskaError))
  assert.deepEqual(
    settings.map(({ name, isDefault, defaultValue, type }) => [
      name,
      isDefault,
      defaultValue,
      type,
    ]),
    [
      ['flush.ms', true, '9', 'long'],
      ['retention.ms', false, '604800000', 'long'],
    ],
  )
})

test('a deletion of messages, which may take long, holds up no question to the same broker', async () => {
  const { admin, asked } = clusterOf({
    DeleteRecords: ({ topics }: kafka.DeleteRecordsRequest) => ({
      topics: topics.map(({ name, partitions }) => ({
        name,
        partitions: partitions.map(({ partitionIndex, offset }) => {
          return { partitionIndex, lowWatermark: offset, errorCode: 0 }
        }),
      })),
    }),
    ListOffsets: ({ topics }: kafka.ListOffsetsRequest) => ({
      topics: topics.map(({ name, partitions }) => ({
        name,
        partitions: partitions.map(({ partitionIndex }) => {
          return { partitionIndex, errorCode: 0, timestamp: -1, offset: 3 }
        }),
      })),
    }),
  })
  const place = { topic: ids.orders, partition: 0 }
  await admin.bounds([place], context)
  assert.equal(await admin.deleteRecords(place, 3, context), 3)
  const connectionsOf = (api: string) =>
    asked.filter(({ name }) => name === api).map(({ connection }) => connection)
  const [deleting] = connectionsOf('DeleteRecords')
  assert.ok(deleting !== undefined && !connectionsOf('ListOffsets').includes(deleting))
})
