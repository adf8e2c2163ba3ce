/**
 * The settings of a topic, by Kafka's names: one table, and what a topic has that nobody set anything
 * for. The strongest counts:
 *
 *   set for the topic  >  set for the broker (broker-config.ts)  >  the default of who made it
 *
 * A topic that a Kafka client has made has Kafka's defaults. One that was made natively keeps its
 * messages for ever and takes messages of 64 MiB, unless the broker's configuration says otherwise.
 */
import { InvalidArgumentError } from '@kaska/protocol'
import { type BrokerConfig, brokerSetting } from './broker-config.ts'
import { nearNames } from './near-names.ts'
import { checkValue, type Setting } from './setting.ts'

/** What was set for a topic, by Kafka's names, as it was written. Checked. */
export type TopicConfig = ReadonlyMap<string, string>

/** What a topic has that nobody set anything for. */
export const noTopicConfig: TopicConfig = new Map()

/** By whose protocol a topic was made: that decides its defaults. */
export type TopicMaker = 'kaska' | 'kafka'

/** A setting of the broker that a topic's setting inherits; `scale`: its unit, in the topic's. */
interface Inherited {
  readonly name: string
  readonly scale?: number
}

export interface TopicSetting extends Setting {
  readonly default: string
  /** The default of topics that were made natively, where it differs. */
  readonly nativeDefault?: string
  /** The broker's settings that it inherits, the strongest first. */
  readonly inherits?: readonly Inherited[]
}

const mebibyte = 1024 * 1024
const longMax = '9223372036854775807'

const noCompaction = 'logs are not compacted'
const asItCame = 'batches are stored as they come'
const oneCopy = 'there is one copy of a partition'
const noTiers = 'all of a log is on one disk'
const bySync = 'when the disk has a message is for --sync to say'

const from = (...names: string[]): Inherited[] => names.map((name) => ({ name }))

