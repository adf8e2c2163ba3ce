/** A client on a model engine and a clock that stands still. */
import { noCodecs } from '@kaska/protocol'
import { ManualClock } from '../../../sim/manual-clock.ts'
import { Client } from '../src/client.ts'
import { type ClientOptions, settingsOf } from '../src/client-options.ts'
import type { ClientHost } from '../src/seams.ts'
import { ModelEngine } from './model-engine.ts'

export interface ModelClient {
  readonly clock: ManualClock
  readonly engine: ModelEngine
  readonly client: Client
  /** How many hold the process. */
  readonly holds: () => number
  /** Runs the clock until the promise settles. */
  run<T>(promise: Promise<T>): Promise<T>
}

export function createModelClient(options: ClientOptions = {}): ModelClient {
  const clock = new ManualClock()
  const engine = new ModelEngine(clock)
  let holds = 0
  let seed = 1
  const host: ClientHost = {
    clock,
    random: {
      bytes: (length) =>
        Uint8Array.from({ length }, () => {
          seed = (seed * 75 + 74) % 65_537
          return seed & 255
        }),
    },
    codecs: options.codecs ?? noCodecs,
    keepAlive: {
      hold: () => {
        holds++
      },
      release: () => {
        holds--
      },
    },
  }
  const settings = settingsOf(options)
  const client = new Client({ engine, ownsEngine: true, host, settings })
  return {
    clock,
    engine,
    client,
    holds: () => holds,
    run: (promise) => clock.runUntil(promise, 100_000),
  }
}

/** What each promise came to, when all have settled. */
export async function outcomes<T>(
  model: ModelClient,
  promises: readonly Promise<T>[],
): Promise<PromiseSettledResult<T>[]> {
  return await model.run(Promise.allSettled(promises))
}
