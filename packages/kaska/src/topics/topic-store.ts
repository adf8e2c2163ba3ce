/**
 * The topics, in the state log 'topics': created, deleted and changed durably, and seen by nobody
 * before that.
 *
 * Changes of one name are made one after the other (`#changes`): so a request to delete a topic that
 * is just being created waits for that, and what a connection asks for takes effect in its order.
 * Between the look whether there is such a change and the beginning of the next nothing is awaited.
 *
 * An entry of the log: a kind (u8), then
 *   1 created   topic id (16 bytes), creation number, partitions, settings, name (the rest)
 *   6 created   the same, by a Kafka client: its defaults are Kafka's
 *   2 deleted   topic id, partitions: what they left on the disk is to be removed
 *   3 changed   topic id, settings
 *   4 next      the next creation number: numbers are not given again when the last topic is gone
 *   5 removed   topic id: what a deleted topic left is gone
 *   7 grown     topic id, partitions: how many it has now
 * Settings are a count, then name and value each. Integers are varints, strings length-prefixed.
 */
import {
  ChunkReader,
  type Chunks,
  ChunkWriter,
  type CreateTopicRequest,
  createTopicId,
  decodeUtf8,
  InvalidArgumentError,
  noTopicId,
  PartitionOfflineError,
  type Random,
  TopicExistsError,
  type TopicId,
  topicIdBytes,
  topicIdOf,
  topicIdToBytes,
  UnknownTopicError,
} from '@kaska/protocol'
import { defaultBrokerConfig, partitionsMax } from '../config/broker-config.ts'
import {
  checkTopicConfig,
  type DefaultsByMaker,
  noTopicConfig,
  type TopicConfig,
  type TopicMaker,
  topicDefaults,
} from '../config/topic-settings.ts'
import type { State, StateLog } from '../log/state-log.ts'
import { Topic } from './topic.ts'
import { TopicMap } from './topic-map.ts'

const createdKind = 1
const deletedKind = 2
const changedKind = 3
const nextKind = 4
const removedKind = 5
const createdByKafkaKind = 6
const grownKind = 7

/** What the store needs of the data directory. */
export interface StateDirectory {
  openState(name: string, state: State): Promise<StateLog>
}

export class TopicStore {
  readonly #random: Random
  readonly #defaults: DefaultsByMaker
  readonly #topics = new TopicMap()
  /** Changes under way, by the topic's name; each settles and never rejects. */
  readonly #changes = new Map<string, Promise<void>>()
  /** Deleted topics that may have left something on the disk: their partitions. */
  readonly #leftovers = new Map<TopicId, number>()
  /** How many partitions topics are being given; a snapshot covers what was appended before it. */
  readonly #growing = new Map<Topic, number>()
  #log!: StateLog
  #nextCreated = 0
  #openCount = 0

  private constructor(random: Random, defaults: DefaultsByMaker) {
    this.#random = random
    this.#defaults = defaults
  }

