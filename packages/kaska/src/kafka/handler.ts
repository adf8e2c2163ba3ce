/**
 * What a Kafka API is served by: one file an API, numbered by its key, each of which registers the
 * versions that it serves. ApiVersions answers with what is registered, and nothing else is served.
 */
import type { ChunkReader, Clock, Crc32c, kafka, RequestContext } from '@kaska/protocol'
import type { BrokerConfig } from '../config/broker-config.ts'
import type { DefaultsByMaker } from '../config/topic-settings.ts'
import type { ByteBudget } from '../transport/byte-budget.ts'
import type { FetchSessions } from './fetch-sessions.ts'
import type { KafkaGroups } from './kafka-groups.ts'
import type { KafkaLimits } from './kafka-limits.ts'
import type { KafkaOffsets } from './kafka-offsets.ts'
import type { KafkaStore } from './kafka-store.ts'

/** An address for clients to connect to. */
export interface Endpoint {
  readonly host: string
  readonly port: number
}

/** What this broker is called in the protocol. All of it is stable over restarts but the epoch. */
export interface KafkaIdentity {
  readonly clusterId: string
  readonly nodeId: number
  /** The leader epoch of all partitions: raised at each start. */
  readonly leaderEpoch: number
}

/** What all handlers of a broker have in common. */
export interface KafkaBroker {
  readonly store: KafkaStore
  readonly offsets: KafkaOffsets
  readonly groups: KafkaGroups
  readonly identity: KafkaIdentity
  readonly config: BrokerConfig
  /** What topics have that nobody set anything for. */
  readonly defaults: DefaultsByMaker
  readonly limits: KafkaLimits
  readonly clock: Clock
  readonly crc32c: Crc32c
  readonly budget: ByteBudget
  readonly handlers: ReadonlyMap<number, Handler>
  readonly fetchSessions: FetchSessions
}

/** A request under way, for its handler. */
export interface KafkaContext {
  readonly broker: KafkaBroker
  /** Who asks; without a signal: what does not wait is not worth ending. */
  readonly request: RequestContext
  /** Aborted when nobody waits for the answer any more. */
  readonly signal: AbortSignal
  /** The address of this broker for the client that asks. */
  readonly endpoint: Endpoint
  /** Says what the program at the other end calls itself. */
  softwareIs(text: string): void
  /** Calls back when the answer has left, or never will: its views may change then. */
  afterSent(callback: () => void): void
}

export interface Handler {
  readonly key: number
  readonly versions: kafka.VersionRange
  readonly request: kafka.Message<kafka.Fields>
  readonly response: kafka.Message<kafka.Fields>
  readonly isPipelined: boolean
  readonly countParts: ((reader: ChunkReader, version: number) => number) | undefined
  handle(context: KafkaContext, request: unknown, version: number): unknown
}

/** What a handler gives: a response; undefined is none at all. */
type Answer<R extends kafka.Fields> = kafka.Input<R> | undefined

/** Declares a handler. */
export function handler<Q extends kafka.Fields, R extends kafka.Fields>(definition: {
  readonly key: number
  /** `'3-13'`: those that are served, of those that the messages have. */
  readonly versions: string
  readonly request: kafka.Message<Q>
  readonly response: kafka.Message<R>
  /**
   * May it begin while earlier requests of the connection that say the same are under way? It has to
   * take effect before it awaits anything. All others begin when those before them are answered, as
   * in Kafka.
   */
  readonly isPipelined?: boolean
  /**
   * How many parts a large request has, for one whose bytes are mostly its records: the memory that it
   * takes decoded is reserved by that, else by its length. Throws ProtocolError.
   */
  readonly countParts?: (reader: ChunkReader, version: number) => number
  /**
   * Errors that have a place in the response are the handler's to put there. Whatever it throws or
   * rejects with ends the connection.
   */
  handle(
    context: KafkaContext,
    request: kafka.Values<Q>,
    version: number,
  ): Answer<R> | Promise<Answer<R>>
}): Handler {
  const { key, versions, request, response, isPipelined = false, handle } = definition
  return {
    key,
    versions: parseVersions(versions),
    request: request as unknown as Handler['request'],
    response: response as unknown as Handler['response'],
    isPipelined,
    countParts: definition.countParts,
    handle: (context, message, version) => handle(context, message as kafka.Values<Q>, version),
  }
}

function parseVersions(text: string): kafka.VersionRange {
  const [min = '', max = min] = text.split('-')
  return { min: Number(min), max: Number(max) }
}
