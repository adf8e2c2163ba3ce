/** The engine's contract on this broker's own engine, from inside and as a client in the process. */
import { createBroker } from '../src/broker.ts'
import { MemoryDisk } from '../src/log/memory-disk.ts'
import { engineSuite } from './engine-suite.ts'

for (const sync of ['always', 'os'] as const) {
  engineSuite(`the local engine, sync ${sync}`, async () => {
    const broker = await createBroker({ disk: new MemoryDisk(), sync })
    return { engine: broker.engine, close: () => broker.close() }
  })
}

engineSuite('in process', async () => {
  const broker = await createBroker({ memory: true })
  return { engine: broker.inProcess(), close: () => broker.close() }
})