  static async open(
    directory: StateDirectory,
    random: Random,
    defaults: DefaultsByMaker = topicDefaults(defaultBrokerConfig),
  ): Promise<TopicStore> {
    const store = new TopicStore(random, defaults)
    store.#log = await directory.openState('topics', {
      apply: (entry) => store.#apply(entry),
      entries: () => store.#entries(),
    })
    return store
  }

  /** How many topics there are. */
  get count(): number {
    return this.#openCount
  }

  get(name: string): Topic | undefined {
    return openOnly(this.#topics.get(name))
  }

  byId(id: TopicId): Topic | undefined {
    return openOnly(this.#topics.byId(id))
  }

  /** The topics from a creation number on, in the order of creation. Valid while topics come and go. */
  *from(created: number): IterableIterator<Topic> {
    for (const topic of this.#topics.from(created)) if (topic.isOpen) yield topic
  }

  /**
   * Another topic whose name differs from this one in nothing but dots and underscores: Kafka refuses such
   * pairs, since its metrics have one name for both.
   */
  colliding(name: string): Topic | undefined {
    return openOnly(this.#topics.colliding(name))
  }

  /** Settles when the change of this name that is under way does; undefined where there is none. */
  changeOf(name: string): Promise<void> | undefined {
    return this.#changes.get(name)
  }

  /**
   * Rejects with TopicExistsError, InvalidArgumentError, DiskFullError. The name's bytes go to the
   * disk as they came (contract 11).
   */
  async create(request: CreateTopicRequest, maker: TopicMaker = 'kaska'): Promise<Topic> {
    const { name, partitions } = request
    if (!(Number.isInteger(partitions) && partitions >= 1 && partitions <= partitionsMax)) {
      throw new InvalidArgumentError(
        `a topic has 1 to ${partitionsMax} partitions, not ${partitions}`,
      )
    }
    const config = checkTopicConfig(request.config)
    if (request.id !== undefined) checkTopicId(request.id)
    while (this.#changes.has(name.text)) await this.#changes.get(name.text)

    const existing = this.#topics.get(name.text)
    if (existing !== undefined) {
      // The request was sent again, since its answer was lost.
      if (request.id === existing.id) return existing
      throw new TopicExistsError(`there is a topic '${shown(name.text)}' already`)
    }
    const id = request.id ?? createTopicId(this.#random)
    if (this.#topics.byId(id) !== undefined || this.#leftovers.has(id)) {
      throw new InvalidArgumentError(`another topic has the id ${id}`)
    }
    const info = { name: name.text, id, partitions }
    const configured = { config, defaults: this.#defaults[maker] }
    const topic = new Topic(info, this.#nextCreated++, configured, 'creating')
    this.#topics.add(topic)
    await this.#change(topic, encodeCreated(topic, name.bytes), (isDone) => {
      if (isDone) {
        topic.state = 'live'
        this.#openCount++
      } else {
        this.#topics.remove(topic)
      }
    })
    return topic
  }

  /** Deleted topics whose partitions may still be on the disk: they are the caller's to remove. */
  leftovers(): { readonly id: TopicId; readonly partitions: number }[] {
    return Array.from(this.#leftovers, ([id, partitions]) => ({ id, partitions }))
  }

  /** Says that nothing is left of a deleted topic. Not waited for: to remove it again does no harm. */
  leftNothing(id: TopicId): void {
    if (!this.#leftovers.delete(id)) return
    const writer = startEntry(removedKind, id)
    this.#append(writer.finish(), false).catch(() => {})
  }

  /** Returns the topic that was deleted: see `leftovers`. Rejects with UnknownTopicError. */
  async delete(name: string): Promise<Topic> {
    while (this.#changes.has(name)) await this.#changes.get(name)
    const topic = this.#topics.get(name)
    if (topic === undefined) {
      // A creation that failed with the log may still be in it, and come back with the next start.
      if (this.#log.offline !== undefined) throw new PartitionOfflineError(this.#log.offline)
      throw unknownTopic(name)
    }
    topic.state = 'deleting'
    await this.#change(topic, encodeDeleted(topic), (isDone) => {
      if (isDone) {
        this.#remove(topic)
      } else {
        topic.state = 'live'
      }
    })
    return topic
  }

  /**
   * Gives a topic more partitions: they are there when this resolves. Rejects with UnknownTopicError,
   * InvalidArgumentError where it has as many, DiskFullError.
   */
  async grow(name: string, partitions: number): Promise<Topic> {
    while (this.#changes.has(name)) await this.#changes.get(name)
    const topic = this.#topics.get(name)
    if (topic === undefined) throw unknownTopic(name)
    const isMore = Number.isInteger(partitions) && partitions > topic.partitions
    if (!(isMore && partitions <= partitionsMax)) {
      throw new InvalidArgumentError(
        `the topic has ${topic.partitions} partitions, and may have up to ${partitionsMax}: not ${partitions}`,
      )
    }
    this.#growing.set(topic, partitions)
    await this.#change(topic, encodeGrown(topic.id, partitions), (isDone) => {
      this.#growing.delete(topic)
      if (isDone) topic.partitions = partitions
    })
    return topic
  }

  /**
   * Replaces a topic's settings by what `change` makes of them; what it throws rejects this.
   * UnknownTopicError, InvalidArgumentError, DiskFullError.
   */
  async configure(
    name: string,
    change: (config: TopicConfig) => ReadonlyMap<string, string>,
  ): Promise<Topic> {
    while (this.#changes.has(name)) await this.#changes.get(name)
    const topic = this.#topics.get(name)
    if (topic === undefined) throw unknownTopic(name)
    const previous = topic.config
    topic.config = checkTopicConfig(change(previous))
    await this.#change(topic, encodeChanged(topic), (isDone) => {
      if (!isDone) topic.config = previous
    })
    return topic
  }

  /** Records a change that was made in memory, and calls `end` when it is durable or has failed. */
  async #change(topic: Topic, entry: Chunks, end: (isDone: boolean) => void): Promise<void> {
    let settle = (): void => {}
    const settled = new Promise<void>((resolve) => {
      settle = resolve
    })
    this.#changes.set(topic.name, settled)
    let isDone = false
    try {
      await this.#append(entry, topic.state === 'deleting')
      isDone = true
    } finally {
      end(isDone)
      this.#changes.delete(topic.name)
      settle()
    }
  }

  /** Makes durable what was applied already. */
  async #append(entry: Chunks, urgent: boolean): Promise<void> {
    await this.#log.append([entry], { urgent, isApplied: true }).acknowledged
  }

  /** Replays an entry. One that a snapshot holds already changes nothing. */
  #apply(entry: Chunks): void {
    const reader = new ChunkReader(entry)
    const kind = reader.u8()
    if (kind === nextKind) {
      this.#nextCreated = Math.max(this.#nextCreated, reader.varint())
      return
    }
    const id = topicIdOf(reader.bytes(topicIdBytes))
    if (kind === createdKind || kind === createdByKafkaKind) {
      this.#applyCreated(id, kind === createdKind ? 'kaska' : 'kafka', reader)
      return
    }
    const topic = this.#topics.byId(id)
    if (kind === deletedKind) {
      if (topic !== undefined) this.#remove(topic)
      this.#leftovers.set(id, reader.varint())
    } else if (kind === removedKind) {
      this.#leftovers.delete(id)
    } else if (kind === changedKind && topic !== undefined) {
      topic.config = readConfig(reader)
    } else if (kind === grownKind && topic !== undefined) {
      topic.partitions = Math.max(topic.partitions, reader.varint())
    }
  }

  #remove(topic: Topic): void {
    this.#topics.remove(topic)
    this.#openCount--
    this.#leftovers.set(topic.id, topic.partitions)
  }

  #applyCreated(id: TopicId, maker: TopicMaker, reader: ChunkReader): void {
    const created = reader.varint()
    const partitions = reader.varint()
    const config = readConfig(reader)
    // Applied before: it is there, or it was deleted since.
    if (created < this.#nextCreated) return
    const name = decodeUtf8(reader.rest(), "a topic's name")
    this.#nextCreated = created + 1
    const configured = { config, defaults: this.#defaults[maker] }
    this.#topics.add(new Topic({ name, id, partitions }, created, configured, 'live'))
    this.#openCount++
  }

  /** What a snapshot holds. The last entry has to be the last: it tells which creations it covers. */
  *#entries(): IterableIterator<Chunks> {
    const encoder = new TextEncoder()
    for (const topic of this.#topics) {
      if (topic.state === 'deleting') yield encodeDeleted(topic)
      else yield encodeCreated(topic, [encoder.encode(topic.name)], this.#growing.get(topic))
    }
    for (const [id, partitions] of this.#leftovers) yield encodeDeleted({ id, partitions })
    const writer = new ChunkWriter(16)
    writer.u8(nextKind)
    writer.varint(this.#nextCreated)
    yield writer.finish()
  }
}

/** The error for a name that no topic has. */
export function unknownTopic(name: string): UnknownTopicError {
  return new UnknownTopicError(`there is no topic '${shown(name)}'`)
}

/** A name may have 65,534 bytes: an error's text shows its beginning. */
function shown(name: string): string {
  return name.length <= 200 ? name : `${name.slice(0, 200).toWellFormed()}...`
}

function openOnly(topic: Topic | undefined): Topic | undefined {
  return topic?.isOpen ? topic : undefined
}

/** An id is refused unless it is the one spelling of 16 bytes. */
function checkTopicId(id: TopicId): void {
  const bytes = topicIdToBytes(id)
  if (bytes === undefined || topicIdOf(bytes) !== id || id === noTopicId) {
    throw new InvalidArgumentError(`'${shown(id)}' is not a topic id`)
  }
}

function encodeCreated(topic: Topic, name: Chunks, partitions = topic.partitions): Chunks {
  const kind = topic.defaults.maker === 'kafka' ? createdByKafkaKind : createdKind
  const writer = startEntry(kind, topic.id)
  writer.varint(topic.created)
  writer.varint(partitions)
  writeConfig(writer, topic.config)
  writer.views(name)
  return writer.finish()
}

function encodeDeleted({ id, partitions }: Pick<Topic, 'id' | 'partitions'>): Chunks {
  const writer = startEntry(deletedKind, id)
  writer.varint(partitions)
  return writer.finish()
}

function encodeGrown(id: TopicId, partitions: number): Chunks {
  const writer = startEntry(grownKind, id)
  writer.varint(partitions)
  return writer.finish()
}

function encodeChanged(topic: Topic): Chunks {
  const writer = startEntry(changedKind, topic.id)
  writeConfig(writer, topic.config)
  return writer.finish()
}

function startEntry(kind: number, id: TopicId): ChunkWriter {
  const writer = new ChunkWriter(64)
  writer.u8(kind)
  writer.copy(topicIdToBytes(id) as Uint8Array)
  return writer
}

function writeConfig(writer: ChunkWriter, config: TopicConfig): void {
  writer.varint(config.size)
  for (const [name, value] of config) {
    writer.string(name)
    writer.string(value)
  }
}

function readConfig(reader: ChunkReader): TopicConfig {
  const count = reader.varint()
  if (count === 0) return noTopicConfig
  const config = new Map<string, string>()
  for (let index = 0; index < count; index++) {
    const name = decodeUtf8(reader.field(), 'a setting')
    config.set(name, decodeUtf8(reader.field(), "a setting's value"))
  }
  return config
}
