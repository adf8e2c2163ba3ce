/** Joins HTTP and WebSocket with the parts of a broker: loaded when somebody asks over HTTP. */
import { connect } from '@kaska/client'
import type { Clock, Codecs, Engine, Receiver, Transport } from '@kaska/protocol'
import { openConsoleFiles } from './host/console-files.ts'
import { HttpConnections } from './host/http-connections.ts'
import { createHttpServer } from './host/http-server.ts'
import type { Loaded } from './host/on-demand.ts'
import { ProcessWatch } from './host/process-figures.ts'
import { isSameText } from './host/same-text.ts'
import type { BrokerParts } from './http/broker-parts.ts'
import type { FigureSource, ProcessFigures } from './http/figure-source.ts'
import { createHttpService } from './http/http-app.ts'
import { TokenGate } from './http/token-gate.ts'
import type { HttpOptions } from './listen-options.ts'
import type { ConnectionOrigin } from './native/session.ts'
import type { ByteBudget } from './transport/byte-budget.ts'

export interface HttpJoin {
  readonly broker: { inProcess(): Engine }
  readonly engine: Engine
  readonly parts: BrokerParts
  readonly clock: Clock
  readonly codecs: Codecs
  readonly budget: ByteBudget
  readonly identity: { readonly software: string; readonly clusterId: string }
  readonly options: HttpOptions
  figures(process: { read(): ProcessFigures }): FigureSource
  /** The native protocol, for WebSocket. */
  accept(transport: Transport, origin: ConnectionOrigin): Receiver
  isReady(): boolean
  readonly report: (line: string) => void
}

export async function openHttp(join: HttpJoin): Promise<Loaded> {
  const { broker, options, report } = join
  const client = await connect(broker, { clientId: 'http' })
  const { engine, parts, clock, codecs, budget, identity } = join
  const watch = new ProcessWatch()
  watch.start()
  const figures = join.figures(watch)
  const connections = new HttpConnections(figures.counted.connections)
  const service = createHttpService({
    figures,
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
      origins: options.origins ?? [],
      token: options.token,
      isSame: isSameText,
      gate: new TokenGate(clock),
    },
    isReady: () => join.isReady(),
    report,
  })
  const server = createHttpServer({
    fetch: (request, peer, ended) =>
      service.fetch(request, { ...peer, connection: connections.of(peer.address) }, ended),
    refuseUpgrade(request, peer) {
      const connection = connections.of(peer.address)
      if (connection !== undefined) connection.software = request.headers.get('user-agent') ?? ''
      return service.refuseUpgrade(request, peer)
    },
    accept(transport) {
      const known = connections.upgraded(transport.remoteAddress)
      return join.accept(transport, { protocol: 'websocket', ...known })
    },
    report,
  })
  return {
    name: server.name,
    matches: (firstByte) => server.matches(firstByte),
    accept(socket, firstBytes) {
      connections.opened(socket)
      server.accept(socket, firstBytes)
    },
    async close() {
      watch.stop()
      await Promise.all([server.close(), client.close()])
    },
  }
}
