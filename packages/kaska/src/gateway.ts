/**
 * The gateway: what a broker is for its clients, with every message on an Apache Kafka cluster and nothing kept
 * here. Native clients, HTTP and the console are served by an engine over the cluster; Kafka clients are
 * passed on to the cluster's own brokers. What differs from a broker is in docs/kafka-cluster.md.
 */
import {
  createKafkaEngine,
  type KafkaEngine,
  type KafkaUrl,
  parseKafkaUrl,
  type TlsOptions,
} from '@kaska/client'
import { type Clock, type Codecs, type Engine, InvalidArgumentError } from '@kaska/protocol'
import { CountedEngine } from './counted-engine.ts'
import { type BrokerFigures, createFigures } from './figures/broker-figures.ts'
import { createGatewayFigures } from './gateway-figures.ts'
import { createCodecs } from './host/codecs.ts'
import { createKafkaTunnel } from './host/kafka-tunnel.ts'
import { nodeClock } from './host/node-clock.ts'
import { packageVersion } from './host/package-version.ts'
import { createClusterParts } from './http/cluster-parts.ts'
import type { Listening, ListenOptions } from './listen-options.ts'
import { MemoryBudget } from './log/memory-budget.ts'
import type { KafkaPort, PortParts } from './port-parts.ts'
import { Ports } from './ports.ts'
import { checkMemory, createTopics, type TopicOption } from './start-options.ts'
import { InProcessEngine } from './topics/in-process-engine.ts'

export interface GatewayOptions {
  /** The cluster: `kafka://b1:9092,b2:9092`, `kafkas://user:password@b1`, as `connect` takes it. */
  readonly engine: string
  /** For `kafkas://`: what Node's `tls.connect` takes (`ca`, `cert`, `key`, ...). */
  readonly tls?: TlsOptions
  /** How long the cluster may take to answer at the start; 5 s unless said. */
  readonly connectTimeoutMs?: number
  /** The byte budget: frames received, answers unsent, and what was polled. */
  readonly memoryBytesMax?: number
  /** Created at the start where they do not exist yet. */
  readonly topics?: readonly TopicOption[]
  /** What a person who runs the gateway should hear of: one line of text each. */
  readonly report?: (line: string) => void
}

export interface Gateway extends AsyncDisposable {
  /** The cluster's. */
  readonly clusterId: string
  /** `kaska 0.1.0` */
  readonly software: string
  /** The cluster's URL with its brokers alone: no user, no password. */
  readonly engineUrl: string
  /** What the sessions call. Programs in this process use `inProcess`. */
  readonly engine: Engine
  /** An engine for a client in this process (`connect(gateway)`). */
  inProcess(): Engine
  /** As `Broker.listen`, without `advertise`: Kafka clients are told the cluster's addresses. */
  listen(options?: ListenOptions): Promise<Listening>
  /** Ends what is under way, and the connections to the cluster. */
  close(): Promise<void>
}

/**
 * Connects to the cluster. Rejects with ConnectionError within `connectTimeoutMs`, with NotAuthorizedError, and with
 * InvalidArgumentError, also where the package @platformatic/kafka is not installed.
 */
export async function createGateway(options: GatewayOptions): Promise<Gateway> {
  const { engine: url, tls, connectTimeoutMs } = options
  const clock = nodeClock
  const startedAt = clock.monotonic()
  const cluster = parseKafkaUrl(url)
  // What clients send is on the cluster, or is not, when they are answered: nothing is kept of it.
  const budget = new MemoryBudget(checkMemory(options.memoryBytesMax), { freesOwned: true })
  const kafka = await createKafkaEngine(url, {
    clientId: 'kaska',
    // Sessions and HTTP let go of what they polled when it has left.
    freesPolled: true,
    ...(tls === undefined ? {} : { tls }),
    ...(connectTimeoutMs === undefined ? {} : { connectTimeoutMs }),
  })
  try {
    await createTopics(kafka, options.topics)
  } catch (error) {
    await kafka.close()
    throw error
  }
  return new JoinedGateway({
    kafka,
    cluster,
    tls,
    engine: new CountedEngine(kafka, budget),
    budget,
    clock,
    codecs: createCodecs(),
    counted: createFigures(clock),
    startedAt,
    report: options.report ?? (() => {}),
  })
}

interface GatewayParts {
  readonly kafka: KafkaEngine
  readonly cluster: KafkaUrl
  readonly tls: TlsOptions | undefined
  readonly engine: CountedEngine
  readonly budget: MemoryBudget
  readonly clock: Clock
  readonly codecs: Codecs
  readonly counted: BrokerFigures
  /** In monotonic time. */
  readonly startedAt: number
  readonly report: (line: string) => void
}

class JoinedGateway implements Gateway {
  readonly software = `kaska ${packageVersion()}`
  readonly engineUrl: string
  readonly #parts: GatewayParts
  readonly #ports = new Ports()
  #closing: Promise<void> | undefined

  constructor(parts: GatewayParts) {
    this.#parts = parts
    this.engineUrl = plainUrl(parts.cluster)
  }

  get clusterId(): string {
    return this.#parts.kafka.clusterId
  }

  get engine(): Engine {
    return this.#parts.engine
  }

  inProcess(): Engine {
    return new InProcessEngine(this.#parts.engine)
  }

  listen(options: ListenOptions = {}): Promise<Listening> {
    return this.#ports.open(options, () => Promise.resolve(this.#port()))
  }

  close(): Promise<void> {
    this.#closing ??= this.#close()
    return this.#closing
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.close()
  }

  async #close(): Promise<void> {
    // What is under way gets its answer, as far as the cluster gives it soon.
    await this.#ports.close()
    await this.#parts.kafka.close()
  }

  #port(): PortParts {
    const { engine, clock, codecs, budget, counted, report } = this.#parts
    return {
      engine,
      broker: this,
      identity: { software: this.software, clusterId: this.clusterId },
      clock,
      codecs,
      budget,
      counted,
      report,
      isReady: () => this.#closing === undefined,
      openKafka: (port) => this.#openKafka(port),
      httpParts: createClusterParts(this.#parts.kafka),
      figures: (process) => createGatewayFigures(this.#parts, process),
    }
  }

  #openKafka({ advertise, report }: KafkaPort) {
    if (advertise !== undefined) {
      throw new InvalidArgumentError(
        "Kafka clients are told the addresses of the cluster's own brokers: there is nothing to advertise",
      )
    }
    const { kafka, cluster, tls, clock, counted } = this.#parts
    return createKafkaTunnel({
      // Those that were there last, and those that know the way if all have moved.
      brokers: () => [...kafka.brokers, ...cluster.brokers],
      tls: cluster.isSecure ? (tls ?? {}) : undefined,
      connections: counted.connections,
      clock,
      report,
    })
  }
}

function plainUrl({ isSecure, brokers }: KafkaUrl): string {
  const addresses = brokers.map(({ host, port }) => {
    return `${host.includes(':') ? `[${host}]` : host}:${port}`
  })
  return `${isSecure ? 'kafkas' : 'kafka'}://${addresses.join(',')}`
}
