/** What the paths of the HTTP interface have in common. */
import type { Client } from '@kaska/client'
import type { Clock, Codecs, Engine, RequestContext } from '@kaska/protocol'
import type { Hono } from 'hono/tiny'
import type { Connection } from '../figures/connection-log.ts'
import type { ByteBudget } from '../transport/byte-budget.ts'
import type { AccessPolicy } from './access.ts'
import type { Expander } from './batch-messages.ts'
import type { BrokerParts } from './broker-parts.ts'
import type { ConsoleFiles } from './console-files.ts'
import type { FigureSource } from './figure-source.ts'

export interface HttpParts {
  readonly engine: Engine
  /** For requests that send or commit: shared by all of them. */
  readonly client: Client
  /** What is asked beyond the engine. */
  readonly broker: BrokerParts
  readonly figures: FigureSource
  readonly clock: Clock
  /** Expand at once: for small batches. */
  readonly codecs: Codecs
  /** Expands piece by piece: for all others. */
  readonly expander: Expander
  readonly budget: ByteBudget
  readonly identity: { readonly software: string; readonly clusterId: string }
  readonly access: AccessPolicy
  readonly files: ConsoleFiles
  /** Does the broker take requests? */
  isReady(): boolean
  readonly report: (line: string) => void
}

export interface HttpPeer {
  readonly address: string
  readonly isTls: boolean
  /** Where its requests are counted. */
  readonly connection?: Connection | undefined
}

/** What a handler finds beside its request. */
export interface HttpEnvironment {
  readonly Bindings: {
    readonly peer: HttpPeer
    /** Takes what is to be called when the answer was sent, or never will be. */
    ended(callback: () => void): void
  }
}

export type HttpApp = Hono<HttpEnvironment>

/** Who asks, as an engine wants to know it; the signal ends with the request. */
export function contextOf(context: {
  readonly env: Pick<HttpEnvironment['Bindings'], 'peer'>
  readonly req: { readonly raw: Request; header(name: string): string | undefined }
}): RequestContext {
  return {
    principal: null,
    clientId: context.req.header('user-agent')?.slice(0, 256) ?? '',
    address: context.env.peer.address,
    signal: context.req.raw.signal,
  }
}
