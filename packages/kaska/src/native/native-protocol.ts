/**
 * The native protocol's side of the broker: makes a session for each connection, ends it with the
 * connection, and looks now and then, by one timer for all of them, which of them still go on.
 */
import { type Clock, type Engine, native, type Receiver, type Transport } from '@kaska/protocol'
import { type BrokerFigures, createFigures } from '../figures/broker-figures.ts'
import type { OperationFigures, RequestFigures } from '../figures/request-figures.ts'
import type { ByteBudget } from '../transport/byte-budget.ts'
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

/** Sessions are looked at so often within `stallMs`. */
const checksPerStall = 4

export function createNativeProtocol(options: NativeProtocolOptions): NativeProtocol {
  return new Sessions(options)
}

class Sessions implements NativeProtocol {
  readonly name = 'native'
  readonly limits: NativeLimits
  readonly counters = createCounters()
  readonly #shared: SessionShared
  readonly #sessions = new Set<Session>()
  #isWatching = false
  #isClosed = false
  #allEnded: (() => void) | undefined

  constructor(options: NativeProtocolOptions) {
    const { engine, clock, budget, limits, identity, report } = options
    const figures = options.figures ?? createFigures(clock)
    this.limits = { ...defaultLimits(budget.total), ...limits }
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
    this.#sessions.add(session)
    this.counters.connectionsAccepted++
    this.counters.connections++
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
    const timer = this.#shared.clock.after(this.limits.closeMs, () => {
      for (const session of this.#sessions) session.destroy()
    })
    await allEnded
    timer.cancel()
  }

  #remove(session: Session): void {
    this.#sessions.delete(session)
    this.counters.connections--
    if (this.#sessions.size === 0) this.#allEnded?.()
  }

  /** The timer runs while there are sessions. */
  #watchSoon(): void {
    if (this.#isWatching) return
    this.#isWatching = true
    this.#shared.clock.after(this.limits.stallMs / checksPerStall, () => {
      this.#isWatching = false
      const now = this.#shared.clock.monotonic()
      for (const session of this.#sessions) session.check(now)
      if (this.#sessions.size > 0 && !this.#isClosed) this.#watchSoon()
    })
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
