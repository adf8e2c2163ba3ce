import assert from 'node:assert/strict'
import { test } from 'node:test'
import { crc32c, kafka, noCodecs, noTopicId, UnknownTopicError } from '@kaska/protocol'
import { ManualClock } from '../../../../sim/manual-clock.ts'
import {
  type Answers,
  coordinator,
  ids,
  metadata,
  scriptedKafka,
} from '../../test/scripted-kafka.ts'
import { KafkaEngine } from './kafka-engine.ts'

const context = { principal: null, clientId: '', address: 'test' }
const { errorCode } = kafka
const stepsMax = 10_000

function setUp(answers: Answers) {
  const { dialer, bootstrap, asked } = scriptedKafka(answers)
  const clock = new ManualClock()
  const limits = { connectTimeoutMs: 1000, expandedBytesMax: 1000 }
  const engine = new KafkaEngine({ dialer, bootstrap, clock, crc32c, codecs: noCodecs, ...limits })
  const commit = () =>
    clock.runUntil(
      engine.commit('g', [{ topic: ids.orders, partition: 0, offset: 5 }], context),
      stepsMax,
    )
  return { asked, clock, commit }
}

function answered({ topics }: kafka.OffsetCommitRequest, code: number) {
  return {
    topics: topics.map(({ name, partitions }) => ({
      name,
      partitions: partitions.map(({ partitionIndex }) => ({ partitionIndex, errorCode: code })),
    })),
  }
}

test('a commit follows its coordinator', async () => {
  let home = 1
  const { asked, commit } = setUp({
    FindCoordinator: ({ coordinatorKeys }: kafka.FindCoordinatorRequest) => ({
      coordinators: coordinatorKeys.map((key) => coordinator(key, home)),
    }),
    OffsetCommit: (body: kafka.OffsetCommitRequest, node) =>
      answered(body, node === home ? 0 : errorCode.NOT_COORDINATOR),
  })
  await commit()
  home = 2
  await commit()
  const commits = asked.filter(({ name }) => name === 'OffsetCommit')
  assert.deepEqual(
    commits.map(({ node }) => node),
    [1, 1, 2],
  )
})

test('a commit to a topic that was deleted a moment ago is refused at once', async () => {
  let isThere = true
  const { clock, commit } = setUp({
    Metadata: ({ topics }: kafka.MetadataRequest) =>
      metadata(
        isThere ? topics : (topics ?? []).map(() => ({ name: 'gone', topicId: noTopicId })),
        [1],
      ),
    OffsetCommit: (body: kafka.OffsetCommitRequest) =>
      answered(body, isThere ? 0 : errorCode.UNKNOWN_TOPIC_OR_PARTITION),
  })
  await commit()
  isThere = false
  const start = clock.monotonic()
  await assert.rejects(commit(), UnknownTopicError)
  assert.ok(clock.monotonic() - start < 100, `${clock.monotonic() - start} ms`)
})
