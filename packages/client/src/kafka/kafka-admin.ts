/**
 * What people who look after a cluster ask of it, beyond what every engine can do: consumer groups and what
 * they have committed, the settings of topics, more partitions, fewer messages, bounds and sizes of many
 * partitions at once. `KafkaEngine.admin` is one.
 *
 * Requests go to whoever leads, coordinates or controls, for as many groups or partitions together as may be.
 * What only asks is asked again while the cluster settles. Everything rejects with ClosedError when the
 * engine is closed, with the signal's reason, and with ConnectionError, NotAuthorizedError,
 * UnsupportedVersionError.
 */
import type { KaskaError, OffsetBounds, RequestContext, TopicInfo } from '@kaska/protocol'
import { AdminGroups } from './admin-groups.ts'
import { AdminPartitions } from './admin-partitions.ts'
import { AdminTopics } from './admin-topics.ts'
import type {
  AdminSeams,
  CommittedOffset,
  DescribedGroup,
  ListedGroup,
  PartitionPlace,
  TopicSetting,
} from './admin-types.ts'

export class KafkaAdmin {
  readonly #seams: AdminSeams
  readonly #groups: AdminGroups
  readonly #topics: AdminTopics
  readonly #partitions: AdminPartitions

  constructor(seams: AdminSeams) {
    this.#seams = seams
    this.#groups = new AdminGroups(seams)
    this.#topics = new AdminTopics(seams)
    this.#partitions = new AdminPartitions(seams)
  }

  /** All groups of consumers, and names that somebody has committed under, by name. Share groups and groups
   * of Kafka Streams' own protocol, which commit nothing that others could read, are not among them. */
  listGroups(context: RequestContext): Promise<readonly ListedGroup[]> {
    return this.#run(context, () => this.#groups.list())
  }

  /** In the order of the names; undefined where there is no such group. */
  describeGroups(
    names: readonly string[],
    context: RequestContext,
  ): Promise<readonly (DescribedGroup | undefined)[]> {
    return this.#run(context, () => this.#groups.describe(names))
  }

  /** All that each has committed in topics that are there, in the order of the names. */
  committedOffsets(
    names: readonly string[],
    context: RequestContext,
  ): Promise<readonly (readonly CommittedOffset[])[]> {
    return this.#run(context, () => this.#groups.committed(names))
  }

  /** Deletes a group that nobody is in, with what it has committed; false: there is none. Rejects with
   * GroupActiveError. */
  deleteGroup(name: string, context: RequestContext): Promise<boolean> {
    return this.#run(context, () => this.#groups.delete(name))
  }

  /** All settings of topics, or those of `keys`, by name; in the order of the topics. An error, such as
   * UnknownTopicError and NotAuthorizedError, is of one topic. */
  describeSettings(
    topics: readonly string[],
    context: RequestContext,
    keys: readonly string[] | null = null,
  ): Promise<readonly (readonly TopicSetting[] | KaskaError)[]> {
    return this.#run(context, () => this.#topics.settings(topics, keys))
  }

  /** Sets what is given, and takes back to its default what is null: all or nothing, and seen by
   * `describeSettings` when it resolves. Rejects with InvalidArgumentError, UnknownTopicError. */
  alterTopic(
    topic: string,
    changes: ReadonlyMap<string, string | null>,
    context: RequestContext,
  ): Promise<void> {
    return this.#run(context, () => this.#topics.alter(topic, changes))
  }

  /** Gives a topic so many partitions, which have to be more than it has; every broker knows of them when it
   * resolves. Rejects with InvalidArgumentError, UnknownTopicError. */
  growTopic(topic: string, partitions: number, context: RequestContext): Promise<TopicInfo> {
    return this.#run(context, () => this.#topics.grow(topic, partitions))
  }

  /** Deletes what is before the offset, or all; resolves with the first offset that is left. Rejects with
   * OffsetOutOfRangeError, UnknownTopicError, and InvalidArgumentError for a topic that is only compacted. */
  deleteRecords(
    place: PartitionPlace,
    offset: number | undefined,
    context: RequestContext,
  ): Promise<number> {
    return this.#run(context, () => this.#partitions.deleteRecords(place, offset))
  }

  /** Where partitions begin and end, in their order; undefined where one has no leader now, or is not there. */
  bounds(
    places: readonly PartitionPlace[],
    context: RequestContext,
  ): Promise<readonly (OffsetBounds | undefined)[]> {
    return this.#run(context, () => this.#partitions.bounds(places))
  }

  /** The bytes of each partition of topics at its leader, in the order of the topics; undefined where they
   * are not known, or this user may not know them. */
  sizes(
    topics: readonly TopicInfo[],
    context: RequestContext,
  ): Promise<readonly (readonly (number | undefined)[])[]> {
    return this.#run(context, () => this.#partitions.sizes(topics))
  }

  #run<T>(context: RequestContext, work: () => Promise<T>): Promise<T> {
    return this.#seams.run(context, work)
  }
}
