/** Runs a test over a socket and in the broker's process: the client's API is the same. */
import { test } from 'node:test'
import { type Client, type ConnectOptions, connect } from '@kaska/client'
import type { BrokerOptions } from '../src/broker.ts'
import { startBroker, type TestBroker } from '../src/testing.ts'

export interface ClientUnderTest {
  readonly kaska: TestBroker
  readonly client: Client
  /** Another client of the same broker. */
  another(options?: ConnectOptions): Promise<Client>
}

/** A broker in memory and a client of it, both closed after the test. */
export function testBothWays(
  name: string,
  run: (given: ClientUnderTest) => Promise<void>,
  options: { broker?: BrokerOptions; client?: ConnectOptions } = {},
): void {
  for (const mode of ['over a socket', 'in process'] as const) {
    test(`${name} (${mode})`, async () => {
      const kaska = await startBroker(options.broker)
      const clients: Client[] = []
      const another = async (clientOptions?: ConnectOptions): Promise<Client> => {
        const broker = mode === 'in process' ? kaska.broker : kaska.url
        const client = await connect(broker, { ...options.client, ...clientOptions })
        clients.push(client)
        return client
      }
      try {
        await run({ kaska, client: await another(), another })
      } finally {
        for (const client of clients) await client.close()
        await kaska.close()
      }
    })
  }
}

const decoder = new TextDecoder()

export function textOf(message: { readonly value: Uint8Array | null } | undefined): string {
  return decoder.decode(message?.value ?? undefined)
}
