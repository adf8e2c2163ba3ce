/**
 * The native protocol's side of the broker: makes a session for each connection, and ends it with
 * the connection.
 */
import { type Clock, type Engine, native, type Receiver, type Transport } from '@kaska/protocol'
import { type BrokerFigures, createFigures } from '../figures/broker-figures.ts'
import type { OperationFigures, RequestFigures } from '../figures/request-figures.ts'
import type { ByteBudget } from '../transport/byte-budget.ts'
import { SessionSet } from '../transport/session-set.ts'
import { handlers } from './handlers.ts'
import { createCounters, type NativeCounters } from './native-counters.ts'
import { defaultLimits, type NativeLimits } from './native-limits.ts'
import { type ConnectionOrigin, Session, type SessionShared } from './session.ts'

export interface NativeProtocolOptions {
  readonly engine: Engine
  readonly clock: Clock
  readonly budget: ByteBudget
  /** `defaultLimits(budget.total)` unless given. */
  readonly limits?: Partial<NativeLimits>
  readonly identity: { readonly software: string; readonly clusterId: string }
  /** Where requests and connections are counted; nowhere else unless given. */
  readonly figures?: BrokerFigures
  /** What a person who runs the broker should hear of: one line of text each. */
  readonly report: (line: string) => void
}

export interface NativeProtocol {
  readonly name: 'native'
  readonly limits: NativeLimits
  readonly counters: Readonly<NativeCounters>
  /** Does a connection that begins with this byte speak it? */
  matches(firstByte: number): boolean
  /** Makes the connection's session: the receiver of all its bytes, from the first on. */
  accept(transport: Transport, origin?: ConnectionOrigin): Receiver
  /** Takes no more requests, waits a little for the answers under way, and ends all sessions. */
  close(): Promise<void>
}

export function createNativeProtocol(options: NativeProtocolOptions): NativeProtocol {
  return new Sessions(options)
}

class Sessions implements NativeProtocol {
  readonly name = 'native'
  readonly limits: NativeLimits
  readonly counters = createCounters()
  readonly #shared: SessionShared
  readonly #sessions: SessionSet<Session>

  constructor(options: NativeProtocolOptions) {
    const { engine, clock, budget, limits, identity, report } = options
    const figures = options.figures ?? createFigures(clock)
    this.limits = { ...defaultLimits(budget.total), ...limits }
    this.#sessions = new SessionSet(clock, this.limits)
    this.#shared = {
      engine,
      clock,
      budget,
      limits: this.limits,
      handlers,
      identity: {
        ...identity,
        frameBytesMax: this.limits.frameBytesMax,
        capabilities: engine.capabilities,
      },
      counters: this.counters,
      connections: figures.connections,
      figures: operationsOf(figures.requests),
      report,
      ended: (session) => this.#remove(session),
    }
  }

  matches(firstByte: number): boolean {
    return firstByte === native.magic[0]
  }

  accept(transport: Transport, origin?: ConnectionOrigin): Receiver {
    const session = new Session(transport, this.#shared, origin)
    this.counters.connectionsAccepted++
    this.counters.connections++
    this.#sessions.add(session)
    return session
  }

  close(): Promise<void> {
    return this.#sessions.close()
  }

  #remove(session: Session): void {
    this.counters.connections--
    this.#sessions.remove(session)
  }
}

/** By the operations' numbers, from 1 on; the first is for what is none. */
function operationsOf(requests: RequestFigures): OperationFigures[] {
  const figures = [requests.of('native', 'unknown')]
  for (const [name, number] of Object.entries(native.operation)) {
    figures[number] = requests.of('native', name)
  }
  return figures
}
