/** kafkajs with a codec for every compression type, and what checks of any client need of a Kafka client. */
import { promisify } from 'node:util'
import { zstdCompress, zstdDecompress } from 'node:zlib'
import { compressionsAlgorithms } from '@platformatic/kafka'
import kafkajs, { type Kafka, type KafkaMessage, type Message } from 'kafkajs'
import snappy from 'kafkajs-snappy'
import { uniqueName } from './checks.ts'

const { CompressionCodecs, CompressionTypes, logLevel } = kafkajs

CompressionCodecs[CompressionTypes.Snappy] = snappy
CompressionCodecs[CompressionTypes.LZ4] = () => ({
  compress: async (encoder: { buffer: Buffer }) =>
    compressionsAlgorithms.lz4.compressSync(encoder.buffer),
  decompress: async (bytes: Buffer) => compressionsAlgorithms.lz4.decompressSync(bytes),
})
CompressionCodecs[CompressionTypes.ZSTD] = () => ({
  compress: (encoder: { buffer: Buffer }) => promisify(zstdCompress)(encoder.buffer),
  decompress: (bytes: Buffer) => promisify(zstdDecompress)(bytes),
})

export const compressions = {
  none: CompressionTypes.None,
  gzip: CompressionTypes.GZIP,
  snappy: CompressionTypes.Snappy,
  lz4: CompressionTypes.LZ4,
  zstd: CompressionTypes.ZSTD,
} as const

export interface ReadMessage extends Pick<KafkaMessage, 'key' | 'value' | 'headers' | 'timestamp'> {
  readonly partition: number
  readonly offset: number
}

export class KafkajsTools {
  readonly kafka: Kafka

  constructor(bootstrap: string) {
    this.kafka = new kafkajs.Kafka({
      clientId: 'kaska-compat',
      brokers: [bootstrap],
      logLevel: logLevel.NOTHING,
      retry: { initialRetryTime: 50, maxRetryTime: 1_000, retries: 30 },
    })
  }

  async withAdmin<T>(
    work: (admin: ReturnType<Kafka['admin']>) => Promise<T>,
    config: Parameters<Kafka['admin']>[0] = {},
  ): Promise<T> {
    const admin = this.kafka.admin(config)
    await admin.connect()
    try {
      return await work(admin)
    } finally {
      await admin.disconnect()
    }
  }

  async withProducer<T>(
    work: (producer: ReturnType<Kafka['producer']>) => Promise<T>,
    config: Parameters<Kafka['producer']>[0] = {},
  ): Promise<T> {
    const producer = this.kafka.producer(config)
    await producer.connect()
    try {
      return await work(producer)
    } finally {
      await producer.disconnect()
    }
  }

  /** Makes a topic of a new name. */
  async createTopic(partitions = 1, config: Record<string, string> = {}): Promise<string> {
    const topic = uniqueName('topic')
    const configEntries = Object.entries(config).map(([name, value]) => ({ name, value }))
    await this.withAdmin((admin) =>
      admin.createTopics({
        waitForLeaders: true,
        topics: [{ topic, numPartitions: partitions, replicationFactor: 1, configEntries }],
      }),
    )
    return topic
  }

  /** Sends them, once each. */
  async send(topic: string, messages: Message[], compression = CompressionTypes.None) {
    return await this.withProducer((producer) => producer.send({ topic, messages, compression }), {
      idempotent: true,
      maxInFlightRequests: 1,
    })
  }

  /** The first `count` messages of a topic, from its beginning or from the offsets given. */
  async read(
    topic: string,
    count: number,
    seeks: Record<number, number> = {},
  ): Promise<ReadMessage[]> {
    const groupId = uniqueName('reader')
    const consumer = this.kafka.consumer({ groupId, maxWaitTimeInMs: 200 })
    await consumer.connect()
    await consumer.subscribe({ topic, fromBeginning: true })
    const messages: ReadMessage[] = []
    try {
      await new Promise<void>((resolve, reject) => {
        consumer.on('consumer.crash', ({ payload }) => {
          if (!payload.restart) reject(payload.error)
        })
        const eachMessage = async (payload: { partition: number; message: KafkaMessage }) => {
          const { partition, message } = payload
          if (messages.length === count) return
          const { key, value, headers, timestamp } = message
          const offset = Number(message.offset)
          messages.push({ partition, offset, key, value, timestamp, headers: headers ?? {} })
          if (messages.length === count) resolve()
        }
        consumer.run({ autoCommit: false, eachMessage }).catch(reject)
        for (const [partition, offset] of Object.entries(seeks)) {
          consumer.seek({ topic, partition: Number(partition), offset: String(offset) })
        }
        if (count === 0) resolve()
      })
    } finally {
      await consumer.disconnect()
    }
    return messages
  }
}
