/**
 * Committed offsets (contract 4), in the state log 'offsets': a group's name, a topic and a partition
 * to the offset of the next message that the group wants.
 *
 * What is committed is applied at once, and seen when it is durable: `committed` waits for the commits
 * of its partition that are under way. So it answers what was asked before it on the same connection,
 * and what it answers is never gone after a restart.
 *
 * An entry of the log: group (length and UTF-8), topic id (16 bytes), partition, offset. Entries of
 * topics that are no more are skipped at a start: a topic's id is never given twice.
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

/** What is under way for one partition of one group. */
interface Pending {
  /** What a restart would find. */
  durable: number | undefined
  /** The commit that came last. */
  latest: Promise<void>
}

type OffsetsByPartition = Map<number, number>

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
    const before = entries.map(({ topic, partition }) => this.#get(group, topic, partition))
    const chunks = entries.map((entry) => encodeEntry(group, entry))
    for (const { topic, partition, offset } of entries) this.#set(group, topic, partition, offset)
    const committing = this.#append(chunks)
    const settled: Promise<void> = committing.then(
      () => this.#end(group, entries, settled, true),
      () => this.#end(group, entries, settled, false),
    )
    for (const [index, { topic, partition }] of entries.entries()) {
      const key = keyOf(group, topic, partition)
      const pending = this.#pending.get(key)
      if (pending !== undefined) pending.latest = settled
      else this.#pending.set(key, { durable: before[index], latest: settled })
    }
    return committing
  }

  async committed(group: string, topic: TopicId, partition: number): Promise<number | undefined> {
    await this.#pending.get(keyOf(group, topic, partition))?.latest
    return this.#get(group, topic, partition)
  }

  async forgetTopic(topic: TopicId): Promise<void> {
    let visited = 0
    for (const [group, topics] of this.#groups) {
      topics.delete(topic)
      if (topics.size === 0) this.#groups.delete(group)
      if (++visited % sliceGroups === 0) await this.#options.clock.yield()
    }
  }

  async #append(chunks: readonly Chunks[]): Promise<void> {
    let acknowledged: Promise<void>
    this.#isAppending = true
    try {
      acknowledged = this.#log.append(chunks).acknowledged
    } finally {
      this.#isAppending = false
    }
    await acknowledged
  }

  /** A commit is durable, or is not in the log: what a later one has set stays either way. */
  #end(
    group: string,
    entries: readonly CommitEntry[],
    settled: Promise<void>,
    isDone: boolean,
  ): void {
    for (const { topic, partition, offset } of entries) {
      const key = keyOf(group, topic, partition)
      const pending = this.#pending.get(key)
      if (pending === undefined) continue
      if (isDone) pending.durable = offset
      if (pending.latest !== settled) continue
      this.#pending.delete(key)
      if (!isDone) this.#set(group, topic, partition, pending.durable)
    }
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
    const topic = topicIdOf(reader.bytes(topicIdBytes))
    const partition = reader.varint()
    const offset = reader.varint()
    if (this.#options.hasTopic(topic)) this.#set(group, topic, partition, offset)
  }

  *#entries(): IterableIterator<Chunks> {
    for (const [group, topics] of this.#groups) {
      for (const [topic, offsets] of topics) {
        for (const [partition, offset] of offsets) {
          yield encodeEntry(group, { topic, partition, offset })
        }
      }
    }
  }
}

function keyOf(group: string, topic: TopicId, partition: number): string {
  return `${topic}-${partition} ${group}`
}

function encodeEntry(group: string, { topic, partition, offset }: CommitEntry): Chunks {
  const writer = new ChunkWriter(64)
  writer.string(group)
  writer.copy(topicIdToBytes(topic) as Uint8Array)
  writer.varint(partition)
  writer.varint(offset)
  return writer.finish()
}
