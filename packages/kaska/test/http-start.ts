/** A broker with HTTP, for tests, and requests to it. */
import { connect as connectSocket } from 'node:net'
import type { TestContext } from 'node:test'
import { type Broker, type BrokerOptions, createBroker, type ListenOptions } from '../src/broker.ts'

export async function startHttp(
  context: TestContext,
  options: ListenOptions = {},
  brokerOptions: BrokerOptions = {},
) {
  const reported: string[] = []
  const broker: Broker = await createBroker({
    memory: true,
    topics: [{ name: 'orders', partitions: 2 }],
    report: (line) => reported.push(line),
    ...brokerOptions,
  })
  context.after(() => broker.close())
  const { port } = await broker.listen({ port: 0, ...options })
  const url = `http://127.0.0.1:${port}`
  const api = `${url}/api/v1`
  /** Asks with JSON; the answer's status and its JSON, of whatever shape the test says. */
  const ask = async (method: string, path: string, body?: unknown) => {
    const response = await fetch(api + path, {
      method,
      ...(body === undefined
        ? {}
        : { headers: { 'content-type': 'application/json' }, body: JSON.stringify(body) }),
    })
    const text = await response.text()
    // biome-ignore lint/suspicious/noExplicitAny: the test knows.
    return { status: response.status, json: (text === '' ? undefined : JSON.parse(text)) as any }
  }
  return { broker, port, url, api, ask, reported }
}

/** Sends bytes as they are, and ends; what comes back until the connection is closed. */
export function raw(port: number, text: string): Promise<string> {
  return new Promise((resolve, reject) => {
    const socket = connectSocket(port, '127.0.0.1', () => socket.end(text))
    let answer = ''
    socket.setEncoding('latin1')
    socket.on('data', (chunk) => {
      answer += chunk
    })
    socket.on('close', () => resolve(answer))
    socket.on('error', reject)
  })
}
