/** Joins HTTP and WebSocket with the parts of a broker: loaded when somebody asks over HTTP. */
import { connect } from '@kaska/client'
import type { Receiver, Transport } from '@kaska/protocol'
import { createExpander } from './host/codecs.ts'
import { openConsoleFiles } from './host/console-files.ts'
import { HttpConnections } from './host/http-connections.ts'
import { createHttpServer } from './host/http-server.ts'
import type { PortProtocol } from './host/listener.ts'
import { ProcessWatch } from './host/process-figures.ts'
import { isSameText } from './host/same-text.ts'
import { createHttpService } from './http/http-app.ts'
import { TokenGate } from './http/token-gate.ts'
import type { HttpOptions } from './listen-options.ts'
import type { ConnectionOrigin } from './native/session.ts'
import type { PortParts } from './port-parts.ts'

/** `accept` is the native protocol's, for WebSocket. */
export async function openHttp(
  parts: PortParts,
  options: HttpOptions,
  accept: (transport: Transport, origin: ConnectionOrigin) => Receiver,
): Promise<PortProtocol> {
  const { broker, engine, clock, codecs, budget, identity, report } = parts
  const client = await connect(broker, { clientId: 'http' })
  const watch = new ProcessWatch()
  watch.start()
  const figures = parts.figures(watch)
  const connections = new HttpConnections(figures.counted.connections)
  const service = createHttpService({
    figures,
    engine,
    broker: parts.httpParts,
    clock,
    client,
    codecs,
    expander: createExpander(),
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
    isReady: () => parts.isReady(),
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
      return accept(transport, { protocol: 'websocket', ...known })
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
