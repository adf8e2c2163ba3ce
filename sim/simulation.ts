/**
 * One run: a broker, its clients and their troubles, from a seed. The same seed gives the same run,
 * event by event: `trace` is a digest of it.
 *
 *   plan --> broker, network, disk   the real modules on simulated seams
 *            producers, consumers, owners of topics   the workload
 *            nemesis                                   the troubles
 *            checkers                                  the judges
 */
import type { Client } from '@kaska/client'
import { CommitChecker } from './checkers/commit-checker.ts'
import { DeletionChecker } from './checkers/deletion-checker.ts'
import { MessageChecker } from './checkers/message-checker.ts'
import { TopicChecker } from './checkers/topic-checker.ts'
import { BudgetExceededError, ManualClock } from './manual-clock.ts'
import { Nemesis, soundDisk, soundNetwork } from './nemesis.ts'
import { type Plan, planOf } from './plan.ts'
import { SeededRandom } from './seeded-random.ts'
import { SimulatedBroker } from './simulated-broker.ts'
import { connectSimulated } from './simulated-client.ts'
import { SimulatedDisk } from './simulated-disk.ts'
import { SimulatedNetwork } from './simulated-network.ts'
import { Consumer } from './workload/consumer.ts'
import { isExpectedError } from './workload/expected-errors.ts'
import { Producer } from './workload/producer.ts'
import { readEverything } from './workload/read-everything.ts'
import { TopicOwner } from './workload/topic-owner.ts'
import { Trimmer } from './workload/trimmer.ts'

/** What a run came to. */
export interface Outcome {
  readonly plan: Plan
  /** Undefined: every promise was kept. */
  readonly failure: Error | undefined
  /** A digest of what happened: the same for the same seed and the same code. */
  readonly trace: string
  readonly counts: Readonly<Record<string, number>>
  /** What happened to the broker, and what it said, with the simulated time. */
  readonly log: readonly string[]
}

export interface SimulationOptions {
  /** After so many events a run is given up as a failure. */
  readonly stepsMax?: number
  /** A shorter run than the seed would give. */
  readonly durationMsMax?: number
  /** Notes every send at the broker in the log. */
  readonly tracesSends?: boolean
}

export async function simulate(seed: number, options: SimulationOptions = {}): Promise<Outcome> {
  const random = new SeededRandom(seed)
  const planned = planOf(seed, random.fork('plan'))
  const durationMsMax = options.durationMsMax ?? Number.POSITIVE_INFINITY
  const plan = { ...planned, durationMs: Math.min(planned.durationMs, durationMsMax) }
  const simulation = new Simulation(plan, random, options)
  let failure: Error | undefined
  try {
    await simulation.clock.runUntil(simulation.run(), options.stepsMax ?? 3_000_000)
  } catch (error) {
    failure = error instanceof Error ? error : new Error(String(error))
    if (error instanceof BudgetExceededError) failure.message += `; ${simulation.unfinished}`
  }
  return { plan, failure, ...simulation.outcome() }
}

class Simulation {
  readonly clock = new ManualClock()
  readonly #plan: Plan
  readonly #random: SeededRandom
  readonly #network: SimulatedNetwork
  readonly #disk: SimulatedDisk
  readonly #broker: SimulatedBroker
  readonly #nemesis: Nemesis
  readonly #messages = new MessageChecker(() => this.clock.now())
  readonly #deletions: DeletionChecker
  readonly #commits = new CommitChecker()
  /** One for each owner of topics. */
  readonly #topics: TopicChecker[] = []
  readonly #consumers: Consumer[] = []
  readonly #log: string[] = []
  #isOver = false
  /** Who is still at work: to be told when a run does not end. */
  readonly #atWork = new Set<string>()

