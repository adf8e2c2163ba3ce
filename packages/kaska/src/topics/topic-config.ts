/** What the settings of a topic (config/topic-settings.ts) mean for its logs. */
import type { TopicConfigEntry } from '@kaska/protocol'
import { elementsOf, numberOf } from '../config/setting.ts'
import { type Configured, topicSettings } from '../config/topic-settings.ts'
import { defaultLogConfig, type LogConfig } from '../log/log-config.ts'

/** The settings of a topic that can be set, with their values, in the order of their names. */
export function describeTopicConfig({ config, defaults }: Configured): TopicConfigEntry[] {
  const entries: TopicConfigEntry[] = []
  for (const { name, only } of topicSettings) {
    if (only !== undefined) continue
    const value = config.get(name)
    entries.push({ name, value: value ?? defaults.valueOf(name), isDefault: value === undefined })
  }
  return entries
}

/** What the topic's logs are given. */
export function logConfigOf({ config, defaults }: Configured): LogConfig {
  const textOf = (name: string): string => config.get(name) ?? defaults.valueOf(name)
  // Without a policy nothing is removed.
  const isDeleting = elementsOf(textOf('cleanup.policy')).includes('delete')
  const limitOf = (name: string): number | undefined => {
    const value = numberOf(textOf(name))
    return value < 0 || !isDeleting ? undefined : value
  }
  return {
    ...defaultLogConfig,
    indexIntervalBytes: numberOf(textOf('index.interval.bytes')),
    maxMessageBytes: numberOf(textOf('max.message.bytes')),
    segmentBytes: numberOf(textOf('segment.bytes')),
    segmentMs: numberOf(textOf('segment.ms')),
    timestampAfterMsMax: unbounded(numberOf(textOf('message.timestamp.after.max.ms'))),
    retentionMs: limitOf('retention.ms'),
    retentionBytes: limitOf('retention.bytes'),
    stampAtAppend: textOf('message.timestamp.type') === 'LogAppendTime',
  }
}

/** A limit in milliseconds that no clock reaches is none. */
function unbounded(value: number): number | undefined {
  return value === Number.MAX_SAFE_INTEGER ? undefined : value
}