/** All settings of a topic, in the order of their names. */
export const topicSettings: readonly TopicSetting[] = [
  {
    name: 'cleanup.policy',
    type: 'list',
    words: ['delete'],
    default: 'delete',
    inherits: from('log.cleanup.policy'),
    doc: 'What becomes of old messages: `delete` removes what retention.ms and retention.bytes no longer keep; without it nothing is removed.',
  },
  {
    name: 'compression.gzip.level',
    type: 'int',
    default: '-1',
    only: asItCame,
    doc: 'Batches are stored as they come.',
  },
  {
    name: 'compression.lz4.level',
    type: 'int',
    default: '9',
    only: asItCame,
    doc: 'Batches are stored as they come.',
  },
  {
    name: 'compression.type',
    type: 'string',
    default: 'producer',
    only: asItCame,
    doc: 'Batches are stored as they come: compressed as the producer chose.',
  },
  {
    name: 'compression.zstd.level',
    type: 'int',
    default: '3',
    only: asItCame,
    doc: 'Batches are stored as they come.',
  },
  {
    name: 'delete.retention.ms',
    type: 'long',
    default: '86400000',
    only: noCompaction,
    doc: 'For compacted topics, which there are none of.',
  },
  {
    name: 'file.delete.delay.ms',
    type: 'long',
    default: '0',
    only: 'a file that nobody reads any more is deleted at once',
    doc: 'A file of the log is deleted when its last reader is done with it.',
  },
  {
    name: 'flush.messages',
    type: 'long',
    default: longMax,
    only: bySync,
    doc: 'When the disk has a message is for `--sync` to say.',
  },
  {
    name: 'flush.ms',
    type: 'long',
    default: longMax,
    only: bySync,
    doc: 'When the disk has a message is for `--sync` to say.',
  },
  {
    name: 'follower.replication.throttled.replicas',
    type: 'list',
    default: '',
    only: oneCopy,
    doc: 'There is one copy of a partition.',
  },
  {
    name: 'index.interval.bytes',
    type: 'int',
    min: 0,
    default: '4096',
    inherits: from('log.index.interval.bytes'),
    doc: 'How many bytes of the log lie between two entries of its index.',
  },
  {
    name: 'leader.replication.throttled.replicas',
    type: 'list',
    default: '',
    only: oneCopy,
    doc: 'There is one copy of a partition.',
  },
  {
    name: 'local.retention.bytes',
    type: 'long',
    default: '-2',
    only: noTiers,
    doc: 'The same as retention.bytes.',
  },
  {
    name: 'local.retention.ms',
    type: 'long',
    default: '-2',
    only: noTiers,
    doc: 'The same as retention.ms.',
  },
  {
    name: 'max.compaction.lag.ms',
    type: 'long',
    default: longMax,
    only: noCompaction,
    doc: 'For compacted topics, which there are none of.',
  },
  {
    name: 'max.message.bytes',
    type: 'int',
    min: 0,
    default: '1048588',
    nativeDefault: String(64 * mebibyte + 64 * 1024),
    inherits: from('message.max.bytes'),
    doc:
      'The largest batch that the topic takes, as it is sent (compressed or not), with its header ' +
      'of 61 bytes. The native default is room for a message of 64 MiB.',
  },
  {
    name: 'message.timestamp.after.max.ms',
    type: 'long',
    min: 0,
    default: '3600000',
    nativeDefault: longMax,
    inherits: from('log.message.timestamp.after.max.ms'),
    doc: "A message whose sender's timestamp is further ahead of the broker's clock than this is refused.",
  },
  {
    name: 'message.timestamp.before.max.ms',
    type: 'long',
    default: longMax,
    only: "a sender's timestamps may be as old as they are",
    doc: "A sender's timestamps may be as old as they are.",
  },
  {
    name: 'message.timestamp.type',
    type: 'string',
    words: ['CreateTime', 'LogAppendTime'],
    default: 'CreateTime',
    inherits: from('log.message.timestamp.type'),
    doc: "Whether a message's timestamp is its sender's, or the broker's when it is appended.",
  },
  {
    name: 'min.cleanable.dirty.ratio',
    type: 'double',
    default: '0.5',
    only: noCompaction,
    doc: 'For compacted topics, which there are none of.',
  },
  {
    name: 'min.compaction.lag.ms',
    type: 'long',
    default: '0',
    only: noCompaction,
    doc: 'For compacted topics, which there are none of.',
  },
  {
    name: 'min.insync.replicas',
    type: 'int',
    default: '1',
    only: oneCopy,
    doc: 'There is one copy of a partition, and it is in sync.',
  },
  {
    name: 'preallocate',
    type: 'boolean',
    default: 'false',
    only: 'files grow as they are written',
    doc: 'Files grow as they are written.',
  },
  {
    name: 'remote.log.copy.disable',
    type: 'boolean',
    default: 'false',
    only: noTiers,
    doc: 'All of a log is on one disk.',
  },
  {
    name: 'remote.log.delete.on.disable',
    type: 'boolean',
    default: 'false',
    only: noTiers,
    doc: 'All of a log is on one disk.',
  },
  {
    name: 'remote.storage.enable',
    type: 'boolean',
    default: 'false',
    only: noTiers,
    doc: 'All of a log is on one disk.',
  },
  {
    name: 'retention.bytes',
    type: 'long',
    min: -1,
    default: '-1',
    inherits: from('log.retention.bytes'),
    doc: 'A partition that is larger loses its oldest files; -1: any size is kept.',
  },
  {
    name: 'retention.ms',
    type: 'long',
    min: -1,
    default: '604800000',
    nativeDefault: '-1',
    inherits: [
      { name: 'log.retention.ms' },
      { name: 'log.retention.minutes', scale: 60_000 },
      { name: 'log.retention.hours', scale: 3_600_000 },
    ],
    doc: 'Files of the log whose messages are all older are removed; -1: they are kept for ever.',
  },
  {
    name: 'segment.bytes',
    type: 'int',
    min: mebibyte,
    default: '1073741824',
    inherits: from('log.segment.bytes'),
    doc: 'A file of the log that would grow over this size is closed, and the next one begun.',
  },
  {
    name: 'segment.index.bytes',
    type: 'int',
    default: '10485760',
    only: 'an index grows with its file',
    doc: "A file's index is as large as it has to be.",
  },
  {
    name: 'segment.jitter.ms',
    type: 'long',
    default: '0',
    only: 'files are closed when segment.ms says',
    doc: 'Files of the log are closed when segment.ms says.',
  },
  {
    name: 'segment.ms',
    type: 'long',
    min: 1,
    default: '604800000',
    inherits: [{ name: 'log.roll.ms' }, { name: 'log.roll.hours', scale: 3_600_000 }],
    doc: 'A file of the log whose first message is older than this is closed at the next append.',
  },
  {
    name: 'unclean.leader.election.enable',
    type: 'boolean',
    default: 'false',
    only: oneCopy,
    doc: 'There is one copy of a partition.',
  },
]

