/**
 * Deletes messages at the front of partitions, as an operator does: up to some offset, or what the
 * settings no longer keep, and looks where they begin.
 */
import type { Client } from '@kaska/client'
import { ClosedError } from '@kaska/protocol'
import type { LocalEngine } from '../../packages/kaska/src/topics/local-engine.ts'
import type { DeletionChecker } from '../checkers/deletion-checker.ts'
import type { PlannedTopic } from '../plan.ts'
import type { SeededRandom } from '../seeded-random.ts'
import type { Sleeper } from './sleeper.ts'

export interface TrimmerOptions {
  readonly name: string
  readonly client: Client
  /** Does something with the broker's engine; undefined: it does not run, or was killed meanwhile. */
  readonly operate: <T>(task: (engine: LocalEngine) => Promise<T>) => Promise<T | undefined>
  readonly clock: Sleeper
  readonly random: SeededRandom
  readonly topics: readonly PlannedTopic[]
  readonly deletions: DeletionChecker
  readonly isExpected: (error: unknown) => boolean
  readonly isOver: () => boolean
}

const context = { principal: null, clientId: 'operator', address: 'in-process' }

export class Trimmer {
  readonly #options: TrimmerOptions

  constructor(options: TrimmerOptions) {
    this.#options = options
  }

  async run(): Promise<void> {
    const { clock, isExpected, isOver, operate, random, topics } = this.#options
    while (!isOver()) {
      await clock.sleep(random.spread(1, 2000))
      const { name, partitions } = random.pick(topics)
      const partition = random.between(0, partitions - 1)
      try {
        const way = random.between(1, 10)
        if (way <= 5) await this.#delete(name, partition)
        else if (way <= 7) await operate((engine) => engine.applyRetention())
        else await this.#look(name, partition)
      } catch (error) {
        // The broker is being stopped.
        if (!isExpected(error) && !(error instanceof ClosedError)) throw error
      }
    }
  }

  async #delete(name: string, partition: number): Promise<void> {
    const { deletions, operate, random } = this.#options
    const startOffset = await operate(async (engine) => {
      const topic = engine.topicNamed(name)
      if (topic === undefined) return undefined
      const bounds = await engine.offsets(topic.id, partition, context)
      const count = bounds.endOffset - bounds.startOffset
      const isAll = random.chance(0.2)
      const offset = isAll ? undefined : bounds.startOffset + random.between(0, count)
      // All is what there is by then.
      deletions.asking(name, partition, offset ?? Number.POSITIVE_INFINITY)
      return await engine.deleteRecords(topic.id, partition, offset, context)
    })
    if (startOffset !== undefined) deletions.told(name, partition, startOffset)
  }

  async #look(name: string, partition: number): Promise<void> {
    const { client, deletions } = this.#options
    const floor = deletions.floorOf(name, partition)
    deletions.startRead(name, partition, await client.startOffset(name, partition), floor)
  }
}
