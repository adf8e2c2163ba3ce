/** The engine's contract on this broker's own engine: on each kind of disk, and in process. */
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import path from 'node:path'
import { SeededRandom } from '../../../sim/seeded-random.ts'
import { SimulatedDisk } from '../../../sim/simulated-disk.ts'
import { createBroker } from '../src/broker.ts'
import { MemoryDisk } from '../src/log/memory-disk.ts'
import { engineSuite } from './engine-suite.ts'

for (const sync of ['always', 'os'] as const) {
  engineSuite(`the local engine in memory, sync ${sync}`, async () => {
    const broker = await createBroker({ disk: new MemoryDisk(), sync })
    return { engine: broker.engine, close: () => broker.close() }
  })

  engineSuite(`the local engine on files, sync ${sync}`, async () => {
    const data = await mkdtemp(path.join(tmpdir(), 'kaska-engine-'))
    const broker = await createBroker({ data, sync })
    const close = async () => {
      await broker.close()
      await rm(data, { recursive: true })
    }
    return { engine: broker.engine, close }
  })
}

engineSuite('the local engine on a simulated disk', async () => {
  const broker = await createBroker({ disk: new SimulatedDisk(new SeededRandom(3)) })
  return { engine: broker.engine, close: () => broker.close() }
})

engineSuite('in process', async () => {
  const broker = await createBroker({ memory: true })
  return { engine: broker.inProcess(), close: () => broker.close() }
})