const settingsByName: ReadonlyMap<string, TopicSetting> = new Map(
  topicSettings.map((setting) => [setting.name, setting]),
)

/** The setting of this name. */
export function topicSetting(name: string): TopicSetting | undefined {
  return settingsByName.get(name)
}

/** Checks settings as they came. Throws InvalidArgumentError for an unknown one or a wrong value. */
export function checkTopicConfig(config: ReadonlyMap<string, string>): TopicConfig {
  if (config.size === 0) return noTopicConfig
  for (const [name, value] of config) {
    const setting = settingsByName.get(name)
    if (setting === undefined) throw unknownTopicSetting(name)
    checkValue(setting, value)
  }
  return new Map(config)
}

/** The error for a name that no setting has. */
export function unknownTopicSetting(name: string): InvalidArgumentError {
  const near = nearNames(name, [...settingsByName.keys()])
  const hint =
    near.length === 0 ? 'see docs/reference/topic-config.md' : `is it ${near.join(' or ')}?`
  return new InvalidArgumentError(`a topic has no setting '${name.slice(0, 100)}'; ${hint}`)
}

/** A topic's settings, and what it has where they say nothing. */
export interface Configured {
  readonly config: TopicConfig
  readonly defaults: TopicDefaults
}

/** Where a value comes from. */
export type ValueSource = 'topic' | 'broker' | 'default'

/** A value of a setting that counts where no stronger one is there. */
export interface SourcedValue {
  readonly name: string
  /** In the unit of the topic's setting. */
  readonly value: string
  /** As it was written, in the unit of `name`. */
  readonly text: string
  readonly source: ValueSource
}

/** The defaults of all topics that were made by one protocol. */
export class TopicDefaults {
  readonly maker: TopicMaker
  /** For each setting what counts where nothing is set for the topic, the strongest first. */
  readonly #values: ReadonlyMap<string, readonly SourcedValue[]>

  constructor(maker: TopicMaker, { given }: Pick<BrokerConfig, 'given'>) {
    this.maker = maker
    this.#values = new Map(
      topicSettings.map((setting) => [setting.name, inheritedValues(setting, maker, given)]),
    )
  }

  valueOf(name: string): string {
    const value = this.#values.get(name)?.[0]?.value
    if (value === undefined) throw unknownTopicSetting(name)
    return value
  }

  /** All values that a setting has, the strongest first: the one that counts, and those behind it. */
  valuesOf(name: string, config: TopicConfig): readonly SourcedValue[] {
    const inherited = this.#values.get(name) ?? []
    const own = config.get(name)
    return own === undefined
      ? inherited
      : [{ name, value: own, text: own, source: 'topic' }, ...inherited]
  }
}

/** The defaults of topics under a broker's configuration, by who made the topic. */
export type DefaultsByMaker = Readonly<Record<TopicMaker, TopicDefaults>>

export function topicDefaults(config: Pick<BrokerConfig, 'given'>): DefaultsByMaker {
  return {
    kaska: new TopicDefaults('kaska', config),
    kafka: new TopicDefaults('kafka', config),
  }
}

function inheritedValues(
  { name, inherits = [], default: kafkaDefault, nativeDefault }: TopicSetting,
  maker: TopicMaker,
  given: ReadonlyMap<string, string>,
): SourcedValue[] {
  const values: SourcedValue[] = []
  for (const { name: brokerName, scale = 1 } of inherits) {
    const text = given.get(brokerName)
    if (text === undefined) continue
    values.push({ name: brokerName, value: scaled(text, scale), text, source: 'broker' })
  }
  const value = maker === 'kafka' ? kafkaDefault : (nativeDefault ?? kafkaDefault)
  // Kafka calls a default by the broker's setting that would replace it.
  const inherited = inherits.find((each) => brokerSetting(each.name)?.default !== undefined)
  const text = inherited?.scale === undefined ? value : unscaled(value, inherited.scale)
  values.push({ name: inherited?.name ?? name, value, text, source: 'default' })
  return values
}

function unscaled(value: string, scale: number): string {
  return value === '-1' ? value : String(BigInt(value) / BigInt(scale))
}

/** In the topic's unit. Whatever is negative means for ever. */
function scaled(text: string, scale: number): string {
  if (!/^-?\d+$/.test(text)) return text
  const value = BigInt(text)
  return value < 0n ? '-1' : String(value * BigInt(scale))
}
