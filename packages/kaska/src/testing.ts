/**
 * A broker for a test: in memory, on a free port of the loopback interface.
 *
 *     await using kaska = await startBroker({ topics: [{ name: 'orders' }] })
 *     const client = await connect(kaska.url)
 */
/// <reference lib="esnext.disposable" preserve="true" />
import { type Broker, type BrokerOptions, createBroker, type ListenOptions } from './broker.ts'

export interface TestBroker extends AsyncDisposable {
  /** `kaska://127.0.0.1:40123` */
  readonly url: string
  readonly port: number
  readonly broker: Broker
  close(): Promise<void>
}

/** Starts one; `memory` unless `data` or `disk` is given, on a free port unless `port` is. */
export async function startBroker(
  options: BrokerOptions & ListenOptions = {},
): Promise<TestBroker> {
  const { host = '127.0.0.1', port = 0, ...brokerOptions } = options
  const isStored = options.data !== undefined || options.disk !== undefined
  const broker = await createBroker({ ...(isStored ? {} : { memory: true }), ...brokerOptions })
  try {
    const listening = await broker.listen({ host, port })
    const close = () => broker.close()
    return { url: listening.url, port: listening.port, broker, close, [Symbol.asyncDispose]: close }
  } catch (error) {
    await broker.close()
    throw error
  }
}
