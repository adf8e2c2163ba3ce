/** Brokers of a cluster that answer what a test tells them to, and what each of them was asked. */
import assert from 'node:assert/strict'
import { ChunkReader, type Chunks, ChunkWriter, kafka } from '@kaska/protocol'
import type { KafkaDialer } from '../src/kafka/kafka-link.ts'

const { errorCode } = kafka
export const ids = { orders: 'ordersAAAAAAAAAAAAAAAA', bills: 'billsAAAAAAAAAAAAAAAAA' }

/** What a broker answers, by the API's name; `body` is what it was asked. */
// biome-ignore lint/suspicious/noExplicitAny: each answer knows its question.
export type Answers = Readonly<Record<string, (body: any, node: number) => object>>

interface Asked {
  readonly name: string
  readonly node: number
  readonly connection: number
  readonly body: unknown
}

/** Two brokers, which answer as told, and what each of them was asked. */
export function scriptedKafka(answers: Answers) {
  const asked: Asked[] = []
  let dialed = 0
  const served: Answers = {
    ApiVersions: () => ({
      apiKeys: [...kafka.apis.values()]
        .filter(({ name }) => name in served)
        .map(({ key, versions }) => ({ apiKey: key, minVersion: 0, maxVersion: versions.max })),
    }),
    Metadata: ({ topics }: kafka.MetadataRequest) => metadata(topics, [1, 2]),
    FindCoordinator: ({ coordinatorKeys }: kafka.FindCoordinatorRequest) => ({
      coordinators: coordinatorKeys.map((key) => coordinator(key, key.endsWith('2') ? 2 : 1)),
    }),
    ...answers,
  }
  const dialer: KafkaDialer = {
    dial: async ({ port }) => {
      const connection = dialed++
      return {
        isClosed: false,
        request: async ({ key, version }, bytes: Chunks): Promise<Chunks> => {
          const api = kafka.apis.get(key)
          assert(api !== undefined)
          const body = api.request.read(new ChunkReader(bytes), version)
          const node = port - 9000
          if (api.name !== 'ApiVersions') asked.push({ name: api.name, node, connection, body })
          const writer = new ChunkWriter()
          api.response.write(writer, served[api.name]?.(body, node) as never, version)
          return writer.finish()
        },
        close() {},
      }
    },
  }
  return { dialer, bootstrap: [{ host: 'broker', port: 9001 }], asked }
}

/** Partitions of both topics, by turns at these leaders. */
export function metadata(asked: kafka.MetadataRequest['topics'], leaders: readonly number[]) {
  const known = Object.entries(ids).map(([name, topicId]) => ({ name, topicId }))
  const topics = (asked ?? known).map((one) => {
    const found = known.find(({ name, topicId }) => name === one.name || topicId === one.topicId)
    const { UNKNOWN_TOPIC_OR_PARTITION } = errorCode
    if (found === undefined)
      return { ...one, errorCode: UNKNOWN_TOPIC_OR_PARTITION, partitions: [] }
    const partitions = leaders.map((leaderId, partitionIndex) => {
      return { errorCode: 0, partitionIndex, leaderId, replicaNodes: [], isrNodes: [] }
    })
    return { ...found, errorCode: 0, partitions }
  })
  const brokers = [1, 2].map((nodeId) => ({ nodeId, host: 'broker', port: 9000 + nodeId }))
  return { brokers, topics }
}

export function coordinator(key: string, nodeId: number) {
  return { key, nodeId, host: 'broker', port: 9000 + nodeId, errorCode: 0 }
}
