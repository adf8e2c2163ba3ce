/** What HTTP asks of a broker with logs of its own, joined of its topics, groups and committed offsets. */
import {
  type Clock,
  type CommitEntry,
  GroupActiveError,
  kafka,
  OverloadedError,
  PartitionOfflineError,
  type RequestContext,
  type TopicInfo,
  type TopicName,
} from '@kaska/protocol'
import { topicSetting } from './config/topic-settings.ts'
import type { GroupCoordinator } from './groups/group-coordinator.ts'
import type { OffsetStore } from './groups/offset-store.ts'
import type {
  BrokerParts,
  CommittedRow,
  Group,
  GroupAdmin,
  GroupMember,
  PartitionBounds,
  TopicAdmin,
} from './http/broker-parts.ts'
import type { LocalEngine } from './topics/local-engine.ts'
import { Slices } from './transport/slices.ts'

export interface LocalSources {
  readonly engine: LocalEngine
  readonly groups: GroupCoordinator
  readonly offsets: OffsetStore
  readonly clock: Clock
}

export function createLocalParts(sources: LocalSources): BrokerParts {
  return { topics: topicsOf(sources), groups: new LocalGroups(sources) }
}

function topicsOf({ engine }: LocalSources): TopicAdmin {
  return {
    async describeTopic(name: TopicName, context: RequestContext) {
      const topic = await engine.describeTopic(name, context)
      const defaults = engine.configOf(topic.id)?.defaults
      const config = topic.config.map((entry) => {
        const { type, doc, words } = topicSetting(entry.name) ?? {}
        return { ...entry, defaultValue: defaults?.valueOf(entry.name), type, doc, words }
      })
      return { ...topic, config }
    },
    boundsOf: (topic, context) => boundsOf(topic, engine, context),
    alterTopic: (name, changes, context) =>
      engine.alterTopic(name, (config) => changed(config, changes), context),
    growTopic: (name, partitions, context) => engine.growTopic(name, partitions, context),
    deleteRecords: (topic, partition, offset, context) =>
      engine.deleteRecords(topic, partition, offset, context),
  }
}

/** Partitions whose bounds are asked for at a time. */
const boundsAtOnce = 64

/** Where each partition begins and ends, and how large it is, in the order of their numbers. */
export async function boundsOf(
  { id, partitions }: TopicInfo,
  engine: Pick<LocalEngine, 'offsets' | 'extentOf'>,
  asking: RequestContext,
): Promise<PartitionBounds[]> {
  const boundsIn = async (partition: number): Promise<PartitionBounds> => {
    try {
      const bounds = await engine.offsets(id, partition, asking)
      return { ...bounds, bytes: (await engine.extentOf(id, partition))?.bytes ?? null }
    } catch (error) {
      if (!(error instanceof PartitionOfflineError)) throw error
      return { startOffset: null, endOffset: null, bytes: null }
    }
  }
  const all: PartitionBounds[] = []
  for (let first = 0; first < partitions; first += boundsAtOnce) {
    const count = Math.min(boundsAtOnce, partitions - first)
    const some = Array.from({ length: count }, (_, index) => boundsIn(first + index))
    all.push(...(await Promise.all(some)))
  }
  return all
}

function changed(
  current: ReadonlyMap<string, string>,
  changes: ReadonlyMap<string, string | null>,
): ReadonlyMap<string, string> {
  const config = new Map(current)
  for (const [name, value] of changes) {
    if (value === null) config.delete(name)
    else config.set(name, value)
  }
  return config
}

class LocalGroups implements GroupAdmin {
  readonly #sources: LocalSources

  constructor(sources: LocalSources) {
    this.#sources = sources
  }

  async *list(skipped: number): AsyncIterableIterator<Group> {
    const slices = new Slices(this.#sources.clock)
    let position = 0
    for (const { name, state, protocolType } of this.#sources.groups.list()) {
      if (slices.isDue) await slices.pause()
      if (position++ < skipped) continue
      yield new LocalGroup({ name, state, protocolType }, this.#sources)
    }
  }

  async describe(name: string): Promise<Group | undefined> {
    const { groups, offsets } = this.#sources
    await offsets.settled(name)
    const found = groups.describe(name)
    return found && new LocalGroup({ name, ...found }, this.#sources)
  }

  async committed(
    name: string,
    topic: TopicInfo,
    partitions: readonly number[],
  ): Promise<readonly (number | undefined)[]> {
    const { offsets } = this.#sources
    await offsets.settled(name)
    return partitions.map((partition) => offsets.durable(name, topic.id, partition)?.offset)
  }

  /** What consumers of Kafka's committed expires, and what others did not. */
  async move(
    name: string,
    entries: readonly CommitEntry[],
    context: RequestContext,
  ): Promise<void> {
    const { engine, offsets } = this.#sources
    if (!this.#isOfKafka(name)) {
      await engine.commit(name, entries, context)
      return
    }
    // From here to the commit nothing else has a turn.
    const nobody = { memberId: '', generationId: -1, groupInstanceId: null }
    if (offsets.checkCommit(name, nobody) !== kafka.errorCode.NONE) {
      throw new GroupActiveError(
        `'${name}' has members that are running, and they alone move its offsets: stop them first`,
      )
    }
    const commits = entries.map((entry) => ({ ...entry, leaderEpoch: -1, metadata: '' }))
    await offsets.commitFor(name, commits)
  }

  async delete(name: string): Promise<boolean> {
    const code = await this.#sources.groups.delete(name)
    const { NONE, GROUP_ID_NOT_FOUND, NON_EMPTY_GROUP } = kafka.errorCode
    if (code === NONE) return true
    if (code === GROUP_ID_NOT_FOUND) return false
    if (code === NON_EMPTY_GROUP) throw new GroupActiveError(`'${name}' has members: stop them`)
    throw new OverloadedError(`'${name}' cannot be deleted now; the broker's log says why`)
  }

  /** Had it members, or is the first that it has committed from a Kafka client? */
  #isOfKafka(name: string): boolean {
    const { groups, offsets } = this.#sources
    const description = groups.describe(name)
    if (description === undefined) return false
    if (description.protocolType !== '') return true
    for (const { value } of offsets.allDurable(name)) return !value.isNative
    return false
  }
}

/** Says its members and its offsets when it is asked for them: most of who list groups do not want both. */
class LocalGroup implements Group {
  readonly name: string
  readonly state: string
  readonly protocolType: string
  readonly #sources: LocalSources

  constructor(listed: Pick<Group, 'name' | 'state' | 'protocolType'>, sources: LocalSources) {
    this.name = listed.name
    this.state = listed.state
    this.protocolType = listed.protocolType
    this.#sources = sources
  }

  get protocolName(): string {
    return this.#sources.groups.describe(this.name)?.protocolName ?? ''
  }

  get members(): readonly GroupMember[] {
    const { protocolType } = this
    const { members = [] } = this.#sources.groups.describe(this.name) ?? {}
    return members.map(({ assignment, ...member }) => ({
      ...member,
      get assignment() {
        return protocolType === 'consumer' ? kafka.assignedPartitionsOf(assignment) : []
      },
    }))
  }

  get offsets(): Iterable<CommittedRow> {
    return this.#offsets()
  }

  *#offsets(): IterableIterator<CommittedRow> {
    const { offsets, engine } = this.#sources
    for (const { topic: id, partition, value } of offsets.allDurable(this.name)) {
      const topic = engine.topicById(id)
      if (topic !== undefined) yield { topic, partition, value }
    }
  }
}
