/** A client and its engine on brokers of Apache Kafka in memory, and a clock that stands still. */
import type { TestContext } from 'node:test'
import { crc32c, type MessageBatch, noCodecs, RecordsBuilder } from '@kaska/protocol'
import { ManualClock } from '../../../sim/manual-clock.ts'
import { SeededRandom } from '../../../sim/seeded-random.ts'
import { Client } from '../src/client.ts'
import { type ClientOptions, settingsOf } from '../src/client-options.ts'
import { KafkaEngine } from '../src/kafka/kafka-engine.ts'
import { FakeKafka } from './fake-kafka.ts'

export interface FakeCluster {
  readonly clock: ManualClock
  readonly kafka: FakeKafka
  readonly engine: KafkaEngine
  readonly client: Client
  /** Runs the clock until the promise settles. */
  run<T>(promise: Promise<T>): Promise<T>
}

const stepsMax = 1_000_000

/** Of so many brokers, in which each request takes a millisecond. Ends with the test. */
export function fakeCluster(
  t: TestContext,
  nodes: number,
  options: ClientOptions = {},
): FakeCluster {
  const clock = new ManualClock()
  const kafka = new FakeKafka(clock, nodes)
  kafka.latencyMs = 1
  const settings = settingsOf(options)
  const { bootstrap } = kafka
  const parts = { clock, crc32c, codecs: noCodecs, ...settings }
  const engine = new KafkaEngine({ dialer: kafka, bootstrap, ...parts })
  const keepAlive = { hold: () => {}, release: () => {} }
  const host = { clock, random: new SeededRandom(1), codecs: noCodecs, keepAlive }
  const client = new Client({ engine, ownsEngine: true, host, settings })
  t.after(() => engine.close())
  return { clock, kafka, engine, client, run: (promise) => clock.runUntil(promise, stepsMax) }
}

/** A batch of messages with these values. */
export function batchOf(...values: readonly string[]): MessageBatch {
  const builder = new RecordsBuilder()
  for (const value of values) {
    builder.append({
      key: null,
      value: new TextEncoder().encode(value),
      headers: [],
      timestamp: 1000,
    })
  }
  const { baseTimestamp, maxTimestamp, recordCount } = builder
  const records = builder.finish()
  return {
    attributes: 0,
    baseTimestamp,
    maxTimestamp,
    recordCount,
    lastOffsetDelta: recordCount - 1,
    records,
    recordsLength: builder.length,
  }
}
