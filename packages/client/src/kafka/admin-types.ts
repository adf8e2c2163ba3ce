/** What the parts of `KafkaAdmin` have in common, and what they tell. */
import type { Clock, RequestContext, TopicId, TopicInfo } from '@kaska/protocol'
import type { Cluster } from './cluster.ts'

export interface AdminSeams {
  readonly cluster: Cluster
  readonly clock: Clock
  /** Ends with the engine, or with the caller's signal. */
  run<T>(context: RequestContext, work: () => Promise<T>): Promise<T>
}

export interface ListedGroup {
  readonly name: string
  /** Kafka's word: `Empty`, `Stable`, ...; '' where the broker does not tell. */
  readonly state: string
  /** `consumer`; '' where nobody has ever been in it. */
  readonly protocolType: string
}

export interface DescribedMember {
  readonly memberId: string
  readonly groupInstanceId: string | null
  readonly clientId: string
  readonly clientHost: string
  readonly assignment: readonly { readonly topic: string; readonly partitions: readonly number[] }[]
}

export interface DescribedGroup extends ListedGroup {
  /** How it shares partitions out: `range`, `cooperative-sticky`, ...; '' where it does not. */
  readonly protocolName: string
  readonly members: readonly DescribedMember[]
}

export interface CommittedOffset {
  readonly topic: TopicInfo
  readonly partition: number
  readonly offset: number
  /** '' where it is what this library adds to its own commits. */
  readonly metadata: string
}

export interface TopicSetting {
  readonly name: string
  readonly value: string
  /** Is it not set for the topic itself? */
  readonly isDefault: boolean
  /** What counts where it is not set for the topic; undefined where the cluster does not tell. */
  readonly defaultValue: string | undefined
  /** `boolean`, `int`, `long`, `string`, `list`, ...; undefined where the cluster does not tell. */
  readonly type: string | undefined
  /** Kafka's, which has HTML in it. */
  readonly doc: string | undefined
}

/** A partition of a topic. */
export interface PartitionPlace {
  readonly topic: TopicId
  readonly partition: number
}
