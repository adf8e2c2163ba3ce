/**
 * The settings of a topic, by Kafka's names: one table. A setting does what it says or is refused:
 * none is stored and ignored in silence. The table is what docs/reference/ is generated from.
 */
import { InvalidArgumentError, type TopicConfigEntry } from '@kaska/protocol'
import { defaultLogConfig, type LogConfig } from '../log/log-config.ts'

/** What was set for a topic, by Kafka's names, as it was written. Checked. */
export type TopicConfig = ReadonlyMap<string, string>

/** A setting of the table. */
export interface TopicSetting {
  readonly name: string
  /** An integer within bounds, or one of some words. */
  readonly type: { readonly min: number; readonly max: number } | { readonly words: string[] }
  readonly default: string
  /** What it does, for people. */
  readonly doc: string
}

/** A batch's length is an int32 on the disk. */
const int32Max = 0x7fffffff

const mebibyte = 1024 * 1024

export const topicSettings: readonly TopicSetting[] = [
  {
    name: 'index.interval.bytes',
    type: { min: 0, max: int32Max },
    default: '4096',
    doc: 'How many bytes of the log lie between two entries of its index.',
  },
  {
    name: 'max.message.bytes',
    type: { min: 0, max: int32Max },
    default: String(64 * mebibyte + 64 * 1024),
    doc:
      'The largest batch that the topic takes, as it is sent (compressed or not), with its header ' +
      'of 61 bytes. The default is room for a message of 64 MiB.',
  },
  {
    name: 'message.timestamp.type',
    type: { words: ['CreateTime', 'LogAppendTime'] },
    default: 'CreateTime',
    doc: "Whether a message's timestamp is its sender's, or the broker's when it is appended.",
  },
  {
    name: 'segment.bytes',
    type: { min: mebibyte, max: int32Max },
    default: '1073741824',
    doc: 'A file of the log that would grow over this size is closed, and the next one begun.',
  },
  {
    name: 'segment.ms',
    type: { min: 1, max: Number.MAX_SAFE_INTEGER },
    default: '604800000',
    doc: 'A file of the log whose first message is older than this is closed at the next append.',
  },
]

const settingsByName = new Map(topicSettings.map((setting) => [setting.name, setting]))

/** What a topic has that nobody set anything for. */
export const noTopicConfig: TopicConfig = new Map()

/** Checks settings as they came. Throws InvalidArgumentError for an unknown one or a wrong value. */
export function checkTopicConfig(config: ReadonlyMap<string, string>): TopicConfig {
  if (config.size === 0) return noTopicConfig
  for (const [name, value] of config) {
    const setting = settingsByName.get(name)
    if (setting === undefined) {
      const known = topicSettings.map((each) => each.name).join(', ')
      throw new InvalidArgumentError(`a topic has no setting '${name}'; there are ${known}`)
    }
    const reason = refuse(setting, value)
    if (reason !== undefined) throw new InvalidArgumentError(`${name} ${reason}, not '${value}'`)
  }
  return new Map(config)
}

function refuse({ type }: TopicSetting, value: string): string | undefined {
  if ('words' in type) {
    return type.words.includes(value) ? undefined : `is ${type.words.join(' or ')}`
  }
  const number = /^-?\d{1,16}$/.test(value) ? Number(value) : Number.NaN
  if (number >= type.min && number <= type.max) return undefined
  return `is an integer from ${type.min} to ${type.max}`
}

/** All settings of a topic with their values, in the order of their names. */
export function describeTopicConfig(config: TopicConfig): TopicConfigEntry[] {
  return topicSettings.map(({ name, default: fallback }) => {
    const value = config.get(name)
    return { name, value: value ?? fallback, isDefault: value === undefined }
  })
}

/** What the topic's logs are given. */
export function logConfigOf(config: TopicConfig): LogConfig {
  if (config.size === 0) return fallbackLogConfig
  return {
    ...defaultLogConfig,
    indexIntervalBytes: Number(settingOf(config, 'index.interval.bytes')),
    maxMessageBytes: Number(settingOf(config, 'max.message.bytes')),
    segmentBytes: Number(settingOf(config, 'segment.bytes')),
    segmentMs: Number(settingOf(config, 'segment.ms')),
    stampAtAppend: settingOf(config, 'message.timestamp.type') === 'LogAppendTime',
  }
}

function settingOf(config: TopicConfig, name: string): string | undefined {
  return config.get(name) ?? settingsByName.get(name)?.default
}

const fallbackLogConfig: LogConfig = {
  ...defaultLogConfig,
  maxMessageBytes: Number(settingOf(noTopicConfig, 'max.message.bytes')),
}
