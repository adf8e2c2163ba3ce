/**
 * Who is connected, and what went wrong lately: each session reports its own connection here, in plain
 * fields. What is kept is bounded by the connections that there are, and for those that have ended by a
 * number of notes; text from a peer is cut.
 */
import type { Clock } from '@kaska/protocol'
import type { OperationFigures } from './request-figures.ts'

export type ConnectionProtocol = 'native' | 'kafka' | 'http' | 'websocket'

/** What came and went over a connection: asked when somebody looks. */
export interface ConnectionBytes {
  readonly bytesIn: number
  readonly bytesOut: number
}

export interface ConnectionOptions {
  readonly protocol: ConnectionProtocol
  /** `127.0.0.1:51234` */
  readonly address: string
  readonly isTls: boolean
  readonly bytes: ConnectionBytes
  /** What the program at the other end calls itself, where that is known at once. */
  readonly software?: string
}

/** Why a connection was ended by this side. */
export interface ConnectionNote {
  /** Wall time. */
  readonly time: number
  /** Unknown where it never came so far. */
  readonly protocol: ConnectionProtocol | 'unknown'
  readonly address: string
  readonly clientId: string
  readonly text: string
}

interface OperationCount {
  count: number
  failures: number
}

const textLengthMax = 300
const notesMax = 100

export class Connection {
  readonly id: number
  readonly protocol: ConnectionProtocol
  readonly address: string
  readonly isTls: boolean
  /** Wall time. */
  readonly connectedAt: number
  readonly bytes: ConnectionBytes
  readonly #log: ConnectionLog
  #clientId = ''
  #software: string
  #operations: Map<OperationFigures, OperationCount> | undefined
  /** When the last request came, in monotonic time; undefined before the first. */
  lastRequest: number | undefined
  lastError: { readonly time: number; readonly text: string } | undefined

  constructor(id: number, options: ConnectionOptions, connectedAt: number, log: ConnectionLog) {
    this.id = id
    this.protocol = options.protocol
    this.address = options.address
    this.isTls = options.isTls
    this.connectedAt = connectedAt
    this.bytes = options.bytes
    this.#software = cut(options.software ?? '')
    this.#log = log
  }

  /** What the client calls itself; '' where it did not say. */
  get clientId(): string {
    return this.#clientId
  }

  set clientId(text: string) {
    this.#clientId = cut(text)
  }

  /** `apache-kafka-java 4.3.1`; '' where it is not known. */
  get software(): string {
    return this.#software
  }

  set software(text: string) {
    this.#software = cut(text)
  }

  /** Those that it has asked for. */
  get operations(): Iterable<[OperationFigures, Readonly<OperationCount>]> {
    return this.#operations ?? []
  }

  /** Counts a request that was answered; `failure` says what was wrong. Times are monotonic. */
  answered(
    operation: OperationFigures,
    startedAt: number,
    now: number,
    failure: string | undefined,
  ): void {
    operation.answered(startedAt, now, failure !== undefined)
    this.#operations ??= new Map()
    let counted = this.#operations.get(operation)
    if (counted === undefined) {
      counted = { count: 0, failures: 0 }
      this.#operations.set(operation, counted)
    }
    counted.count++
    this.lastRequest = startedAt
    if (failure === undefined) return
    counted.failures++
    this.lastError = { time: this.#log.now(), text: cut(`${operation.operation}: ${failure}`) }
  }

  /** Notes why this side ends the connection. */
  refused(text: string): void {
    this.lastError = { time: this.#log.now(), text: cut(text) }
    this.#log.note(this, this.lastError)
  }
}

export class ConnectionLog {
  /** How many were opened, by protocol, those that have ended among them. */
  readonly opened: Record<ConnectionProtocol, number> = counts()
  /** How many this side ended for what they sent, or did not send. */
  readonly refused: Record<ConnectionProtocol | 'unknown', number> = { ...counts(), unknown: 0 }
  readonly #clock: Clock
  readonly #connections = new Map<number, Connection>()
  readonly #open: Record<ConnectionProtocol, number> = counts()
  readonly #notes: ConnectionNote[] = []
  #nextId = 1

  constructor(clock: Clock) {
    this.#clock = clock
  }

  /** A connection that was accepted. */
  open(options: ConnectionOptions): Connection {
    const connection = new Connection(this.#nextId++, options, this.#clock.now(), this)
    this.#connections.set(connection.id, connection)
    this.opened[options.protocol]++
    this.#open[options.protocol]++
    return connection
  }

  /** It has ended. */
  close(connection: Connection): void {
    if (this.#connections.delete(connection.id)) this.#open[connection.protocol]--
  }

  /** How many there are, by protocol. */
  get count(): Readonly<Record<ConnectionProtocol, number>> {
    return this.#open
  }

  /** Those that there are, from an id on, the oldest first. */
  *from(id: number): IterableIterator<Connection> {
    for (const connection of this.#connections.values()) if (connection.id >= id) yield connection
  }

  /** Why connections were ended by this side: the last ones, the newest first. */
  get notes(): readonly ConnectionNote[] {
    return this.#notes.toReversed()
  }

  /** Wall time of a moment in monotonic time. */
  wallTimeOf(monotonic: number): number {
    return Math.round(this.#clock.now() - (this.#clock.monotonic() - monotonic))
  }

  /** For `Connection`. */
  now(): number {
    return this.#clock.now()
  }

  /** Notes why a connection was ended before anybody knew what it speaks. */
  refusedEarly(address: string, text: string): void {
    const early = { protocol: 'unknown', address, clientId: '' } as const
    this.note(early, { time: this.#clock.now(), text: cut(text) })
  }

  /** For `Connection`. */
  note(
    { protocol, address, clientId }: Pick<ConnectionNote, 'protocol' | 'address' | 'clientId'>,
    { time, text }: Pick<ConnectionNote, 'time' | 'text'>,
  ): void {
    this.refused[protocol]++
    this.#notes.push({ time, protocol, address, clientId, text })
    if (this.#notes.length > notesMax) this.#notes.shift()
  }
}

function counts(): Record<ConnectionProtocol, number> {
  return { native: 0, kafka: 0, http: 0, websocket: 0 }
}

function cut(text: string): string {
  return text.length <= textLengthMax ? text : `${text.slice(0, textLengthMax).toWellFormed()}...`
}
