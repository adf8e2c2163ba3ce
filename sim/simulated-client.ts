/** The real client library over the simulated network. */
import { Client } from '../packages/client/src/client.ts'
import { type ClientOptions, settingsOf } from '../packages/client/src/client-options.ts'
import { NativeEngine } from '../packages/client/src/native/native-engine.ts'
import { createCodecs } from '../packages/kaska/src/host/codecs.ts'
import type { ManualClock } from './manual-clock.ts'
import type { SeededRandom } from './seeded-random.ts'
import type { SimulatedNetwork } from './simulated-network.ts'

export interface SimulatedClientOptions {
  readonly name: string
  readonly clock: ManualClock
  readonly random: SeededRandom
  readonly network: SimulatedNetwork
  readonly options?: ClientOptions
}

/** As `connect` does it: rejects with ConnectionError where no broker answers. */
export async function connectSimulated(given: SimulatedClientOptions): Promise<Client> {
  const { clock, name, network, random } = given
  const settings = settingsOf({ ...given.options, clientId: name.slice(0, 100) })
  const engine = new NativeEngine({
    dialer: {
      address: 'simulated:9092',
      dial: (receiver, signal) => network.dial(receiver, signal),
    },
    clock,
    clientId: settings.clientId,
    connectTimeoutMs: settings.connectTimeoutMs,
    receiveBytesMax: settings.receiveBytesMax,
    silenceMsMax: settings.silenceTimeoutMs,
  })
  await engine.connect()
  const nothing = (): void => {}
  const host = {
    clock,
    random,
    codecs: createCodecs(),
    keepAlive: { hold: nothing, release: nothing },
  }
  return new Client({ engine, ownsEngine: true, host, settings })
}
