/**
 * The broker: joins the log, the topics, the offsets and the protocols. Several may live in one
 * process; nothing is shared between them.
 */
import {
  type Clock,
  type Codecs,
  type Crc32c,
  type Engine,
  InvalidArgumentError,
  type Random,
} from '@kaska/protocol'
import { type GivenConfig, readBrokerConfig } from './config/broker-config.ts'
import { topicDefaults } from './config/topic-settings.ts'
import { createFigures } from './figures/broker-figures.ts'
import { groupBounds } from './groups/group-config.ts'
import { GroupCoordinator } from './groups/group-coordinator.ts'
import { OffsetStore } from './groups/offset-store.ts'
import { createCodecs, createExpander } from './host/codecs.ts'
import { loadCrc32c } from './host/crc32c.ts'
import { nodeClock } from './host/node-clock.ts'
import { nodeRandom } from './host/node-random.ts'
import { packageVersion } from './host/package-version.ts'
import type { JoinedParts } from './joined-parts.ts'
import { limitReport } from './limited-report.ts'
import type { Listening, ListenOptions } from './listen-options.ts'
import { DataDirectory } from './log/data-directory.ts'
import type { Disk } from './log/disk.ts'
import type { SyncMode } from './log/log-config.ts'
import { MemoryBudget } from './log/memory-budget.ts'
import { MemoryDisk } from './log/memory-disk.ts'
import { Ports } from './ports.ts'
import { checkMemory, createTopics, type TopicOption } from './start-options.ts'
import { InProcessEngine } from './topics/in-process-engine.ts'
import { LocalEngine } from './topics/local-engine.ts'
import { ProducerIds } from './topics/producer-ids.ts'
import { expanderOf } from './topics/record-walk.ts'
import { TopicStore } from './topics/topic-store.ts'

export type { HttpOptions, Listening, ListenOptions } from './listen-options.ts'
export type { TopicOption } from './start-options.ts'

export interface BrokerOptions {
  /** The data directory, made where it is missing. Either this, or `memory`, or `disk`. */
  readonly data?: string
  /** Keeps everything in memory, and nothing when it is closed. */
  readonly memory?: boolean
  /** A disk of one's own. */
  readonly disk?: Disk
  /** What an acknowledgement promises: `always` (default) is on the disk, `os` is written. */
  readonly sync?: SyncMode
  /** The byte budget: frames received, answers unsent, reads, and the logs' tails. */
  readonly memoryBytesMax?: number
  /** How many partitions that nobody uses keep their logs open, some 4 KiB each; 10,000. */
  readonly openPartitionsMax?: number
  /**
   * The broker's configuration by Kafka's names: `{ 'num.partitions': 3 }`. All of them are in
   * docs/reference/broker-config.md.
   */
  readonly config?: GivenConfig
  /** Created at the start where they do not exist yet. */
  readonly topics?: readonly TopicOption[]
  /** What a person who runs the broker should hear of: one line of text each. */
  readonly report?: (line: string) => void
  /** The seams, for tests: Node's unless given. */
  readonly clock?: Clock
  readonly random?: Random
  readonly crc32c?: Crc32c
  readonly codecs?: Codecs
}

export interface Broker extends AsyncDisposable {
  /** 22 characters of base64url, made when the data directory was. */
  readonly clusterId: string
  /** `kaska 0.1.0` */
  readonly software: string
  /**
   * What the protocols' sessions call: views go in and out by identity (contract 11), and nobody may
   * change them. Programs in this process use `inProcess`.
   */
  readonly engine: Engine
  /** How many partitions have their logs open now. */
  readonly openPartitions: number
  /**
   * An engine for a client in this process (`connect(broker)`). It makes the one copy that a socket
   * otherwise makes: a sender may use its bytes again once its promise has settled, and no reader can
   * change what another one sees. Closing it leaves the broker as it is.
   */
  inProcess(): Engine
  /** Rejects with AddressInUseError, and with InvalidArgumentError for an address, a certificate or a key
   * that is none. May be called several times. */
  listen(options?: ListenOptions): Promise<Listening>
  /** Ends what is under way with ClosedError, makes everything durable, and unlocks the directory. */
  close(): Promise<void>
}

/**
 * Opens the data directory, and recovers. Rejects with InvalidArgumentError,
 * DataDirectoryLockedError, DataDirectoryError.
 */
