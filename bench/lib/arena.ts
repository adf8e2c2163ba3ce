/** The brokers of one run, the commands that are run on them in turn, and what is made of the figures. */
import type { ContenderName, Contenders } from './contender.ts'
import { type FranzFigures, type FranzOptions, runFranz } from './franz.ts'
import { median, pairedRatio, quantile } from './stats.ts'
import type { Aim, SuiteOptions } from './suite.ts'
import { cpuSecondsOf, type SyncMode } from './target.ts'

export const theirs = 'Apache Kafka'
export const ours = 'Kaska'

/** One command of the driver, and what it cost the broker. */
export interface Run extends FranzFigures {
  readonly brokerCpuSeconds: number
}

/** The runs of each broker, by round. */
export type Runs = ReadonlyMap<ContenderName, readonly Run[]>

export class Arena {
  readonly contenders: Contenders
  readonly sync: SyncMode
  readonly franz: string
  readonly #options: SuiteOptions

  constructor(franz: string, sync: SyncMode, contenders: Contenders, options: SuiteOptions) {
    this.franz = franz
    this.sync = sync
    this.contenders = contenders
    this.#options = options
  }

  get names(): ContenderName[] {
    return [...this.contenders.brokers.keys()]
  }

  pidOf(name: ContenderName): number {
    return this.contenders.brokers.get(name)?.pid ?? 0
  }

  async run(name: ContenderName, command: string, options: FranzOptions): Promise<Run> {
    const broker = this.contenders.brokers.get(name)
    if (broker === undefined) throw new Error(`${name} does not run`)
    const before = cpuSecondsOf(broker.pid)
    const figures = await runFranz(this.franz, command, broker.port, options)
    return { ...figures, brokerCpuSeconds: cpuSecondsOf(broker.pid) - before }
  }

  /**
   * Runs the commands on each broker in turn, on new topics, for some rounds; the first ones, in which
   * code is compiled, do not count. Returns the runs of each command.
   */
  async rounds(
    what: string,
    rounds: number,
    topic: FranzOptions,
    commands: readonly (readonly [name: string, options: FranzOptions])[],
    warmUps = 1,
  ): Promise<Runs[]> {
    const all = commands.map(() => new Map(this.names.map((name) => [name, [] as Run[]])))
    for (let round = 1 - warmUps; round <= rounds; round++) {
      for (const name of this.names) {
        this.#options.say(`${what}, sync ${this.sync}: ${name}, round ${round} of ${rounds}`)
        await this.run(name, 'create', topic)
        for (const [index, [command, options]] of commands.entries()) {
          const run = await this.run(name, command, { ...topic, ...options })
          if (round > 0) all[index]?.get(name)?.push(run)
        }
        await this.run(name, 'delete', topic)
      }
    }
    return all
  }
}

export const rate = ({ records, seconds }: Run): number => records / seconds
export const cpuPerMillion = ({ brokerCpuSeconds, records }: Run): number =>
  brokerCpuSeconds / (records / 1e6)
export const quantileOf = (share: number) => (run: Run) => quantile(run.micros ?? [], share)

export function medianOf(runs: Runs, name: ContenderName, figure: (run: Run) => number): number {
  return median((runs.get(name) ?? []).map(figure))
}

/** Ours to theirs, by round; undefined where there is nobody to compare with. */
export function ratioOf(runs: Runs, figure: (run: Run) => number): number | undefined {
  const their = runs.get(theirs)
  if (their === undefined) return undefined
  return pairedRatio((runs.get(ours) ?? []).map(figure), their.map(figure))
}

export interface Comparison {
  readonly figure: (run: Run) => number
  readonly digits: number
}

export const recordsPerSecond: Comparison = { figure: (run) => rate(run) / 1000, digits: 0 }
export const brokerCpu: Comparison = { figure: cpuPerMillion, digits: 3 }

/** The cells of one row: each broker's figure, then ours to Apache Kafka's. */
export function cells(arena: Arena, runs: Runs, { figure, digits }: Comparison): string[] {
  const each = arena.names.map((name) => medianOf(runs, name, figure).toFixed(digits))
  return [...each, ratioOf(runs, figure)?.toFixed(2) ?? '']
}

export const headOf = (arena: Arena, unit: string): string[] => [
  ...arena.names.map((name) => `${name}${unit === '' ? '' : `, ${unit}`}`),
  `${ours} : ${theirs}`,
]

export function aim(
  name: string,
  value: number | undefined,
  bound: { atLeast?: number; atMost?: number },
): Aim[] {
  return value === undefined ? [] : [{ name, value, unit: '', ...bound }]
}
