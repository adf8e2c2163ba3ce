/** What the settings of a topic (config/topic-settings.ts) mean for its logs. */
import type { TopicConfigEntry } from '@kaska/protocol'
import { numberOf } from '../config/setting.ts'
import { type TopicConfig, type TopicDefaults, topicSettings } from '../config/topic-settings.ts'
import { defaultLogConfig, type LogConfig } from '../log/log-config.ts'

/** A topic's settings, and what it has where they say nothing. */
export interface Configured {
  readonly config: TopicConfig
  readonly defaults: TopicDefaults
}

/** All settings of a topic with their values, in the order of their names. */
export function describeTopicConfig({ config, defaults }: Configured): TopicConfigEntry[] {
  return topicSettings.map(({ name }) => {
    const value = config.get(name)
    return { name, value: value ?? defaults.valueOf(name), isDefault: value === undefined }
  })
}

/** What the topic's logs are given. */
export function logConfigOf({ config, defaults }: Configured): LogConfig {
  const textOf = (name: string): string => config.get(name) ?? defaults.valueOf(name)
  const limitOf = (name: string): number | undefined => {
    const value = numberOf(textOf(name))
    return value < 0 ? undefined : value
  }
  return {
    ...defaultLogConfig,
    indexIntervalBytes: numberOf(textOf('index.interval.bytes')),
    maxMessageBytes: numberOf(textOf('max.message.bytes')),
    segmentBytes: numberOf(textOf('segment.bytes')),
    segmentMs: numberOf(textOf('segment.ms')),
    retentionMs: limitOf('retention.ms'),
    retentionBytes: limitOf('retention.bytes'),
    stampAtAppend: textOf('message.timestamp.type') === 'LogAppendTime',
  }
}
