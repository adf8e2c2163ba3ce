/**
 * The broker's configuration by Kafka's names: one table, from which follow what is accepted, what the
 * parts of the broker are given (`BrokerConfig`), what clients are told, and the page of the reference.
 *
 * The settings that topics inherit hold for every topic when they are set. Where they are not, topics
 * that Kafka's clients make have Kafka's defaults, and others have Kaska's own: see topic-settings.ts.
 */
import { InvalidArgumentError } from '@kaska/protocol'
import { nearNames } from './near-names.ts'
import { checkValue, int32Max, numberOf, type Setting, type SettingType } from './setting.ts'

/** A row, which remembers the type of its value. */
interface Row<T> extends Setting {
  readonly value?: T
}

type Bounds = Pick<Setting, 'min' | 'max'>

const bool = (name: string, initial: boolean, doc: string): Row<boolean> => ({
  name,
  type: 'boolean',
  default: String(initial),
  doc,
})

const int = (name: string, initial: number, bounds: Bounds, doc: string): Row<number> =>
  number('int', name, initial, bounds, doc)

const long = (name: string, initial: number, bounds: Bounds, doc: string): Row<number> =>
  number('long', name, initial, bounds, doc)

/** A number that has no value unless it is set. */
const optional = (
  type: 'int' | 'long',
  name: string,
  bounds: Bounds,
  doc: string,
): Row<number | undefined> => ({ name, type, ...bounds, default: undefined, doc })

const word = (
  name: string,
  words: readonly string[],
  initial: string,
  doc: string,
): Row<string> => ({
  name,
  type: 'string',
  words,
  default: initial,
  doc,
})

function number(
  type: SettingType,
  name: string,
  initial: number,
  bounds: Bounds,
  doc: string,
): Row<number> {
  return { name, type, ...bounds, default: String(initial), doc }
}

/** How many partitions a topic may have. */
export const partitionsMax = 10_000

const mebibyte = 1024 * 1024

/** All settings, by what the broker's parts call them. */
const table = {
  autoCreateTopics: bool(
    'auto.create.topics.enable',
    true,
    'May a topic that a Kafka client asks for be made, where the client wants that?',
  ),
  connectionIdleMsMax: long(
    'connections.max.idle.ms',
    600_000,
    { min: 1000 },
    "A Kafka client's connection on which nothing was asked for so long is closed.",
  ),
  deleteTopics: bool('delete.topic.enable', true, 'May Kafka clients delete topics?'),
  fetchBytesMax: int(
    'fetch.max.bytes',
    57_671_680,
    { min: 1024 },
    'What one fetch of a Kafka client may bring; an eighth of the memory (`--memory-bytes`) at most.',
  ),
  groupInitialRebalanceDelayMs: int(
    'group.initial.rebalance.delay.ms',
    0,
    { min: 0 },
    "How long a new group waits for further members. (Kafka's default is 3000: here a lone consumer starts at once.)",
  ),
  groupSessionTimeoutMsMax: int(
    'group.max.session.timeout.ms',
    1_800_000,
    { min: 1 },
    "The longest session timeout that a group's member may ask for.",
  ),
  groupSizeMax: int('group.max.size', int32Max, { min: 1 }, 'How many members a group may have.'),
  groupSessionTimeoutMsMin: int(
    'group.min.session.timeout.ms',
    6_000,
    { min: 1 },
    "The shortest session timeout that a group's member may ask for.",
  ),
  logCleanupPolicy: {
    name: 'log.cleanup.policy',
    type: 'list',
    words: ['delete'],
    default: 'delete',
    doc: 'What becomes of old messages (the topic setting `cleanup.policy`).',
  } as Row<string>,
  logIndexIntervalBytes: int(
    'log.index.interval.bytes',
    4096,
    { min: 0 },
    'The topic setting `index.interval.bytes`.',
  ),
  logMessageTimestampAfterMsMax: long(
    'log.message.timestamp.after.max.ms',
    3_600_000,
    { min: 0 },
    'The topic setting `message.timestamp.after.max.ms`.',
  ),
  logMessageTimestampType: word(
    'log.message.timestamp.type',
    ['CreateTime', 'LogAppendTime'],
    'CreateTime',
    'The topic setting `message.timestamp.type`.',
  ),
  logRetentionBytes: long(
    'log.retention.bytes',
    -1,
    { min: -1 },
    'The topic setting `retention.bytes`.',
  ),
  logRetentionCheckMs: long(
    'log.retention.check.interval.ms',
    300_000,
    { min: 1 },
    'How often is looked for messages that are no longer to be kept.',
  ),
  logRetentionHours: int(
    'log.retention.hours',
    168,
    { min: -int32Max - 1 },
    'The topic setting `retention.ms`, in hours.',
  ),
  logRetentionMinutes: optional(
    'int',
    'log.retention.minutes',
    {},
    'The topic setting `retention.ms`, in minutes; comes before the hours.',
  ),
  logRetentionMs: optional(
    'long',
    'log.retention.ms',
    {},
    'The topic setting `retention.ms`; comes before the minutes and the hours.',
  ),
  logRollHours: int('log.roll.hours', 168, { min: 1 }, 'The topic setting `segment.ms`, in hours.'),
  logRollMs: optional(
    'long',
    'log.roll.ms',
    { min: 1 },
    'The topic setting `segment.ms`; comes before the hours.',
  ),
  logSegmentBytes: int(
    'log.segment.bytes',
    1024 * mebibyte,
    { min: mebibyte },
    'The topic setting `segment.bytes`.',
  ),
  fetchSessionsMax: int(
    'max.incremental.fetch.session.cache.slots',
    1000,
    { min: 0 },
    'How many fetch sessions of Kafka clients are kept; a client without one names its partitions in each fetch.',
  ),
  describedPartitionsMax: int(
    'max.request.partition.size.limit',
    2000,
    { min: 1 },
    'How many partitions one answer to DescribeTopicPartitions has.',
  ),
  messageBytesMax: int(
    'message.max.bytes',
    1_048_588,
    { min: 0 },
    'The topic setting `max.message.bytes`.',
  ),
  partitions: int(
    'num.partitions',
    1,
    { min: 1, max: partitionsMax },
    'How many partitions a topic has that a Kafka client makes without saying.',
  ),
  offsetMetadataBytesMax: int(
    'offset.metadata.max.bytes',
    4096,
    { min: 0 },
    'The longest text that may be committed with an offset.',
  ),
  offsetsRetentionCheckMs: long(
    'offsets.retention.check.interval.ms',
    600_000,
    { min: 1 },
    'How often is looked for committed offsets that are no longer to be kept.',
  ),
  offsetsRetentionMinutes: int(
    'offsets.retention.minutes',
    10_080,
    { min: 1 },
    'How long the offsets of a Kafka group without members are kept. (What was committed natively never expires.)',
  ),
  requestBytesMax: int(
    'socket.request.max.bytes',
    104_857_600,
    { min: 1024 },
    'The longest request of a Kafka client; half of the memory (`--memory-bytes`) at most.',
  ),
} as const