export async function createBroker(options: BrokerOptions): Promise<Broker> {
  const clock = options.clock ?? nodeClock
  const random = options.random ?? nodeRandom
  const startedAt = clock.monotonic()
  const report = options.report ?? (() => {})
  const config = readBrokerConfig(options.config)
  const budget = new MemoryBudget(checkMemory(options.memoryBytesMax), {
    // Files copy what is written to them; any other disk may keep it.
    freesOwned: options.data !== undefined,
  })
  const crc32c = options.crc32c ?? loadCrc32c()
  const directory = await DataDirectory.open({
    disk: await openDisk(options),
    clock,
    random,
    crc32c,
    syncMode: checkSync(options.sync ?? 'always'),
    budget,
    report: ({ text }) => report(text),
  })
  try {
    const topics = await TopicStore.open(directory, random, topicDefaults(config))
    const groups = await GroupCoordinator.open(directory, {
      clock,
      random,
      config: { ...config, ...groupBounds(budget.total) },
      budget,
      offsets: () => offsets,
      report: limitReport(report, clock, 'groups'),
    })
    const offsets = await OffsetStore.open(directory, {
      clock,
      budget,
      membership: groups,
      topicName: (id) => topics.byId(id)?.name,
      retentionMs: config.offsetsRetentionMinutes * 60_000,
      retentionCheckMs: config.offsetsRetentionCheckMs,
    })
    const producerIds = await ProducerIds.open(directory)
    const codecs = options.codecs ?? createCodecs()
    const engine = new LocalEngine({
      directory,
      topics,
      offsets,
      producerIds,
      budget,
      clock,
      ...(options.openPartitionsMax === undefined
        ? {}
        : { openPartitionsMax: options.openPartitionsMax }),
      retentionCheckMs: config.logRetentionCheckMs,
      codecs,
      expander: options.codecs === undefined ? createExpander() : expanderOf(codecs),
      report,
    })
    await createTopics(engine, options.topics)
    return new JoinedBroker({
      config,
      directory,
      engine,
      offsets,
      groups,
      budget,
      clock,
      codecs,
      crc32c,
      counted: createFigures(clock),
      startedAt,
      dataDirectory: options.data,
      isInMemory: options.memory ?? false,
      report,
    })
  } catch (error) {
    await directory.close()
    throw error
  }
}

async function openDisk({ data, memory, disk }: BrokerOptions): Promise<Disk> {
  const given = [data, memory === true ? memory : undefined, disk].filter(
    (one) => one !== undefined,
  )
  if (given.length !== 1) {
    throw new InvalidArgumentError('a broker keeps its data in one of `data`, `memory` and `disk`')
  }
  if (disk !== undefined) return disk
  if (data === undefined) return new MemoryDisk()
  // Not needed in memory: a start is quick.
  const { openNodeDisk } = await import('./host/node-disk.ts')
  return await openNodeDisk(data)
}

function checkSync(sync: SyncMode): SyncMode {
  if (sync === 'always' || sync === 'os') return sync
  throw new InvalidArgumentError(`sync is 'always' or 'os', not '${sync}'`)
}

/** Loaded where it is asked for: a start is quick. */
class JoinedBroker implements Broker {
  readonly #parts: JoinedParts
  readonly #ports = new Ports()
  #closing: Promise<void> | undefined = undefined

  constructor(parts: JoinedParts) {
    this.#parts = parts
  }

  get clusterId(): string {
    return this.#parts.directory.clusterId
  }

  get software(): string {
    return `kaska ${packageVersion()}`
  }

  get engine(): LocalEngine {
    return this.#parts.engine
  }

  get openPartitions(): number {
    return this.#parts.engine.openPartitions
  }

  inProcess(): Engine {
    return new InProcessEngine(this.#parts.engine)
  }

  listen(options: ListenOptions = {}): Promise<Listening> {
    return this.#ports.open(options, async () => {
      const { brokerPort } = await import('./broker-port.ts')
      return brokerPort(this.#parts, this)
    })
  }

  isReady(): boolean {
    return this.#closing === undefined
  }

  close(): Promise<void> {
    this.#closing ??= this.#close()
    return this.#closing
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.close()
  }

  async #close(): Promise<void> {
    const { engine, offsets, groups, directory } = this.#parts
    groups.close()
    offsets.close()
    try {
      // What is under way gets its answer while the connections are still there.
      const ended = engine.close()
      await this.#ports.close()
      await ended
    } finally {
      await directory.close()
    }
  }
}
