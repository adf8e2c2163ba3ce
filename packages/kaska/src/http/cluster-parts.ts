/**
 * What HTTP asks of a cluster of Apache Kafka behind a gateway: groups, settings, bounds and sizes are asked
 * of the cluster each time, for many together. What it does not tell is null: when something was
 * committed, what went through its brokers, and sizes that this user may not know.
 */
import type { KafkaEngine, TopicSetting } from '@kaska/client'
import {
  type CommitEntry,
  KaskaError,
  type OffsetBounds,
  type RequestContext,
  type TopicInfo,
  type TopicName,
  UnknownTopicError,
} from '@kaska/protocol'
import type {
  BrokerParts,
  DescribedSetting,
  Group,
  GroupAdmin,
  PartitionBounds,
  TopicAdmin,
} from './broker-parts.ts'
import type { FigureSource, Retention, TopicFigures } from './figure-source.ts'

/** What is used of the engine. */
export type ClusterEngine = Pick<KafkaEngine, 'admin' | 'commit' | 'resolve'>

export function createClusterParts(engine: ClusterEngine): BrokerParts {
  return { topics: topicsOf(engine), groups: new ClusterGroups(engine) }
}

function topicsOf(engine: ClusterEngine): TopicAdmin {
  const { admin } = engine
  return {
    async describeTopic(name: TopicName, context: RequestContext) {
      const [topic] = await engine.resolve([name], context)
      const [settings] = topic ? await admin.describeSettings([name.text], context) : []
      if (topic === undefined || settings === undefined) {
        throw new UnknownTopicError(`there is no topic '${name.text}'`)
      }
      if (settings instanceof KaskaError) throw settings
      return { ...topic, config: settings.map(describedSetting) }
    },
    async boundsOf(topic: TopicInfo, context: RequestContext): Promise<PartitionBounds[]> {
      const [bounds, [sizes = []]] = await Promise.all([
        admin.bounds(placesOf(topic), context),
        admin.sizes([topic], context),
      ])
      return bounds.map((known, partition) => {
        const { startOffset, endOffset } = known ?? { startOffset: null, endOffset: null }
        return { startOffset, endOffset, bytes: sizes[partition] ?? null }
      })
    },
    alterTopic: (name, changes, context) => admin.alterTopic(name, changes, context),
    growTopic: (name, partitions, context) => admin.growTopic(name, partitions, context),
    deleteRecords: (topic, partition, offset, context) =>
      admin.deleteRecords({ topic, partition }, offset, context),
  }
}

/** Groups whose members and offsets are asked for together: each may have those of 10,000 partitions. */
const groupsAtOnce = 50

class ClusterGroups implements GroupAdmin {
  readonly #engine: ClusterEngine

  constructor(engine: ClusterEngine) {
    this.#engine = engine
  }

  async *list(skipped: number, context: RequestContext): AsyncIterableIterator<Group> {
    const listed = await this.#engine.admin.listGroups(context)
    for (let start = skipped; start < listed.length; start += groupsAtOnce) {
      const names = listed.slice(start, start + groupsAtOnce).map(({ name }) => name)
      // One that is gone meanwhile is left out.
      for (const group of await this.#read(names, context)) if (group !== undefined) yield group
    }
  }

  async describe(name: string, context: RequestContext): Promise<Group | undefined> {
    const [group] = await this.#read([name], context)
    return group
  }

  async committed(
    name: string,
    topic: TopicInfo,
    partitions: readonly number[],
    context: RequestContext,
  ): Promise<readonly (number | undefined)[]> {
    const [rows = []] = await this.#engine.admin.committedOffsets([name], context)
    const here = rows.filter((row) => row.topic.id === topic.id)
    const offsets = new Map(here.map(({ partition, offset }) => [partition, offset]))
    return partitions.map((partition) => offsets.get(partition))
  }

  move(name: string, entries: readonly CommitEntry[], context: RequestContext): Promise<void> {
    return this.#engine.commit(name, entries, context)
  }

  delete(name: string, context: RequestContext): Promise<boolean> {
    return this.#engine.admin.deleteGroup(name, context)
  }

  async #read(
    names: readonly string[],
    context: RequestContext,
  ): Promise<readonly (Group | undefined)[]> {
    const { admin } = this.#engine
    const [groups, committed] = await Promise.all([
      admin.describeGroups(names, context),
      admin.committedOffsets(names, context),
    ])
    return groups.map((group, index): Group | undefined => {
      if (group === undefined) return undefined
      const offsets = (committed[index] ?? []).map(({ topic, partition, offset, metadata }) => {
        return { topic, partition, value: { offset, metadata, committedAt: null, isNative: false } }
      })
      return { ...group, offsets }
    })
  }
}

/** What a gateway shows of the topics of its cluster. */
export function createClusterFigures({
  admin,
}: ClusterEngine): Pick<FigureSource, 'retentionOf' | 'bounds' | 'topicFigures'> {
  return {
    async retentionOf(topics, context) {
      const names = topics.map(({ name }) => name)
      const settings = await admin.describeSettings(names, context, retentionSettings)
      return settings.map(retentionIn)
    },
    bounds: (places, context) => admin.bounds(places, context),
    async topicFigures(topics, _waitMs, context) {
      const [bounds, sizes] = await Promise.all([
        admin.bounds(topics.flatMap(placesOf), context),
        admin.sizes(topics, context),
      ])
      let first = 0
      return topics.map(({ partitions }, index) => {
        const here = bounds.slice(first, first + partitions)
        first += partitions
        return figuresOf(here, sizes[index] ?? [])
      })
    },
  }
}

function figuresOf(
  bounds: readonly (OffsetBounds | undefined)[],
  sizes: readonly (number | undefined)[],
): TopicFigures {
  let messages = 0
  for (const known of bounds)
    if (known !== undefined) messages += known.endOffset - known.startOffset
  const isSized = sizes.every((size) => size !== undefined)
  return {
    messages,
    bytes: isSized ? sizes.reduce((sum, size) => sum + size, 0) : null,
    isWhole: bounds.every((known) => known !== undefined),
    traffic: null,
  }
}

const retentionSettings = ['cleanup.policy', 'retention.ms', 'retention.bytes']

function retentionIn(settings: readonly TopicSetting[] | KaskaError): Retention {
  // It is gone, or this user may not know it.
  if (settings instanceof KaskaError) return {}
  const values = new Map(settings.map(({ name, value }) => [name, value]))
  const isDeleting = (values.get('cleanup.policy') ?? '').split(',').includes('delete')
  const limit = (name: string): number | null => {
    const value = Number(values.get(name) ?? -1)
    return isDeleting && value >= 0 ? value : null
  }
  return { retentionMs: limit('retention.ms'), retentionBytes: limit('retention.bytes') }
}

function describedSetting({ doc, ...setting }: TopicSetting): DescribedSetting {
  return { ...setting, doc: doc && plainText(doc) }
}

const entities = { lt: '<', gt: '>', amp: '&', quot: '"' } as const

/** Kafka's documentation, which is written for a web page. */
function plainText(html: string): string {
  return html
    .replace(/<\/?code>/g, '`')
    .replace(/<[^>]*>/g, '')
    .replace(/&(lt|gt|amp|quot);/g, (_, name: keyof typeof entities) => entities[name])
    .replace(/\s+/g, ' ')
    .trim()
}

function placesOf({ id, partitions }: TopicInfo) {
  return Array.from({ length: partitions }, (_, partition) => ({ topic: id, partition }))
}
