/**
 * Committed offsets (contract 4), in the state log 'offsets': a group's name, a topic and a partition
 * to the offset of the next message that the group wants.
 *
 * What is committed is applied at once, and seen when it is durable: `committed` waits for the commits
 * of its partition that are under way. So it answers what was asked before it on the same connection,
 * and what it answers is never gone after a restart.
 *
 * An entry of the log: group (length and UTF-8), then until its end: topic id (16 bytes), partition,
 * offset. Partitions of topics that are no more are skipped at a start: an id is never given twice.
 */
import {
  ChunkReader,
  type Chunks,
  ChunkWriter,
  type Clock,
  type CommitEntry,
  decodeUtf8,
  type TopicId,
  topicIdBytes,
  topicIdOf,
  topicIdToBytes,
} from '@kaska/protocol'
import type { State, StateLog } from '../log/state-log.ts'
import type { CommittedOffsets } from '../topics/committed-offsets.ts'

export interface OffsetStoreOptions {
  readonly clock: Clock
  /** Is there (still) a topic of this id? */
  hasTopic(id: TopicId): boolean
}

/** A commit whose fate is not known yet. */
interface Commit {
  readonly entries: readonly CommitEntry[]
  /** For each entry what is there if this commit, and those before it, turn out to be refused. */
  readonly before: (number | undefined)[]
}

/** What is under way for one group: in the order of the calls, and when the last of it settles. */
interface Pending {
  readonly commits: Commit[]
  settled: Promise<void>
}

type OffsetsByPartition = Map<number, number>

/** Partitions in one entry of a snapshot. */
const entriesAtOnce = 1000

/** Groups after which a long walk lets others have a turn. */
const sliceGroups = 1000

export class OffsetStore implements CommittedOffsets {
  readonly #options: OffsetStoreOptions
  readonly #groups = new Map<string, Map<TopicId, OffsetsByPartition>>()
  readonly #pending = new Map<string, Pending>()
  #log!: StateLog
  /** True while the log applies what this store appends, and has applied itself. */
  #isAppending = false

  private constructor(options: OffsetStoreOptions) {
    this.#options = options
  }

  static async open(
    directory: { openState(name: string, state: State): Promise<StateLog> },
    options: OffsetStoreOptions,
  ): Promise<OffsetStore> {
    const store = new OffsetStore(options)
    store.#log = await directory.openState('offsets', {
      apply: (entry) => {
        if (!store.#isAppending) store.#apply(entry)
      },
      entries: () => store.#entries(),
    })
    return store
  }

  commit(group: string, entries: readonly CommitEntry[]): Promise<void> {
    const commit = {
      entries,
      before: entries.map(({ topic, partition }) => this.#get(group, topic, partition)),
    }
    for (const { topic, partition, offset } of entries) this.#set(group, topic, partition, offset)
    const committing = this.#append(encodeEntry(group, entries))
    const settled = committing.then(
      () => this.#end(group, commit, true),
      () => this.#end(group, commit, false),
    )
    const pending = this.#pending.get(group)
    if (pending === undefined) {
      this.#pending.set(group, { commits: [commit], settled })
    } else {
      pending.commits.push(commit)
      pending.settled = settled
    }
    return committing
  }

  async committed(group: string, topic: TopicId, partition: number): Promise<number | undefined> {
    await this.#pending.get(group)?.settled
    return this.#durable(group, topic, partition)
  }

  async forgetTopic(topic: TopicId): Promise<void> {
    let visited = 0
    for (const [group, topics] of this.#groups) {
      topics.delete(topic)
      if (topics.size === 0) this.#groups.delete(group)
      if (++visited % sliceGroups === 0) await this.#options.clock.yield()
    }
  }

  async #append(entry: Chunks): Promise<void> {
    let acknowledged: Promise<void>
    this.#isAppending = true
    try {
      acknowledged = this.#log.append([entry]).acknowledged
    } finally {
      this.#isAppending = false
    }
    await acknowledged
  }

  /** A commit is durable, or is not in the log: what a later one has set stays either way. */
  #end(group: string, commit: Commit, isDone: boolean): void {
    const pending = this.#pending.get(group)
    if (pending === undefined) return
    const index = pending.commits.indexOf(commit)
    pending.commits.splice(index, 1)
    if (pending.commits.length === 0) this.#pending.delete(group)
    if (isDone) return
    const later = pending.commits.slice(index)
    for (const [at, { topic, partition }] of commit.entries.entries()) {
      const before = commit.before[at]
      if (!replaceBefore(later, topic, partition, before)) {
        this.#set(group, topic, partition, before)
      }
    }
  }

  /** What is durable: a commit may have begun since those that were under way have settled. */
  #durable(group: string, topic: TopicId, partition: number): number | undefined {
    for (const { before, entries } of this.#pending.get(group)?.commits ?? []) {
      const at = entries.findIndex(
        (entry) => entry.topic === topic && entry.partition === partition,
      )
      if (at >= 0) return before[at]
    }
    return this.#get(group, topic, partition)
  }

  #get(group: string, topic: TopicId, partition: number): number | undefined {
    return this.#groups.get(group)?.get(topic)?.get(partition)
  }

  #set(group: string, topic: TopicId, partition: number, offset: number | undefined): void {
    let topics = this.#groups.get(group)
    if (offset === undefined) {
      topics?.get(topic)?.delete(partition)
      return
    }
    if (topics === undefined) {
      topics = new Map()
      this.#groups.set(group, topics)
    }
    const offsets = topics.get(topic)
    if (offsets === undefined) topics.set(topic, new Map([[partition, offset]]))
    else offsets.set(partition, offset)
  }

  #apply(entry: Chunks): void {
    const reader = new ChunkReader(entry)
    const group = decodeUtf8(reader.field(), "a group's name")
    while (reader.remaining > 0) {
      const topic = topicIdOf(reader.bytes(topicIdBytes))
      const partition = reader.varint()
      const offset = reader.varint()
      if (this.#options.hasTopic(topic)) this.#set(group, topic, partition, offset)
    }
  }

  *#entries(): IterableIterator<Chunks> {
    for (const [group, topics] of this.#groups) {
      let entries: CommitEntry[] = []
      for (const [topic, offsets] of topics) {
        for (const [partition, offset] of offsets) {
          entries.push({ topic, partition, offset })
          if (entries.length < entriesAtOnce) continue
          yield encodeEntry(group, entries)
          entries = []
        }
      }
      if (entries.length > 0) yield encodeEntry(group, entries)
    }
  }
}

/** Tells the first later commit of the partition what is there if it is refused as well. */
function replaceBefore(
  later: readonly Commit[],
  topic: TopicId,
  partition: number,
  before: number | undefined,
): boolean {
  for (const commit of later) {
    const at = commit.entries.findIndex(
      (entry) => entry.topic === topic && entry.partition === partition,
    )
    if (at < 0) continue
    commit.before[at] = before
    return true
  }
  return false
}

function encodeEntry(group: string, entries: readonly CommitEntry[]): Chunks {
  const writer = new ChunkWriter(64 + 26 * entries.length)
  writer.string(group)
  for (const { topic, partition, offset } of entries) {
    writer.copy(topicIdToBytes(topic) as Uint8Array)
    writer.varint(partition)
    writer.varint(offset)
  }
  return writer.finish()
}
