/**
 * Deletes old messages: every now and then it looks at all partitions whose settings limit their age or
 * their size.
 *
 *   log open       asked each time
 *   log not open   looked at when the topic's `retentionDue` has come: at first, after its settings were
 *                  changed or one of its logs was closed, and then when something may have become too old.
 *                  The names in its directory and one small file tell; it is opened only to delete.
 *
 * So topics that nobody uses cost a comparison each time, and those without a limit nothing more. It takes
 * its time: a few partitions at once, with pauses.
 */
import { type Clock, KaskaError, type Timer } from '@kaska/protocol'
import type { LogConfig } from '../log/log-config.ts'
import type { Partition } from './partition.ts'
import type { Topic } from './topic.ts'
import { logConfigOf } from './topic-config.ts'
import { Turns } from './turns.ts'

export interface RetentionOptions {
  readonly clock: Clock
  /** `log.retention.check.interval.ms` */
  readonly checkMs: number
  /** Valid while topics come and go. */
  topics(): Iterable<Topic>
  partitionOf(topic: Topic, partition: number): Partition
  /** When a log that is not open may have something to delete: see `retentionDue` of the log. */
  dueOf(topic: Topic, partition: number, config: LogConfig): Promise<number>
  /** What a person who runs the broker should hear of. */
  report(line: string): void
}

/** As in Kafka: a start has other things to do first. */
const firstMsMax = 30_000
/** How often a walk over many topics looks whether others want a turn. */
const sliceTopics = 256
/** After so many looks at directories there is a pause: 100,000 take some minutes, and little of the disk. */
const looksBetweenPauses = 64
const pauseMs = 100

export class Retention {
  readonly #options: RetentionOptions
  readonly #turns: Turns
  #timer: Timer | undefined
  #running: Promise<void> | undefined
  #isClosed = false
  #looks = 0
  #endPause: (() => void) | undefined

  constructor(options: RetentionOptions) {
    this.#options = options
    this.#turns = new Turns(options.clock)
    this.#arm(Math.min(options.checkMs, firstMsMax))
  }

  /** Looks at all partitions, beginning now. */
  async run(): Promise<void> {
    while (this.#running !== undefined) await this.#running
    if (this.#isClosed) return
    this.#running = this.#pass()
    await this.#running
    this.#running = undefined
  }

  /** Resolves when what is under way has ended. */
  async close(): Promise<void> {
    this.#isClosed = true
    this.#timer?.cancel()
    this.#endPause?.()
    await this.#running
  }

  #arm(delayMs: number): void {
    if (this.#isClosed) return
    this.#timer = this.#options.clock.after(delayMs, () => {
      void this.run().then(() => this.#arm(this.#options.checkMs))
    })
  }

  /** Never rejects. */
  async #pass(): Promise<void> {
    const { clock, topics } = this.#options
    this.#turns.start()
    const opened = this.#openPartitions()
    // Those that are written are the ones that grow: they come first, and not after the pauses.
    for await (const partition of opened) await this.#retain(partition)
    let count = 0
    for (const topic of topics()) {
      if (this.#isClosed) return
      if (++count % sliceTopics === 0) await this.#turns.give()
      if (topic.retentionDue <= clock.now()) await this.#lookAt(topic)
    }
  }

  async *#openPartitions(): AsyncIterable<Partition> {
    let count = 0
    for (const topic of this.#options.topics()) {
      if (++count % sliceTopics === 0) await this.#turns.give()
      if (topic.used === undefined) continue
      for (const partition of topic.used.values()) {
        if (this.#isClosed) return
        if (++count % sliceTopics === 0) await this.#turns.give()
        if (isLimited(partition.log?.config)) yield partition
      }
    }
  }

  /** Looks at those of a topic's partitions whose logs are not open. */
  async #lookAt(topic: Topic): Promise<void> {
    const { clock, dueOf, partitionOf } = this.#options
    // What happens from here on (new settings, a log that is closed) sets an earlier time.
    topic.retentionDue = Number.POSITIVE_INFINITY
    const config = logConfigOf(topic)
    if (!isLimited(config)) return
    let due = Number.POSITIVE_INFINITY
    for (let number = 0; number < topic.partitions && !this.#isClosed; number++) {
      if (topic.used?.get(number)?.log !== undefined) continue
      try {
        await this.#pauseIfDue()
        let next = await dueOf(topic, number, config)
        if (next <= clock.now() && topic.isOpen && !this.#isClosed) {
          next = await this.#retain(partitionOf(topic, number))
        }
        due = Math.min(due, next)
      } catch (error) {
        due = 0
        this.#failed(error)
      }
    }
    topic.retentionDue = Math.min(topic.retentionDue, due)
  }

  /** When there may be something to delete again. Never rejects. */
  async #retain(partition: Partition): Promise<number> {
    await this.#turns.give()
    try {
      return await partition.retain()
    } catch (error) {
      this.#failed(error)
      return 0
    }
  }

  /** Of a full disk, or a log that is offline, its log speaks; a topic may be deleted meanwhile. */
  #failed(error: unknown): void {
    if (error instanceof KaskaError) return
    this.#options.report(`old messages cannot be deleted: ${error}`)
  }

  async #pauseIfDue(): Promise<void> {
    if (++this.#looks % looksBetweenPauses !== 0 || this.#isClosed) return
    await new Promise<void>((resolve) => {
      const timer = this.#options.clock.after(pauseMs, resolve)
      this.#endPause = () => {
        timer.cancel()
        resolve()
      }
    })
    this.#endPause = undefined
  }
}

function isLimited(config: LogConfig | undefined): boolean {
  return config?.retentionMs !== undefined || config?.retentionBytes !== undefined
}
