import assert from 'node:assert/strict'
import { suite, test } from 'node:test'
import { InvalidArgumentError } from '@kaska/protocol'
import {
  checkTopicConfig,
  describeTopicConfig,
  logConfigOf,
  noTopicConfig,
  topicSettings,
} from './topic-config.ts'

suite('the settings of a topic', () => {
  test('an unknown one is refused, and the error names those that there are', () => {
    assert.throws(
      () => checkTopicConfig(new Map([['retention.bites', '1']])),
      (error) => error instanceof InvalidArgumentError && /max\.message\.bytes/.test(error.message),
    )
  })

  test('a value outside of its bounds, or of another type, is refused', () => {
    const refused = {
      'max.message.bytes': ['-1', '2147483648', '1e3', ' 1', '', '1.5', 'many'],
      'segment.bytes': ['1048575', '0'],
      'segment.ms': ['0', '9007199254740993'],
      'message.timestamp.type': ['createtime', ''],
    }
    for (const [name, values] of Object.entries(refused)) {
      for (const value of values) {
        assert.throws(() => checkTopicConfig(new Map([[name, value]])), InvalidArgumentError, value)
      }
    }
  })

  test('every default is a value that it accepts, and describes the log that it makes', () => {
    for (const { name, default: value } of topicSettings) checkTopicConfig(new Map([[name, value]]))
    const spelled = new Map(topicSettings.map((setting) => [setting.name, setting.default]))
    assert.deepEqual(logConfigOf(checkTopicConfig(spelled)), logConfigOf(noTopicConfig))
    assert.ok(logConfigOf(noTopicConfig).maxMessageBytes >= 64 * 1024 * 1024 + 61 + 1024)
  })

  test('each reaches the log', () => {
    const config = checkTopicConfig(
      new Map([
        ['index.interval.bytes', '1'],
        ['max.message.bytes', '2'],
        ['message.timestamp.type', 'LogAppendTime'],
        ['segment.bytes', '1048577'],
        ['segment.ms', '4'],
      ]),
    )
    assert.deepEqual(logConfigOf(config), {
      ...logConfigOf(noTopicConfig),
      indexIntervalBytes: 1,
      maxMessageBytes: 2,
      stampAtAppend: true,
      segmentBytes: 1048577,
      segmentMs: 4,
    })
  })

  test('a description tells what was set from what is default', () => {
    const entries = describeTopicConfig(new Map([['segment.ms', '5']]))
    assert.deepEqual(
      entries.map(({ name }) => name),
      topicSettings.map(({ name }) => name),
    )
    assert.deepEqual(
      entries.filter(({ isDefault }) => !isDefault),
      [{ name: 'segment.ms', value: '5', isDefault: false }],
    )
  })
})
