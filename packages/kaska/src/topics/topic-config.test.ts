import assert from 'node:assert/strict'
import { suite, test } from 'node:test'
import { readBrokerConfig } from '../config/broker-config.ts'
import {
  checkTopicConfig,
  noTopicConfig,
  topicDefaults,
  topicSettings,
} from '../config/topic-settings.ts'
import { describeTopicConfig, logConfigOf } from './topic-config.ts'

const { kaska, kafka } = topicDefaults(readBrokerConfig())

suite('what settings mean for a log', () => {
  test('a topic that was made natively keeps its messages for ever, and takes large ones', () => {
    const config = logConfigOf({ config: noTopicConfig, defaults: kaska })
    assert.ok(config.maxMessageBytes >= 64 * 1024 * 1024 + 61 + 1024)
    assert.equal(config.retentionMs, undefined)
    assert.equal(config.retentionBytes, undefined)
    assert.equal(config.timestampAfterMsMax, undefined)
    assert.equal(config.segmentBytes, 1024 ** 3)
    assert.equal(config.segmentMs, 604_800_000)
    assert.equal(config.indexIntervalBytes, 4096)
    assert.equal(config.stampAtAppend, false)
  })

  test("a Kafka client's topic has Kafka's defaults", () => {
    const native = logConfigOf({ config: noTopicConfig, defaults: kaska })
    assert.deepEqual(logConfigOf({ config: noTopicConfig, defaults: kafka }), {
      ...native,
      maxMessageBytes: 1_048_588,
      retentionMs: 604_800_000,
      timestampAfterMsMax: 3_600_000,
    })
  })

  test("a default that is set for the topic is the same as one that isn't", () => {
    const spelled = checkTopicConfig(
      new Map(topicSettings.map((each) => [each.name, each.default])),
    )
    assert.deepEqual(
      logConfigOf({ config: spelled, defaults: kaska }),
      logConfigOf({ config: noTopicConfig, defaults: kafka }),
    )
  })

  test('each reaches the log', () => {
    const config = checkTopicConfig(
      new Map([
        ['index.interval.bytes', '1'],
        ['max.message.bytes', '2'],
        ['message.timestamp.after.max.ms', '6'],
        ['message.timestamp.type', 'LogAppendTime'],
        ['retention.bytes', '3'],
        ['retention.ms', '5'],
        ['segment.bytes', '1048577'],
        ['segment.ms', '4'],
      ]),
    )
    assert.deepEqual(logConfigOf({ config, defaults: kafka }), {
      indexIntervalBytes: 1,
      maxMessageBytes: 2,
      retentionBytes: 3,
      retentionMs: 5,
      stampAtAppend: true,
      timestampAfterMsMax: 6,
      segmentBytes: 1048577,
      segmentMs: 4,
    })
  })

  test('a number that is too large for any log means for ever', () => {
    const config = checkTopicConfig(new Map([['retention.ms', '9223372036854775807']]))
    const { retentionMs } = logConfigOf({ config, defaults: kafka })
    assert.equal(retentionMs, Number.MAX_SAFE_INTEGER)
  })

  test('a description tells what was set from what is default', () => {
    const entries = describeTopicConfig({ config: new Map([['segment.ms', '5']]), defaults: kaska })
    assert.deepEqual(
      entries.map(({ name }) => name),
      topicSettings.filter(({ only }) => only === undefined).map(({ name }) => name),
    )
    assert.deepEqual(
      entries.filter(({ isDefault }) => !isDefault),
      [{ name: 'segment.ms', value: '5', isDefault: false }],
    )
  })
})
