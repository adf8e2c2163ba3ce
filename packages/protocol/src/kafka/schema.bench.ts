/**
 * How long the messages on the hot path take to read and to write: nanoseconds each.
 *
 *     node --conditions=source packages/protocol/src/kafka/schema.bench.ts
 */
import process from 'node:process'
import { ChunkReader, ChunkWriter, joinChunks } from '../bytes.ts'
import * as kafka from './index.ts'

const records = [new Uint8Array(16_384)]
const topicId = 'b8tRS7h4TJ2Vt43Dp85v2A'

function bench<F extends kafka.Fields>(
  message: kafka.Message<F>,
  version: number,
  value: kafka.Input<F>,
): void {
  const encode = () => {
    const writer = new ChunkWriter()
    message.write(writer, value, version)
    return writer.finish()
  }
  const bytes = [joinChunks(encode())]
  // CPU time, and the best of some rounds: the machine may be busy with something else.
  const time = (what: () => unknown) => {
    const times = Math.ceil(2_000_000 / (bytes[0]?.length ?? 1) ** 0.7)
    let best = Number.POSITIVE_INFINITY
    for (let round = 0; round < 8; round++) {
      const before = process.cpuUsage()
      for (let index = 0; index < times; index++) what()
      const { user, system } = process.cpuUsage(before)
      best = Math.min(best, ((user + system) * 1000) / times)
    }
    return best.toFixed(0).padStart(8)
  }
  const read = time(() => message.read(new ChunkReader(bytes), version))
  const write = time(encode)
  // biome-ignore lint/suspicious/noConsole: this is what it is for.
  console.log(`${message.name.padEnd(24)} ${version}  read ${read}  write ${write}`)
}

const partitions = Array.from({ length: 6 }, (_, index) => index)
const topics = Array.from({ length: 100 }, (_, index) => `some-topic-of-mine-${index}`)

for (const version of [7, 11]) {
  bench(kafka.produceRequest, version, {
    acks: -1,
    timeoutMs: 30_000,
    topicData: [{ name: 'orders', partitionData: [{ index: 0, records }] }],
  })
  bench(kafka.produceResponse, version, {
    responses: [{ name: 'orders', partitionResponses: [{ index: 0, baseOffset: 1234567 }] }],
  })
}
for (const version of [11, 17]) {
  bench(kafka.fetchRequest, version, {
    topics: [
      {
        topic: 'orders',
        topicId,
        partitions: partitions.map((partition) => ({ partition, fetchOffset: 123 })),
      },
    ],
  })
  bench(kafka.fetchResponse, version, {
    responses: [
      {
        topic: 'orders',
        topicId,
        partitions: partitions.map((partitionIndex) => ({ partitionIndex, records })),
      },
    ],
  })
}
for (const version of [4, 12]) {
  bench(kafka.metadataResponse, version, {
    brokers: [{ nodeId: 1, host: 'localhost', port: 9092 }],
    topics: topics.map((name) => ({
      name,
      topicId,
      partitions: partitions.map((partitionIndex) => ({
        partitionIndex,
        replicaNodes: [1],
        isrNodes: [1],
      })),
    })),
  })
  bench(kafka.metadataRequest, version, { topics: topics.map((name) => ({ name })) })
}
bench(kafka.heartbeatRequest, 4, { groupId: 'billing', memberId: 'consumer-1-abcdef' })
