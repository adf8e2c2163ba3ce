/** Two brokers in this process, and what tests of a mirror do with them. */
import type { Client } from '@kaska/client'
import { connect } from '@kaska/client'
import { type Engine, type PolledBatch, RecordDecoder, topicNameOf } from '@kaska/protocol'
import { type Broker, type BrokerOptions, createBroker } from '../src/broker.ts'
import { createCodecs } from '../src/host/codecs.ts'
import { nodeClock } from '../src/host/node-clock.ts'
import { Mirror, type MirrorOptions, type MirrorStatus } from '../src/mirror/mirror.ts'
import { mirrorHeaderName } from '../src/mirror/mirror-header.ts'
import { createTopicFilter } from '../src/mirror/topic-pattern.ts'
import type { LocalEngine } from '../src/topics/local-engine.ts'
import { context } from './batches.ts'

export interface Side extends AsyncDisposable {
  readonly broker: Broker
  readonly engine: Engine
  readonly client: Client
}

export async function startSide(options: BrokerOptions = {}): Promise<Side> {
  const broker = await createBroker({ memory: true, ...options })
  const engine = broker.inProcess()
  const client = await connect(broker)
  return {
    broker,
    engine,
    client,
    [Symbol.asyncDispose]: async () => {
      await client.close()
      await broker.close()
    },
  }
}

export interface MirrorRun {
  readonly status: MirrorStatus
  readonly lines: readonly string[]
}

/** Mirrors once, to the end. */
export async function mirrorOnce(
  source: Engine,
  target: Engine,
  more: Partial<MirrorOptions> = {},
): Promise<MirrorRun> {
  const lines: string[] = []
  const mirror = new Mirror({
    source,
    target,
    clock: nodeClock,
    codecs: createCodecs(),
    isWanted: createTopicFilter([]),
    settings: new Map(),
    groups: [],
    mode: 'once',
    lookAroundMs: 50,
    signal: new AbortController().signal,
    report: (line) => lines.push(line),
    ...more,
  })
  return { status: await mirror.run(), lines }
}

/** A mirror that follows; `until` resolves when its status says so, `stop` when it has ended. */
export function follow(source: Engine, target: Engine, more: Partial<MirrorOptions> = {}) {
  const stopping = new AbortController()
  const waiting: { is: (status: MirrorStatus) => boolean; resolve: () => void }[] = []
  const ended = mirrorOnce(source, target, {
    mode: 'follow',
    signal: stopping.signal,
    progress: (status) => {
      for (const { is, resolve } of waiting) if (is(status)) resolve()
    },
    ...more,
  })
  ended.catch(() => {})
  return {
    until: (is: (status: MirrorStatus) => boolean): Promise<void> =>
      Promise.race([
        new Promise<void>((resolve) => waiting.push({ is, resolve })),
        ended.then(({ lines }) => {
          throw new Error(`it ended: ${lines.join('\n')}`)
        }),
      ]),
    stop: (): Promise<MirrorRun> => {
      stopping.abort(new Error('stopped'))
      return ended
    },
  }
}

export interface SeenMessage {
  readonly offset: number
  readonly timestamp: number
  readonly key: string | null
  readonly value: string | null
  readonly headers: readonly (readonly [string, string | null])[]
  /** The offset at the source; undefined without a mirror's header. */
  readonly origin: number | undefined
}

const decoder = new TextDecoder()
const text = (bytes: Uint8Array | null) => (bytes === null ? null : decoder.decode(bytes))

/** All messages of a partition. */
export async function readPartition(
  engine: Engine,
  name: string,
  partition = 0,
): Promise<SeenMessage[]> {
  const [info] = await engine.resolve([topicNameOf(name)], context)
  if (info === undefined) throw new Error(`no topic ${name}`)
  const bounds = await engine.offsets(info.id, partition, context)
  const seen: SeenMessage[] = []
  for (let offset = bounds.startOffset; offset < bounds.endOffset; ) {
    const parts = [{ topic: info.id, partition, offset }]
    const answer = await engine.poll({ parts, waitMs: 0, bytesMax: 1 << 20 }, context)
    for (const batch of answer.batches) {
      seen.push(...messagesOf(batch))
      offset = batch.baseOffset + batch.lastOffsetDelta + 1
    }
    answer.release()
  }
  return seen
}

function messagesOf(batch: PolledBatch): SeenMessage[] {
  const compression = batch.attributes & 7
  const records =
    compression === 0
      ? Buffer.concat(batch.records)
      : createCodecs()(compression).decompress(batch.records, 1 << 28)
  const walk = new RecordDecoder(records, batch.recordCount)
  const seen: SeenMessage[] = []
  for (let record = walk.next(); record !== undefined; record = walk.next()) {
    const origin = record.headers.find(([name]) => name === mirrorHeaderName)?.[1]
    seen.push({
      offset: batch.baseOffset + record.offsetDelta,
      timestamp: batch.baseTimestamp + record.timestampDelta,
      key: text(record.key),
      value: text(record.value),
      headers: record.headers
        .filter(([name]) => name !== mirrorHeaderName)
        .map(([name, value]) => [name, text(value)] as const),
      origin:
        origin === undefined || origin === null
          ? undefined
          : Number.parseInt(decoder.decode(origin), 10),
    })
  }
  return seen
}

/** What came, without where it lies. */
export function contentsOf(messages: readonly SeenMessage[]) {
  return messages.map(({ timestamp, key, value, headers }) => ({ timestamp, key, value, headers }))
}

/** Numbered messages for a partition. */
export function numbered(count: number, partition = 0, from = 0) {
  return Array.from({ length: count }, (_, index) => ({
    key: `k${from + index}`,
    value: `v${from + index}`,
    headers: { n: String(from + index) },
    timestamp: 1_000_000 + from + index,
    partition,
  }))
}

/** Deletes messages, as retention and Kafka's DeleteRecords do. */
export async function deleteBefore(
  broker: Broker,
  topic: string,
  offset: number,
  partition = 0,
): Promise<void> {
  const engine = broker.engine as LocalEngine
  await engine.deleteRecords(topic, partition, offset, context)
}

/** The engine with some of its methods replaced. */
export function wrapEngine(engine: Engine, methods: Partial<Engine>): Engine {
  return new Proxy(engine, {
    get: (target, name) => {
      const own: unknown = Reflect.get(methods, name)
      if (own !== undefined) return own
      const value: unknown = Reflect.get(target, name)
      return typeof value === 'function' ? value.bind(target) : value
    },
  })
}
