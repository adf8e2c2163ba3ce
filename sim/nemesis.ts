/** What goes wrong in a run, and when. In the end everything is healed. */
import type { ManualClock } from './manual-clock.ts'
import type { Plan, Troubles } from './plan.ts'
import type { SeededRandom } from './seeded-random.ts'
import type { SimulatedBroker } from './simulated-broker.ts'
import type { SimulatedDisk } from './simulated-disk.ts'
import type { NetworkBehaviour, SimulatedNetwork } from './simulated-network.ts'
import type { DiskBehaviour, DiskOperation } from './simulated-process.ts'

/** How the network and the disk are when nothing is wrong. */
export const soundNetwork: NetworkBehaviour = {
  delayMsMax: 2,
  breakage: 0,
  silence: 0,
  stall: 0,
  stallMsMax: 0,
  split: 0.1,
}
export const soundDisk: DiskBehaviour = {
  operationMsMax: 0.5,
  syncMsMax: 2,
  writeAtOnce: 0.5,
  failingSyncs: 0,
  failure: 0,
  lastOperation: undefined,
}

/** The rare ones are where a process has much to lose. */
const lastOperations: readonly DiskOperation[] = [
  'open',
  'rename',
  'rename',
  'remove',
  'remove',
  'truncate',
  'make directory',
  'sync directory',
  'sync',
  'write',
  'read',
]

export interface NemesisOptions {
  readonly plan: Plan
  readonly clock: ManualClock
  readonly random: SeededRandom
  readonly broker: SimulatedBroker
  readonly disk: SimulatedDisk
  readonly diskBehaviour: DiskBehaviour
  readonly network: SimulatedNetwork
  readonly log: (line: string) => void
}

export class Nemesis {
  readonly #options: NemesisOptions
  readonly #kinds: (keyof Troubles)[] = []
  readonly counts: Partial<Record<keyof Troubles, number>> = {}

  constructor(options: NemesisOptions) {
    this.#options = options
    for (const [kind, weight] of Object.entries(options.plan.troubles)) {
      for (let count = 0; count < weight; count++) this.#kinds.push(kind as keyof Troubles)
    }
  }

  async run(): Promise<void> {
    const { clock, plan, random } = this.#options
    const until = clock.monotonic() + plan.durationMs
    for (;;) {
      const pause = random.spread(1, plan.troubleMsMax)
      if (clock.monotonic() + pause >= until) break
      await clock.sleep(pause)
      if (this.#kinds.length === 0) continue
      const kind = random.pick(this.#kinds)
      this.counts[kind] = (this.counts[kind] ?? 0) + 1
      this.#options.log(kind)
      await this.#cause(kind)
    }
    await clock.sleep(Math.max(0, until - clock.monotonic()))
    await this.heal()
  }

  /** From here on nothing is wrong any more. */
  async heal(): Promise<void> {
    const { broker, disk, diskBehaviour, log, network } = this.#options
    log('heal')
    Object.assign(network.behaviour, soundNetwork)
    Object.assign(diskBehaviour, soundDisk)
    disk.bytesMax = Number.POSITIVE_INFINITY
    if (!broker.isRunning) await broker.start()
  }

  async #cause(kind: keyof Troubles): Promise<void> {
    const { broker, clock, diskBehaviour, network, random } = this.#options
    switch (kind) {
      case 'kill':
        broker.kill()
        return this.#restart()
      case 'lastOperation':
        diskBehaviour.lastOperation = random.pick(lastOperations)
        // What has not come by then comes at the stop, or at the next start.
        for (let count = 0; count < 50 && broker.isRunning; count++) await clock.sleep(20)
        if (broker.isRunning) await broker.stop()
        await this.#restart()
        diskBehaviour.lastOperation = undefined
        return
      case 'powerCut':
        broker.powerCut()
        return this.#restart()
      case 'stop':
        await broker.stop()
        return this.#restart()
      case 'breakConnections':
        network.breakConnections(random.pick([0.3, 1]))
        return
      case 'badNetwork':
        Object.assign(network.behaviour, {
          delayMsMax: random.spread(1, 200),
          breakage: random.pick([0, 0.01, 0.1]),
          silence: random.pick([0, 0.002]),
          stall: random.pick([0, 0.01]),
          stallMsMax: random.spread(10, 20_000),
          split: random.pick([0, 1]),
        })
        await clock.sleep(random.spread(10, 3000))
        Object.assign(network.behaviour, soundNetwork)
        return
      case 'fullDisk':
        await this.#fillDisk()
        return
      case 'failingSync':
        await this.#failSyncs()
        return
      case 'slowDisk':
        Object.assign(diskBehaviour, {
          operationMsMax: random.spread(1, 50),
          syncMsMax: random.spread(1, 500),
          writeAtOnce: random.pick([0, 0.5]),
        })
        await clock.sleep(random.spread(10, 2000))
        Object.assign(diskBehaviour, soundDisk)
        return
      case 'clockJump':
        clock.jump(random.pick([-86_400_000, -5000, 5000, 86_400_000 * 2]))
        return
    }
  }

  async #restart(): Promise<void> {
    const { broker, clock, log, random } = this.#options
    await clock.sleep(random.spread(0, 2000))
    // A start may be killed as well.
    while (!(await broker.start())) log('killed while it started')
    log('restarted')
  }

  /** Some room is left, which fills up while it lasts. The broker may be killed meanwhile. */
  async #fillDisk(): Promise<void> {
    const { broker, clock, disk, plan, random } = this.#options
    disk.bytesMax = disk.bytes + random.spread(0, 20_000)
    await clock.sleep(random.spread(10, 2000))
    if (plan.troubles.kill > 0 && random.chance(0.3)) {
      broker.kill()
      // A broker that cannot start for want of space is started again when there is some.
      try {
        await broker.start()
        await clock.sleep(random.spread(10, 1000))
      } catch {
        this.#options.log('no start on a full disk')
      }
    }
    disk.bytesMax = Number.POSITIVE_INFINITY
    if (!broker.isRunning) await broker.start()
  }

  async #failSyncs(): Promise<void> {
    const { broker, clock, diskBehaviour, plan, random } = this.#options
    diskBehaviour.failingSyncs = random.spread(1, 4)
    await clock.sleep(random.spread(10, 1000))
    diskBehaviour.failingSyncs = 0
    if (plan.sync === 'always' && random.chance(0.5)) broker.powerCut()
    else broker.kill()
    return this.#restart()
  }
}
