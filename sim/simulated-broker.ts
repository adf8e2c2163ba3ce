/**
 * A broker on a simulated machine: its disk stays when its process is killed, and loses what was not
 * synced when the power goes.
 *
 *   start() --> running --stop()--> down      all is closed properly
 *      ^           |-----kill()---> down      the process is gone, the system stays
 *      |           +--powerCut()--> down      the system is gone too
 *      +-----------------------------+
 */
import assert from 'node:assert/strict'
import type { Engine } from '@kaska/protocol'
import type { Broker } from '../packages/kaska/src/broker.ts'
import { createBroker } from '../packages/kaska/src/broker.ts'
import { createCodecs } from '../packages/kaska/src/host/codecs.ts'
import { loadCrc32c } from '../packages/kaska/src/host/crc32c.ts'
import { MemoryBudget } from '../packages/kaska/src/log/memory-budget.ts'
import {
  createNativeProtocol,
  type NativeProtocol,
} from '../packages/kaska/src/native/native-protocol.ts'
import type { ManualClock } from './manual-clock.ts'
import type { PlannedSync } from './plan.ts'
import type { SeededRandom } from './seeded-random.ts'
import type { SimulatedDisk } from './simulated-disk.ts'
import type { SimulatedNetwork } from './simulated-network.ts'
import {
  type DiskBehaviour,
  ProcessClock,
  ProcessDisk,
  SimulatedProcess,
} from './simulated-process.ts'

export interface SimulatedBrokerOptions {
  readonly clock: ManualClock
  readonly random: SeededRandom
  readonly disk: SimulatedDisk
  readonly diskBehaviour: DiskBehaviour
  readonly network: SimulatedNetwork
  readonly sync: PlannedSync
  readonly openPartitionsMax: number
  /** What the broker reports. */
  readonly report: (line: string) => void
  /** Called for every send and what came of it, where a run is to be looked at closely. */
  readonly traceSend: ((line: string) => void) | undefined
}

/** Far more than any run needs between two starts. */
const diskOperationsMax = 2_000_000

interface Running {
  readonly process: SimulatedProcess
  readonly broker: Broker
  readonly protocol: NativeProtocol
}

export class SimulatedBroker {
  readonly #options: SimulatedBrokerOptions
  #running: Running | undefined
  #starting: SimulatedProcess | undefined
  #starts = 0

  constructor(options: SimulatedBrokerOptions) {
    this.#options = options
  }

  get isRunning(): boolean {
    return this.#running !== undefined
  }

  get starts(): number {
    return this.#starts
  }

  /**
   * Resolves with whether it runs: it may be killed while it starts. Rejects when the broker cannot be
   * started: on a sound disk it always can.
   */
  async start(): Promise<boolean> {
    assert(this.#running === undefined && this.#starting === undefined, 'the broker runs')
    const { clock, disk, diskBehaviour, network, random, report, sync } = this.#options
    const process = new SimulatedProcess(`broker ${++this.#starts}`)
    const ownRandom = random.fork(process.name)
    const ownClock = new ProcessClock(clock, process)
    this.#starting = process
    const killed = new Promise<undefined>((resolve) => {
      process.onKill(() => resolve(undefined))
    })
    const created = createBroker({
      disk: new ProcessDisk({
        disk,
        clock,
        random: ownRandom.fork('disk'),
        process,
        behaviour: diskBehaviour,
        operationsMax: diskOperationsMax,
        kill: () => {
          if (sync === 'always' && ownRandom.chance(0.5)) this.powerCut()
          else this.kill()
        },
      }),
      sync,
      memoryBytesMax: 16 * 1024 * 1024,
      openPartitionsMax: this.#options.openPartitionsMax,
      clock: ownClock,
      random: ownRandom.fork('broker'),
      crc32c: loadCrc32c(),
      codecs: createCodecs(),
      report: (line) => {
        if (process.isAlive) report(line)
      },
    })
    let broker: Broker | undefined
    try {
      broker = await Promise.race([created, killed])
    } finally {
      this.#starting = undefined
    }
    if (broker === undefined) return false
    const { traceSend } = this.#options
    const { engine } = broker
    const protocol = createNativeProtocol({
      engine: traceSend === undefined ? engine : tracedEngine(engine, traceSend),
      clock: ownClock,
      budget: new MemoryBudget(16 * 1024 * 1024),
      identity: { software: broker.software, clusterId: broker.clusterId },
      report: (line) => {
        if (process.isAlive) report(line)
      },
    })
    this.#running = { process, broker, protocol }
    network.listen((transport) => protocol.accept(transport))
    return true
  }

  /** The process ends as on SIGTERM; it may be killed meanwhile. */
  async stop(): Promise<void> {
    const running = this.#running
    assert(running !== undefined, 'the broker does not run')
    const { broker, process, protocol } = running
    this.#options.network.stopListening()
    const killed = new Promise<void>((resolve) => {
      process.onKill(resolve)
    })
    await Promise.race([protocol.close().then(() => broker.close()), killed])
    this.kill()
  }

  /** The process, whether it runs or is being started or stopped, ends as on SIGKILL. */
  kill(): void {
    const process = this.#running?.process ?? this.#starting
    this.#running = undefined
    this.#options.network.refuse()
    process?.kill()
  }

  /** The machine loses its power: what was not synced is kept, lost or torn. */
  powerCut(): void {
    this.kill()
    this.#options.disk.crash()
  }
}

function tracedEngine(engine: Engine, trace: (line: string) => void): Engine {
  const send: Engine['send'] = async (request, context) => {
    const { parts, producer } = request
    const what = parts.map(({ baseSequence, batch, partition, topic }) => {
      const { recordCount } = batch
      return `${topic}-${partition} sequence ${baseSequence} + ${recordCount}`
    })
    const from = `${context.address} producer ${producer?.producerId}/${producer?.producerEpoch}`
    trace(`send   ${from}: ${what}`)
    const results = await engine.send(request, context)
    const ends = results.map((result) =>
      result.error === undefined ? `at ${result.baseOffset}` : result.error.message,
    )
    trace(`result ${from}: ${what}: ${ends}`)
    return results
  }
  return new Proxy(engine, {
    get: (target, name) => {
      if (name === 'send') return send
      const member: unknown = Reflect.get(target, name, target)
      return typeof member === 'function' ? member.bind(target) : member
    },
  })
}
