/**
 * The partitions of a mirror, and how those end that cannot go on: each is told in one line, and counted
 * once.
 */
import type { MirrorPartition, MirrorTopic } from './mirror-partition.ts'

export class PartitionTable implements Iterable<MirrorPartition> {
  /** Partitions and topics that could not be mirrored to the end, and offsets that were not carried. */
  failures = 0
  readonly #report: (line: string) => void
  readonly #partitions: MirrorPartition[] = []
  readonly #failedTopics = new Set<MirrorTopic>()

  constructor(report: (line: string) => void) {
    this.#report = report
  }

  get size(): number {
    return this.#partitions.length
  }

  add(partition: MirrorPartition): void {
    this.#partitions.push(partition)
  }

  [Symbol.iterator](): Iterator<MirrorPartition> {
    return this.#partitions.values()
  }

  /** All of them, those behind `last` first. */
  behindOf(last: MirrorPartition | undefined): MirrorPartition[] {
    const start = last === undefined ? 0 : this.#partitions.indexOf(last) + 1
    return [...this.#partitions.slice(start), ...this.#partitions.slice(0, start)]
  }

  /** Those that have not failed. */
  get live(): MirrorPartition[] {
    return this.#partitions.filter(({ state }) => state !== 'failed')
  }

  /** Messages that the source has and the target not yet, as far as is known. */
  get behind(): number {
    return this.#partitions.reduce((sum, { behind }) => sum + behind, 0)
  }

  /** Deleted at the source before they were mirrored. */
  get missed(): number {
    return this.#partitions.reduce((sum, { missed }) => sum + missed, 0)
  }

  /** Something beside a partition's messages went wrong. */
  warn(line: string): void {
    this.failures++
    this.#report(line)
  }

  fail(each: MirrorPartition, reason: string): void {
    each.state = 'failed'
    this.warn(`${each.label} is not mirrored any more: ${reason}`)
  }

  /** All partitions of a topic; `first` is one that has met the reason. */
  failTopic(name: string, reason: string, first?: MirrorPartition): void {
    const own = this.#partitions.filter(
      (each) => each.topic.name === name && (each === first || each.state !== 'failed'),
    )
    for (const each of own) each.state = 'failed'
    // One line for all of its partitions, whichever of them meets it first.
    if (own.length === 0 || (first !== undefined && this.#failedTopics.has(first.topic))) return
    for (const each of own) this.#failedTopics.add(each.topic)
    this.warn(`${name} is not mirrored any more: ${reason}`)
  }
}
