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
import { noMembers } from '../packages/kaska/src/groups/no-members.ts'
import { OffsetStore } from '../packages/kaska/src/groups/offset-store.ts'
import { createCodecs } from '../packages/kaska/src/host/codecs.ts'
import { loadCrc32c } from '../packages/kaska/src/host/crc32c.ts'
import { DataDirectory } from '../packages/kaska/src/log/data-directory.ts'
import { MemoryBudget } from '../packages/kaska/src/log/memory-budget.ts'
import {
  createNativeProtocol,
  type NativeProtocol,
} from '../packages/kaska/src/native/native-protocol.ts'
import { LocalEngine } from '../packages/kaska/src/topics/local-engine.ts'
import { ProducerIds } from '../packages/kaska/src/topics/producer-ids.ts'
import { expanderOf } from '../packages/kaska/src/topics/record-walk.ts'
import { TopicStore } from '../packages/kaska/src/topics/topic-store.ts'
import type { ManualClock } from './manual-clock.ts'
import type { BrokerLimits, PlannedSync } from './plan.ts'
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
  readonly limits: BrokerLimits
  /** What the broker reports. */
  readonly report: (line: string) => void
  /** Called for every send and what came of it, where a run is to be looked at closely. */
  readonly traceSend: ((line: string) => void) | undefined
}

/** Far more than any run needs between two starts. */
const diskOperationsMax = 2_000_000

interface Parts {
  readonly directory: DataDirectory
  readonly engine: LocalEngine
  readonly protocol: NativeProtocol
}

interface Running extends Parts {
  readonly process: SimulatedProcess
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
    const { clock, network, random } = this.#options
    const process = new SimulatedProcess(`broker ${++this.#starts}`)
    const ownRandom = random.fork(process.name)
    const ownClock = new ProcessClock(clock, process)
    this.#starting = process
    const killed = new Promise<undefined>((resolve) => {
      process.onKill(() => resolve(undefined))
    })
    const created = this.#open(process, ownRandom, ownClock)
    let parts: Parts | undefined
    try {
      parts = await Promise.race([created, killed])
    } finally {
      this.#starting = undefined
    }
    if (parts === undefined) return false
    const { protocol } = parts
    this.#running = { process, ...parts }
    network.listen((transport) => protocol.accept(transport))
    return true
  }

  /** Puts the parts together as `createBroker` does, with all that can be set in reach. */
  async #open(
    process: SimulatedProcess,
    random: SeededRandom,
    clock: ProcessClock,
  ): Promise<Parts> {
    const { disk, diskBehaviour, limits, sync, traceSend } = this.#options
    const report = (line: string): void => {
      if (process.isAlive) this.#options.report(line)
    }
    const budget = new MemoryBudget(limits.memoryBytes, {
      tailBytesMax: limits.tailBytes,
      // What was used after it was freed is empty, and shows.
      freesOwned: true,
    })
    const directory = await DataDirectory.open({
      disk: new ProcessDisk({
        disk,
        clock: this.#options.clock,
        random: random.fork('disk'),
        process,
        behaviour: diskBehaviour,
        operationsMax: diskOperationsMax,
        kill: () => {
          if (sync === 'always' && random.chance(0.5)) this.powerCut()
          else this.kill()
        },
      }),
      clock,
      random: random.fork('broker'),
      crc32c: loadCrc32c(),
      syncMode: sync,
      budget,
      openFilesMax: limits.openFiles,
      syncsMax: limits.syncs,
      checkpointMs: limits.checkpointMs,
      report: ({ text }) => report(text),
    })
    try {
      const topics = await TopicStore.open(directory, random.fork('topics'))
      const offsets = await OffsetStore.open(directory, {
        clock,
        budget,
        membership: noMembers,
        topicName: (id) => topics.byId(id)?.name,
      })
      const producerIds = await ProducerIds.open(directory)
      const codecs = createCodecs()
      const engine = new LocalEngine({
        directory,
        topics,
        offsets,
        producerIds,
        budget,
        clock,
        openPartitionsMax: limits.openPartitions,
        retentionCheckMs: limits.retentionCheckMs,
        codecs,
        expander: expanderOf(codecs),
        report,
      })
      const protocol = createNativeProtocol({
        engine: traceSend === undefined ? engine : tracedEngine(engine, traceSend),
        clock,
        budget,
        identity: { software: 'kaska', clusterId: directory.clusterId },
        report,
      })
      return { directory, engine, protocol }
    } catch (error) {
      await directory.close()
      throw error
    }
  }

  /** Does something with the engine; undefined: there is none, or the process was killed meanwhile. */
  async operate<T>(task: (engine: LocalEngine) => Promise<T>): Promise<T | undefined> {
    const running = this.#running
    if (running === undefined) return undefined
    const { engine, process } = running
    let callOff = (): void => {}
    const killed = new Promise<undefined>((resolve) => {
      callOff = process.onKill(() => resolve(undefined))
    })
    try {
      return await Promise.race([task(engine), killed])
    } finally {
      callOff()
    }
  }

  /** The process ends as on SIGTERM; it may be killed meanwhile. */
  async stop(): Promise<void> {
    const running = this.#running
    assert(running !== undefined, 'the broker does not run')
    const { directory, engine, process, protocol } = running
    this.#options.network.stopListening()
    const killed = new Promise<void>((resolve) => {
      process.onKill(resolve)
    })
    const close = async (): Promise<void> => {
      const ended = engine.close()
      await protocol.close()
      await ended
      await directory.close()
    }
    await Promise.race([close(), killed])
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
