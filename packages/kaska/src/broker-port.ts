/** What a port needs of a broker with logs of its own. Loaded when it is first asked to listen. */
import type { Engine } from '@kaska/protocol'
import { createFigureSource } from './figure-source.ts'
import { overSockets } from './host/listener.ts'
import type { JoinedParts } from './joined-parts.ts'
import { createKafkaProtocol } from './kafka/kafka-protocol.ts'
import { createLocalParts } from './local-parts.ts'
import type { PortParts } from './port-parts.ts'

export interface PortOwner {
  readonly software: string
  readonly clusterId: string
  inProcess(): Engine
  isReady(): boolean
}

export function brokerPort(parts: JoinedParts, owner: PortOwner): PortParts {
  const { config, engine, offsets, groups, budget, clock, codecs, crc32c, directory } = parts
  const { software, clusterId } = owner
  return {
    engine,
    broker: owner,
    identity: { software, clusterId },
    clock,
    codecs,
    budget,
    counted: parts.counted,
    report: parts.report,
    isReady: () => owner.isReady(),
    openKafka: ({ advertise, report }) =>
      overSockets(
        createKafkaProtocol({
          store: engine,
          offsets,
          groups,
          clock,
          crc32c,
          budget,
          config,
          identity: {
            clusterId,
            nodeId: directory.nodeId,
            leaderEpoch: directory.shared.leaderEpoch,
          },
          advertise,
          figures: parts.counted,
          report,
        }),
      ),
    httpParts: createLocalParts(parts),
    figures: (process) => createFigureSource(parts, process),
  }
}
