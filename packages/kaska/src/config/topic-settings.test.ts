import assert from 'node:assert/strict'
import { suite, test } from 'node:test'
import { InvalidArgumentError } from '@kaska/protocol'
import { readBrokerConfig } from './broker-config.ts'
import { checkTopicConfig, noTopicConfig, topicDefaults, topicSettings } from './topic-settings.ts'

const refused = (name: string, value: string, reason = /./) =>
  assert.throws(
    () => checkTopicConfig(new Map([[name, value]])),
    (error) => error instanceof InvalidArgumentError && reason.test(error.message),
    `${name}=${value}`,
  )

suite('the settings of a topic', () => {
  test('an unknown one is refused, and the error names those that were perhaps meant', () => {
    refused('retention.bites', '1', /retention\.bytes/)
    refused('x'.repeat(10_000), '1', /topic-config\.md/)
  })

  test('a value outside of its bounds, or of another type, is refused', () => {
    const values = {
      'max.message.bytes': ['-1', '2147483648', '1e3', ' 1', '', '1.5', 'many'],
      'segment.bytes': ['1048575', '0'],
      'segment.ms': ['0', '9223372036854775808'],
      'retention.ms': ['-2', '1h'],
      'message.timestamp.type': ['createtime', ''],
      preallocate: ['yes'],
    }
    for (const [name, list] of Object.entries(values))
      for (const value of list) refused(name, value)
  })

  test('what cannot be done is refused with the reason, what is done anyway is not', () => {
    refused('cleanup.policy', 'compact', /delete/)
    refused('cleanup.policy', 'compact,delete', /delete/)
    refused('compression.type', 'zstd', /stored as they come/)
    refused('min.insync.replicas', '2', /one copy/)
    refused('preallocate', 'true')
    const same = {
      'compression.type': 'producer',
      'min.insync.replicas': '1',
      preallocate: 'FALSE',
    }
    checkTopicConfig(new Map(Object.entries(same)))
  })

  test('every default is a value that it accepts; the table is in the order of the names', () => {
    for (const { name, default: value, nativeDefault = value } of topicSettings) {
      checkTopicConfig(new Map([[name, value]]))
      checkTopicConfig(new Map([[name, nativeDefault]]))
    }
    const names = topicSettings.map(({ name }) => name)
    assert.deepEqual(names, [...names].sort())
  })
})

suite('what counts where nothing is set for a topic', () => {
  const valuesUnder = (given: Record<string, string>, name: string) => {
    const { kaska, kafka } = topicDefaults(readBrokerConfig(given))
    return [kaska.valueOf(name), kafka.valueOf(name)]
  }

  test('the defaults of who made it', () => {
    assert.deepEqual(valuesUnder({}, 'retention.ms'), ['-1', '604800000'])
    assert.deepEqual(valuesUnder({}, 'max.message.bytes'), ['67174400', '1048588'])
    assert.deepEqual(valuesUnder({}, 'segment.ms'), ['604800000', '604800000'])
  })

  test('what is set for the broker holds for all, the smaller unit first', () => {
    const both = (value: string) => [value, value]
    const hours = { 'log.retention.hours': '2' }
    assert.deepEqual(valuesUnder(hours, 'retention.ms'), both('7200000'))
    const minutes = { ...hours, 'log.retention.minutes': '3' }
    assert.deepEqual(valuesUnder(minutes, 'retention.ms'), both('180000'))
    const ms = { ...minutes, 'log.retention.ms': '7' }
    assert.deepEqual(valuesUnder(ms, 'retention.ms'), both('7'))
    const ever = { 'log.retention.minutes': '-5', 'log.retention.hours': '1' }
    assert.deepEqual(valuesUnder(ever, 'retention.ms'), both('-1'))
    assert.deepEqual(valuesUnder({ 'log.roll.hours': '1' }, 'segment.ms'), both('3600000'))
    assert.deepEqual(valuesUnder({ 'message.max.bytes': '9' }, 'max.message.bytes'), both('9'))
  })

  test('each value tells where it comes from, the strongest first', () => {
    const given = { 'log.retention.hours': '2', 'log.retention.ms': '7' }
    const { kafka } = topicDefaults(readBrokerConfig(given))
    assert.deepEqual(kafka.valuesOf('retention.ms', new Map([['retention.ms', '1']])), [
      { name: 'retention.ms', value: '1', text: '1', source: 'topic' },
      { name: 'log.retention.ms', value: '7', text: '7', source: 'broker' },
      { name: 'log.retention.hours', value: '7200000', text: '2', source: 'broker' },
      { name: 'log.retention.hours', value: '604800000', text: '168', source: 'default' },
    ])
    assert.deepEqual(kafka.valuesOf('preallocate', noTopicConfig), [
      { name: 'preallocate', value: 'false', text: 'false', source: 'default' },
    ])
  })
})