  constructor(plan: Plan, random: SeededRandom, options: SimulationOptions) {
    this.#plan = plan
    this.#random = random
    this.#deletions = new DeletionChecker({
      messages: this.#messages,
      topics: plan.topics,
      isFirm: plan.troubles.fullDisk === 0,
      hasJumps: plan.troubles.clockJump > 0,
      now: () => this.clock.now(),
    })
    const { clock } = this
    const report = (line: string): void => {
      this.#log.push(`${clock.monotonic().toFixed(1).padStart(9)} ms  ${line}`)
    }
    const diskBehaviour = { ...soundDisk }
    this.#network = new SimulatedNetwork(clock, random.fork('network'), { ...soundNetwork })
    this.#disk = new SimulatedDisk(random.fork('disk'))
    this.#broker = new SimulatedBroker({
      clock,
      random: random.fork('broker'),
      disk: this.#disk,
      diskBehaviour,
      network: this.#network,
      sync: plan.sync,
      limits: plan.limits,
      report: (line) => report(`broker: ${line}`),
      traceSend: options.tracesSends ? report : undefined,
    })
    this.#nemesis = new Nemesis({
      plan,
      clock,
      random: random.fork('nemesis'),
      broker: this.#broker,
      disk: this.#disk,
      diskBehaviour,
      network: this.#network,
      log: report,
    })
  }

  async run(): Promise<void> {
    await this.#broker.start()
    const admin = await this.#connect('admin')
    for (const { name, partitions, config } of this.#plan.topics) {
      await admin.createTopic(name, { partitions, config })
    }
    const actors = [...this.#producers(), ...this.#startConsumers(), ...this.#trimmers()]
    const owners = await this.#owners()
    const troubles = this.#nemesis.run().finally(() => {
      this.#isOver = true
    })
    const owning = owners.map((owner, index) => this.#track(`owner-${index}`, owner.run()))
    await Promise.all([this.#track('nemesis', troubles), ...actors, ...owning])
    for (const owner of owners) await owner.list()
    await this.#check(admin)
    await this.#restart()
    await this.#check(admin)
    for (const owner of owners) await owner.list()
    await admin.close()
    await this.#broker.stop()
  }

  outcome(): Pick<Outcome, 'trace' | 'counts' | 'log'> {
    const { broken, bytes, dialled } = this.#network.counts
    const counts = {
      ...this.#messages.counts,
      seen: sum(this.#consumers.map(({ seen }) => seen)),
      commits: this.#commits.counts.acknowledged,
      trimmed: this.#deletions.counts.told,
      retained: this.#deletions.counts.retained,
      created: sum(this.#topics.map(({ counts }) => counts.created)),
      deleted: sum(this.#topics.map(({ counts }) => counts.deleted)),
      starts: this.#broker.starts,
      connections: dialled,
      broken,
      bytes,
      steps: this.clock.steps,
      ms: Math.round(this.clock.monotonic()),
    }
    const text = [...Object.values(counts), ...this.#log].join('\n')
    return { trace: digest(text), counts, log: this.#log }
  }

  get unfinished(): string {
    return `still at work: ${[...this.#atWork].join(', ') || 'the checks'}`
  }

  async #track(name: string, work: Promise<void>): Promise<void> {
    this.#atWork.add(name)
    await work
    this.#atWork.delete(name)
  }

  #producers(): Promise<void>[] {
    return Array.from({ length: this.#plan.producers }, async (_, index) => {
      const name = `producer-${index}`
      const client = await this.#connect(name)
      const producer = new Producer({
        ...this.#common(name),
        client,
        topics: this.#plan.topics,
        checker: this.#messages,
        messageBytesMax: this.#plan.messageBytesMax,
        pauseMsMax: this.#plan.pace.producerMsMax,
      })
      await this.#track(name, producer.run())
      await this.#track(`the end of ${name}`, client.close())
    })
  }

  #groupOf(consumer: number): string {
    return `consumer-${consumer}`.padEnd(this.#plan.nameLength, 'x')
  }

  #startConsumers(): Promise<void>[] {
    return Array.from({ length: this.#plan.consumers }, (_, index) => {
      const name = `consumer-${index}`
      let connections = 0
      const consumer = new Consumer({
        ...this.#common(name),
        group: this.#groupOf(index),
        groups: Array.from({ length: this.#plan.consumers }, (_, other) => this.#groupOf(other)),
        connect: () => this.#connect(`${name}.${connections++}`),
        pollMs: this.#plan.pace.pollMs,
        topics: this.#plan.topics,
        messages: this.#messages,
        commits: this.#commits,
        deletions: this.#deletions,
      })
      this.#consumers.push(consumer)
      return this.#track(name, consumer.run())
    })
  }

  #trimmers(): Promise<void>[] {
    const topics = this.#plan.topics.filter(({ isTrimmed }) => isTrimmed)
    if (topics.length === 0) return []
    const run = async (): Promise<void> => {
      const name = 'trimmer'
      const client = await this.#connect(name)
      const trimmer = new Trimmer({
        ...this.#common(name),
        client,
        operate: (task) => this.#broker.operate(task),
        topics,
        deletions: this.#deletions,
      })
      await this.#track(name, trimmer.run())
      await client.close()
    }
    return [run()]
  }

  #owners(): Promise<TopicOwner[]> {
    const owners = Array.from({ length: this.#plan.topicOwners }, async (_, index) => {
      const name = `owner-${index}`.padEnd(3 * this.#plan.nameLength, 'x')
      const client = await this.#connect(name)
      const topics = new TopicChecker()
      this.#topics.push(topics)
      return new TopicOwner({ ...this.#common(name), client, topics })
    })
    return Promise.all(owners)
  }

  #common(name: string) {
    return {
      name,
      clock: this.clock,
      random: this.#random.fork(name),
      isExpected: isExpectedError,
      isOver: () => this.#isOver,
    }
  }

  /** Tries until there is a broker. */
  async #connect(name: string): Promise<Client> {
    for (;;) {
      try {
        return await connectSimulated({
          name,
          clock: this.clock,
          random: this.#random.fork(`client ${name}`),
          network: this.#network,
          options: this.#plan.client,
        })
      } catch (error) {
        if (!isExpectedError(error)) throw error
        await this.clock.sleep(50)
      }
    }
  }

  /** Crashes the broker once more, as hard as the sync mode promises to endure. */
  async #restart(): Promise<void> {
    if (this.#plan.sync === 'always') this.#broker.powerCut()
    else this.#broker.kill()
    await this.#broker.start()
  }

  /** Reads everything from the start, and compares. */
  async #check(admin: Client): Promise<void> {
    const reader = await this.#connect('reader')
    await readEverything(reader, this.#plan.topics, this.#messages, this.#deletions)
    await reader.close()
    for (const consumer of this.#consumers) await consumer.check(admin)
  }
}

function sum(numbers: readonly number[]): number {
  return numbers.reduce((total, number) => total + number, 0)
}

/** FNV-1a of 53 bits. */
function digest(text: string): string {
  let low = 0x811c9dc5
  let high = 0x1b873593
  for (let index = 0; index < text.length; index++) {
    low = Math.imul(low ^ text.charCodeAt(index), 0x01000193)
    high = Math.imul(high ^ text.charCodeAt(index), 0x85ebca6b) ^ (high >>> 15)
  }
  return [low, high].map((part) => (part >>> 0).toString(16).padStart(8, '0')).join('')
}
