/** The engine's contract on a broker over a socket: client engine, frames, session, local engine. */
import { createNodeHost, createTcpDialer, NativeEngine } from '@kaska/client'
import { startBroker } from '../src/testing.ts'
import { engineSuite } from './engine-suite.ts'

engineSuite('a native connection', async () => {
  const kaska = await startBroker()
  const engine = new NativeEngine({
    dialer: createTcpDialer({ host: '127.0.0.1', port: kaska.port }),
    clock: createNodeHost().clock,
    clientId: 'suite',
    connectTimeoutMs: 5000,
    receiveBytesMax: 1 << 28,
    silenceMsMax: 10_000,
  })
  return { engine, close: () => kaska.close() }
})
