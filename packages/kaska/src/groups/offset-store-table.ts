/**
 * Committed offsets in memory: a group's name, a topic and a partition to a cell.
 *
 *   cell   value      what was applied last, durable or not
 *          pending    for each change that is not settled, in their order: what is there if it, and
 *                     those before it, turn out to be refused
 *
 * So what is durable is the first of `pending`, and else the value. The table counts what it keeps:
 * the bytes in memory, by an estimate, and the offsets that may expire.
 */
import type { TopicId } from '@kaska/protocol'
import type { CommittedOffset } from '../topics/committed-offsets.ts'

/** A change of a cell that is neither durable nor refused yet. */
interface PendingChange {
  /** Which change: the same for all cells that it changes. */
  readonly change: object
  before: CommittedOffset | undefined
}

export interface Cell {
  value: CommittedOffset | undefined
  pending: PendingChange[] | undefined
}

type Cells = Map<number, Cell>
type Topics = Map<TopicId, Cells>

/** A partition of a group. */
export interface PartitionCell {
  readonly topic: TopicId
  readonly partition: number
  readonly cell: Cell
}

/** Measured (Node 24): what a name, a topic of it, and a partition of that take, beside their text. */
const groupBytes = 220
const topicBytes = 190
const cellBytes = 180
/** A character of text at most. */
const characterBytes = 2

export class OffsetTable {
  readonly #groups = new Map<string, Topics>()
  readonly #charge: (bytes: number) => void
  #bytes = 0
  #expirable = 0

  /** `charge` is told how many bytes more (or, negative, fewer) the table keeps. */
  constructor(charge: (bytes: number) => void) {
    this.#charge = charge
  }

  /** What is kept, by an estimate. */
  get bytes(): number {
    return this.#bytes
  }

  /** Offsets that may expire: those that were not committed natively. */
  get expirable(): number {
    return this.#expirable
  }

  /** Names that have something committed, or about to be. Valid while they come and go. */
  groups(): IterableIterator<string> {
    return this.#groups.keys()
  }

  hasGroup(group: string): boolean {
    return this.#groups.has(group)
  }

  /** The partitions of a group. Valid while they come and go. */
  *partitions(group: string): IterableIterator<PartitionCell> {
    for (const [topic, cells] of this.#groups.get(group) ?? []) {
      for (const [partition, cell] of cells) yield { topic, partition, cell }
    }
  }

  cell(group: string, topic: TopicId, partition: number): Cell | undefined {
    return this.#groups.get(group)?.get(topic)?.get(partition)
  }

  /** How many bytes a cell would take that is not there yet. */
  bytesOfNew(group: string, topic: TopicId): number {
    const topics = this.#groups.get(group)
    if (topics === undefined) {
      return groupBytes + characterBytes * group.length + topicBytes + cellBytes
    }
    return topics.has(topic) ? cellBytes : topicBytes + cellBytes
  }

  /** The cell, made where it is missing. One that stays without a value has to be dropped. */
  openCell(group: string, topic: TopicId, partition: number): Cell {
    let topics = this.#groups.get(group)
    if (topics === undefined) {
      topics = new Map()
      this.#groups.set(group, topics)
      this.#count(groupBytes + characterBytes * group.length)
    }
    let cells = topics.get(topic)
    if (cells === undefined) {
      cells = new Map()
      topics.set(topic, cells)
      this.#count(topicBytes)
    }
    let cell = cells.get(partition)
    if (cell === undefined) {
      cell = { value: undefined, pending: undefined }
      cells.set(partition, cell)
      this.#count(cellBytes)
    }
    return cell
  }

  /** Sets what a cell of the table holds. */
  setValue(cell: Cell, value: CommittedOffset | undefined): void {
    const before = cell.value
    cell.value = value
    this.#expirable += expirableIn(value) - expirableIn(before)
    const bytes = characterBytes * (metadataLength(value) - metadataLength(before))
    if (bytes !== 0) this.#count(bytes)
  }

  /** Removes the cell if there is nothing in it. */
  dropIfEmpty(group: string, topic: TopicId, partition: number): void {
    const topics = this.#groups.get(group)
    const cells = topics?.get(topic)
    const cell = cells?.get(partition)
    if (topics === undefined || cells === undefined || cell === undefined) return
    if (cell.value !== undefined || cell.pending !== undefined) return
    cells.delete(partition)
    this.#count(-cellBytes)
    if (cells.size === 0) this.#dropTopic(group, topics, topic)
  }

  /** Forgets a topic's partitions of one group, whatever is pending there. */
  forgetTopic(group: string, topic: TopicId): void {
    const topics = this.#groups.get(group)
    const cells = topics?.get(topic)
    if (topics === undefined || cells === undefined) return
    for (const cell of cells.values()) {
      this.setValue(cell, undefined)
      this.#count(-cellBytes)
    }
    cells.clear()
    this.#dropTopic(group, topics, topic)
  }

  #dropTopic(group: string, topics: Topics, topic: TopicId): void {
    topics.delete(topic)
    this.#count(-topicBytes)
    if (topics.size > 0) return
    this.#groups.delete(group)
    this.#count(-groupBytes - characterBytes * group.length)
  }

  #count(bytes: number): void {
    this.#bytes += bytes
    this.#charge(bytes)
  }
}

/** What is durable in a cell. */
export function durableIn(cell: Cell | undefined): CommittedOffset | undefined {
  const first = cell?.pending?.[0]
  return first === undefined ? cell?.value : first.before
}

function expirableIn(value: CommittedOffset | undefined): number {
  return value === undefined || value.isNative ? 0 : 1
}

function metadataLength(value: CommittedOffset | undefined): number {
  return value === undefined ? 0 : value.metadata.length
}
