/**
 * What a port needs of what stands behind it: a broker with logs of its own, or the gateway to a cluster. Each
 * gives this, and `openListener` knows no difference.
 */
import type { Clock, Codecs, Engine } from '@kaska/protocol'
import type { BrokerFigures } from './figures/broker-figures.ts'
import type { PortProtocol } from './host/listener.ts'
import type { BrokerParts } from './http/broker-parts.ts'
import type { FigureSource, ProcessFigures } from './http/figure-source.ts'
import type { ListenOptions } from './listen-options.ts'
import type { ByteBudget } from './transport/byte-budget.ts'

export interface PortParts {
  /** What native sessions call. */
  readonly engine: Engine
  /** For HTTP's clients, which are in this process. */
  readonly broker: { inProcess(): Engine }
  readonly identity: { readonly software: string; readonly clusterId: string }
  readonly clock: Clock
  readonly codecs: Codecs
  readonly budget: ByteBudget
  /** Requests and connections, over all ports. */
  readonly counted: BrokerFigures
  readonly report: (line: string) => void
  /** Does it take requests? */
  isReady(): boolean
  /** Who takes a port's connections that speak Kafka's protocol. */
  openKafka(port: KafkaPort): PortProtocol
  /** What HTTP asks beyond the engine. */
  readonly httpParts: BrokerParts
  figures(process: { read(): ProcessFigures }): FigureSource
}

export interface KafkaPort {
  readonly advertise: ListenOptions['advertise']
  readonly report: (line: string) => void
}
