/**
 * The Kafka protocol's side of the broker: makes a session for each connection, and ends it with
 * the connection.
 *
 * A connection that speaks Kafka's protocol begins with the length of a request, an int32, and no
 * first request is as long as 16 MiB: so the first byte is 0.
 */
import { type Clock, type Crc32c, kafka, type Receiver, type Transport } from '@kaska/protocol'
import { type BrokerConfig, defaultBrokerConfig } from '../config/broker-config.ts'
import { topicDefaults } from '../config/topic-settings.ts'
import { type BrokerFigures, createFigures } from '../figures/broker-figures.ts'
import type { ByteBudget } from '../transport/byte-budget.ts'
import { SessionSet } from '../transport/session-set.ts'
import { FetchSessions } from './fetch-sessions.ts'
import type { Endpoint, Handler, KafkaBroker, KafkaIdentity } from './handler.ts'
import { handlers } from './handlers.ts'
import type { KafkaGroups } from './kafka-groups.ts'
import { defaultLimits, type KafkaLimits } from './kafka-limits.ts'
import type { KafkaOffsets } from './kafka-offsets.ts'
import type { KafkaStore } from './kafka-store.ts'
import { KafkaSession, type SessionShared } from './session.ts'

export interface KafkaProtocolOptions {
  readonly store: KafkaStore
  readonly offsets: KafkaOffsets
  readonly groups: KafkaGroups
  readonly clock: Clock
  readonly crc32c: Crc32c
  readonly budget: ByteBudget
  readonly identity: KafkaIdentity
  /** What is told to clients in place of the address that they came to. */
  readonly advertise?: Endpoint | undefined
  /** The defaults unless given. */
  readonly config?: BrokerConfig
  /** `defaultLimits` unless given. */
  readonly limits?: Partial<KafkaLimits>
  /** Further APIs that are served. */
  readonly handlers?: readonly Handler[]
  /** Where requests and connections are counted; nowhere else unless given. */
  readonly figures?: BrokerFigures
  /** What a person who runs the broker should hear of: one line of text each. */
  readonly report: (line: string) => void
}

export interface KafkaProtocol {
  readonly name: 'kafka'
  readonly limits: KafkaLimits
  /** What is served: the versions of each API, by its key. */
  readonly versions: ReadonlyMap<number, kafka.VersionRange>
  /** How many connections there are. */
  readonly connections: number
  /** Does a connection that begins with this byte speak it? */
  matches(firstByte: number): boolean
  /** Makes the connection's session: the receiver of all its bytes, from the first on. */
  accept(transport: Transport): Receiver
  /** Takes no more requests, waits a little for the answers under way, and ends all sessions. */
  close(): Promise<void>
}

export function createKafkaProtocol(options: KafkaProtocolOptions): KafkaProtocol {
  return new Sessions(options)
}

class Sessions implements KafkaProtocol {
  readonly name = 'kafka'
  readonly limits: KafkaLimits
  readonly versions: ReadonlyMap<number, kafka.VersionRange>
  readonly #shared: SessionShared
  readonly #sessions: SessionSet<KafkaSession>

  constructor(options: KafkaProtocolOptions) {
    const { store, offsets, groups, clock, crc32c, budget, identity, advertise, report } = options
    const config = options.config ?? defaultBrokerConfig
    this.limits = { ...defaultLimits(budget.total, config), ...options.limits }
    this.#sessions = new SessionSet(clock, this.limits)
    const all = [...handlers, ...(options.handlers ?? [])].sort((a, b) => a.key - b.key)
    this.versions = new Map(all.map(({ key, versions }) => [key, versions]))
    const broker: KafkaBroker = {
      store,
      offsets,
      groups,
      identity,
      config,
      defaults: topicDefaults(config),
      limits: this.limits,
      clock,
      crc32c,
      budget,
      handlers: new Map(all.map((one) => [one.key, one])),
      fetchSessions: new FetchSessions({ slotsMax: config.fetchSessionsMax, clock, budget }),
    }
    const { connections, requests } = options.figures ?? createFigures(clock)
    const nameOf = (key: number) => kafka.apis.get(key)?.name ?? `API ${key}`
    this.#shared = {
      broker,
      advertise,
      connections,
      figures: new Map(all.map(({ key }) => [key, requests.of('kafka', nameOf(key))])),
      report,
      ended: (session) => this.#sessions.remove(session),
    }
  }

  get connections(): number {
    return this.#sessions.count
  }

  matches(firstByte: number): boolean {
    return firstByte === 0
  }

  accept(transport: Transport): Receiver {
    const session = new KafkaSession(transport, this.#shared)
    this.#sessions.add(session)
    return session
  }

  close(): Promise<void> {
    return this.#sessions.close()
  }
}
