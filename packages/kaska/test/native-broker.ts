/**
 * A broker put together as `createBroker` does it, with its parts in the open: for tests that look at
 * the byte budget, at the counters of the sessions, or at the transports.
 */
import {
  type Clock,
  noCodecs,
  type Random,
  type Receiver,
  type TopicInfo,
  type Transport,
  topicNameOf,
} from '@kaska/protocol'
import { type GivenConfig, readBrokerConfig } from '../src/config/broker-config.ts'
import { topicDefaults } from '../src/config/topic-settings.ts'
import { groupBounds } from '../src/groups/group-config.ts'
import { GroupCoordinator } from '../src/groups/group-coordinator.ts'
import { OffsetStore } from '../src/groups/offset-store.ts'
import { loadCrc32c } from '../src/host/crc32c.ts'
import { listen, overSockets } from '../src/host/listener.ts'
import { nodeClock } from '../src/host/node-clock.ts'
import { nodeRandom } from '../src/host/node-random.ts'
import { createKafkaProtocol, type KafkaProtocol } from '../src/kafka/kafka-protocol.ts'
import { DataDirectory } from '../src/log/data-directory.ts'
import type { Disk } from '../src/log/disk.ts'
import type { SyncMode } from '../src/log/log-config.ts'
import { MemoryBudget } from '../src/log/memory-budget.ts'
import { MemoryDisk } from '../src/log/memory-disk.ts'
import type { NativeLimits } from '../src/native/native-limits.ts'
import { createNativeProtocol, type NativeProtocol } from '../src/native/native-protocol.ts'
import { LocalEngine } from '../src/topics/local-engine.ts'
import { ProducerIds } from '../src/topics/producer-ids.ts'
import { expanderOf } from '../src/topics/record-walk.ts'
import { TopicStore } from '../src/topics/topic-store.ts'

export interface NativeBrokerOptions {
  readonly disk?: Disk
  readonly memoryBytesMax?: number
  readonly limits?: Partial<NativeLimits>
  readonly syncMode?: SyncMode
  readonly clock?: Clock
  readonly random?: Random
  readonly openPartitionsMax?: number
  readonly config?: GivenConfig
}

export interface NativeBroker extends AsyncDisposable {
  readonly engine: LocalEngine
  readonly budget: MemoryBudget
  readonly native: NativeProtocol
  readonly kafka: KafkaProtocol
  readonly clusterId: string
  readonly reports: string[]
  accept(transport: Transport): Receiver
  /** Listens on a free port, and returns it. */
  listen(): Promise<number>
  close(): Promise<void>
}

export async function startNativeBroker(options: NativeBrokerOptions = {}): Promise<NativeBroker> {
  const { clock = nodeClock, random = nodeRandom, memoryBytesMax = 64 * 1024 * 1024 } = options
  const budget = new MemoryBudget(memoryBytesMax)
  const config = readBrokerConfig(options.config)
  const reports: string[] = []
  const report = (line: string) => void reports.push(line)
  const directory = await DataDirectory.open({
    disk: options.disk ?? new MemoryDisk(),
    clock,
    random,
    crc32c: loadCrc32c(),
    syncMode: options.syncMode ?? 'os',
    budget,
    report: ({ text }) => report(text),
  })
  const topics = await TopicStore.open(directory, random, topicDefaults(config))
  const groups = await GroupCoordinator.open(directory, {
    clock,
    random,
    config: { ...config, ...groupBounds(budget.total) },
    budget,
    offsets: () => offsets,
    report,
  })
  const offsets = await OffsetStore.open(directory, {
    clock,
    budget,
    membership: groups,
    topicName: (id) => topics.byId(id)?.name,
  })
  const engine = new LocalEngine({
    directory,
    topics,
    offsets,
    producerIds: await ProducerIds.open(directory),
    budget,
    clock,
    codecs: noCodecs,
    expander: expanderOf(noCodecs),
    ...(options.openPartitionsMax === undefined
      ? {}
      : { openPartitionsMax: options.openPartitionsMax }),
    report,
  })
  const { clusterId } = directory
  const identity = { software: 'kaska 0.1.0', clusterId }
  const limits = options.limits ?? {}
  const native = createNativeProtocol({ engine, clock, budget, limits, identity, report })
  const crc32c = loadCrc32c()
  const { nodeId, shared } = directory
  const kafka = createKafkaProtocol({
    store: engine,
    offsets,
    groups,
    clock,
    crc32c,
    budget,
    config,
    identity: { clusterId, nodeId, leaderEpoch: shared.leaderEpoch },
    report,
  })
  const listeners: { close(): Promise<void> }[] = []
  const close = async () => {
    groups.close()
    offsets.close()
    const ended = engine.close()
    await Promise.all(listeners.map((listener) => listener.close()))
    await Promise.all([native.close(), kafka.close()])
    await ended
    await directory.close()
  }
  return {
    engine,
    budget,
    native,
    kafka,
    clusterId,
    reports,
    accept: (transport) => native.accept(transport),
    listen: async () => {
      const protocols = [overSockets(native), overSockets(kafka)]
      const listener = await listen({ host: '127.0.0.1', port: 0, protocols, clock, report })
      listeners.push(listener)
      return listener.port
    },
    close,
    [Symbol.asyncDispose]: close,
  }
}

/** Makes a topic, as a native client would. */
export async function createTopic(
  { engine }: NativeBroker,
  name = 'x',
  partitions = 1,
): Promise<TopicInfo> {
  const request = { name: topicNameOf(name), partitions, config: new Map() }
  return await engine.createTopic(request, { principal: null, clientId: 'test', address: 'test' })
}
