/**
 * The Kafka protocol's side of the broker: makes a session for each connection, ends it with the
 * connection, and looks now and then, by one timer for all of them, which of them still go on.
 *
 * A connection that speaks Kafka's protocol begins with the length of a request, an int32, and no
 * first request is as long as 16 MiB: so the first byte is 0.
 */
import { type Clock, type Crc32c, kafka, type Receiver, type Transport } from '@kaska/protocol'
import { type BrokerConfig, defaultBrokerConfig } from '../config/broker-config.ts'
import { topicDefaults } from '../config/topic-settings.ts'
import { type BrokerFigures, createFigures } from '../figures/broker-figures.ts'
import type { ByteBudget } from '../transport/byte-budget.ts'
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

/** Sessions are looked at so often within `stallMs`. */
const checksPerStall = 4

export function createKafkaProtocol(options: KafkaProtocolOptions): KafkaProtocol {
  return new Sessions(options)
}

class Sessions implements KafkaProtocol {
  readonly name = 'kafka'
  readonly limits: KafkaLimits
  readonly versions: ReadonlyMap<number, kafka.VersionRange>
  readonly #clock: Clock
  readonly #shared: SessionShared
  readonly #sessions = new Set<KafkaSession>()
  #isWatching = false
  #isClosed = false
  #allEnded: (() => void) | undefined

  constructor(options: KafkaProtocolOptions) {
    const { store, offsets, groups, clock, crc32c, budget, identity, advertise, report } = options
    const config = options.config ?? defaultBrokerConfig
    this.limits = { ...defaultLimits(budget.total, config), ...options.limits }
    this.#clock = clock
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
      ended: (session) => this.#remove(session),
    }
  }

  get connections(): number {
    return this.#sessions.size
  }

  matches(firstByte: number): boolean {
    return firstByte === 0
  }

  accept(transport: Transport): Receiver {
    const session = new KafkaSession(transport, this.#shared)
    this.#sessions.add(session)
    if (this.#isClosed) session.destroy()
    else this.#watchSoon()
    return session
  }

  async close(): Promise<void> {
    this.#isClosed = true
    if (this.#sessions.size === 0) return
    const allEnded = new Promise<void>((resolve) => {
      this.#allEnded = resolve
    })
    for (const session of this.#sessions) session.end()
    const timer = this.#clock.after(this.limits.closeMs, () => {
      for (const session of this.#sessions) session.destroy()
    })
    await allEnded
    timer.cancel()
  }

  #remove(session: KafkaSession): void {
    this.#sessions.delete(session)
    if (this.#sessions.size === 0) this.#allEnded?.()
  }

  /** The timer runs while there are sessions. */
  #watchSoon(): void {
    if (this.#isWatching) return
    this.#isWatching = true
    this.#clock.after(this.limits.stallMs / checksPerStall, () => {
      this.#isWatching = false
      const now = this.#clock.monotonic()
      for (const session of this.#sessions) session.check(now)
      if (this.#sessions.size > 0 && !this.#isClosed) this.#watchSoon()
    })
  }
}