type Table = typeof table

/** What the parts of the broker are given: the values, by the names that they have in the table. */
export type BrokerValues = {
  readonly [Name in keyof Table]: Table[Name] extends Row<infer T> ? T : never
}

export interface BrokerConfig extends BrokerValues {
  /** What was set, by Kafka's names, as it was written. All else is at its default. */
  readonly given: ReadonlyMap<string, string>
}

/** All settings, in the order of their names. */
export const brokerSettings: readonly Setting[] = Object.values(table).sort((a, b) =>
  a.name < b.name ? -1 : 1,
)

const settingsByName: ReadonlyMap<string, Setting> = new Map(
  brokerSettings.map((setting) => [setting.name, setting]),
)

/** The setting of this name. */
export function brokerSetting(name: string): Setting | undefined {
  return settingsByName.get(name)
}

/** Configuration as it is given to a broker: by Kafka's names. */
export type GivenConfig = Readonly<Record<string, string | number | boolean>>

/** Checks a configuration. Throws InvalidArgumentError for an unknown name or a value that is refused. */
export function readBrokerConfig(config: GivenConfig = {}): BrokerConfig {
  const given = new Map<string, string>()
  for (const [name, value] of Object.entries(config)) {
    const setting = settingsByName.get(name)
    if (setting === undefined) throw unknownSetting(name)
    const text = String(value)
    checkValue(setting, text)
    given.set(name, text)
  }
  const values: Record<string, unknown> = { given }
  for (const [key, setting] of Object.entries(table) as [string, Setting][]) {
    values[key] = parsed(setting, given.get(setting.name) ?? setting.default)
  }
  const read = values as unknown as BrokerConfig
  checkTogether(read)
  return read
}

/** The configuration of a broker that was given none. */
export const defaultBrokerConfig: BrokerConfig = readBrokerConfig()

function parsed({ type }: Setting, text: string | undefined): unknown {
  if (text === undefined) return undefined
  if (type === 'boolean') return text.toLowerCase() === 'true'
  return type === 'string' || type === 'list' ? text : numberOf(text)
}

function checkTogether(config: BrokerConfig): void {
  const { groupSessionTimeoutMsMin: min, groupSessionTimeoutMsMax: max } = config
  if (min > max) {
    throw new InvalidArgumentError(
      `group.min.session.timeout.ms (${min}) is larger than group.max.session.timeout.ms (${max})`,
    )
  }
  for (const name of ['log.retention.ms', 'log.retention.minutes', 'log.retention.hours']) {
    if (Number(config.given.get(name) ?? -1) === 0) {
      throw new InvalidArgumentError(`${name} is -1 (for ever) or at least 1, not '0'`)
    }
  }
}

function unknownSetting(name: string): InvalidArgumentError {
  const near = nearNames(name, [...settingsByName.keys()])
  const hint =
    near.length === 0 ? 'see docs/reference/broker-config.md' : `is it ${near.join(' or ')}?`
  return new InvalidArgumentError(`the broker has no setting '${name.slice(0, 100)}'; ${hint}`)
}
