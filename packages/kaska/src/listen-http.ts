/** Joins HTTP and WebSocket with the parts of a broker: loaded when somebody asks over HTTP. */
import { connect } from '@kaska/client'
import type { Clock, Codecs, Engine, Receiver, Transport } from '@kaska/protocol'
import { openConsoleFiles } from './host/console-files.ts'
import { createHttpServer } from './host/http-server.ts'
import type { Loaded } from './host/on-demand.ts'
import { isSameText } from './host/same-text.ts'
import type { BrokerParts } from './http/broker-parts.ts'
import { createHttpService } from './http/http-app.ts'
import { type Metric, metricsText } from './http/metrics.ts'
import { TokenGate } from './http/token-gate.ts'
import type { ByteBudget } from './transport/byte-budget.ts'

/** How HTTP is served on the port. */
export interface HttpOptions {
  /** Names, beside addresses and localhost, that browsers may call this broker by. */
  readonly hosts?: readonly string[]
  /** What has to be shown to be served; nothing unless given. */
  readonly token?: string
}

export interface HttpJoin {
  readonly broker: { inProcess(): Engine }
  readonly engine: Engine
  readonly parts: BrokerParts
  readonly clock: Clock
  readonly codecs: Codecs
  readonly budget: ByteBudget
  readonly identity: { readonly software: string; readonly clusterId: string }
  readonly options: HttpOptions
  /** The native protocol, for WebSocket. */
  accept(transport: Transport): Receiver
  metrics(): Iterable<Metric>
  isReady(): boolean
  readonly report: (line: string) => void
}

export async function openHttp(join: HttpJoin): Promise<Loaded> {
  const { broker, options, report } = join
  const client = await connect(broker, { clientId: 'http' })
  const { engine, parts, clock, codecs, budget, identity } = join
  const service = createHttpService({
    engine,
    broker: parts,
    clock,
    client,
    connect: () => connect(broker, { clientId: 'http' }),
    codecs,
    budget,
    identity,
    files: openConsoleFiles(),
    access: {
      hosts: options.hosts ?? [],
      token: options.token,
      isSame: isSameText,
      gate: new TokenGate(clock),
    },
    metrics: () => metricsText(join.metrics()),
    isReady: () => join.isReady(),
    report,
  })
  const server = createHttpServer({
    fetch: (request, peer, ended) => service.fetch(request, peer, ended),
    refuseUpgrade: (request, peer) => service.refuseUpgrade(request, peer),
    accept: (transport) => join.accept(transport),
    report,
  })
  return {
    name: server.name,
    matches: (firstByte) => server.matches(firstByte),
    accept: (socket, firstBytes) => server.accept(socket, firstBytes),
    async close() {
      await Promise.all([server.close(), client.close()])
    },
  }
}
