import assert from 'node:assert/strict'
import { suite, test } from 'node:test'
import { InvalidArgumentError } from '@kaska/protocol'
import { brokerSettings, defaultBrokerConfig, readBrokerConfig } from './broker-config.ts'

const refused = (config: Record<string, string | number | boolean>, reason: RegExp) =>
  assert.throws(
    () => readBrokerConfig(config),
    (error) => error instanceof InvalidArgumentError && reason.test(error.message),
  )

suite("the broker's configuration", () => {
  test('every default is a value that it accepts, and means the same when it is set', () => {
    for (const { name, default: value } of brokerSettings) {
      if (value === undefined) continue
      const { given, ...values } = readBrokerConfig({ [name]: value })
      assert.deepEqual([...given], [[name, value]])
      const { given: none, ...defaults } = defaultBrokerConfig
      assert.equal(none.size, 0)
      assert.deepEqual(values, defaults)
    }
    assert.equal(defaultBrokerConfig.autoCreateTopics, true)
    assert.equal(defaultBrokerConfig.partitions, 1)
    assert.equal(defaultBrokerConfig.logRetentionMs, undefined)
  })

  test('values may be numbers, words and truths', () => {
    const config = { 'num.partitions': 3, 'auto.create.topics.enable': false, 'log.roll.ms': '7' }
    const read = readBrokerConfig(config)
    assert.equal(read.partitions, 3)
    assert.equal(read.autoCreateTopics, false)
    assert.equal(read.logRollMs, 7)
    assert.equal(readBrokerConfig({ 'delete.topic.enable': 'FALSE' }).deleteTopics, false)
  })

  test('an unknown name is refused, and the error names those that were perhaps meant', () => {
    refused({ 'num.partition': 3 }, /'num\.partition'; is it num\.partitions/)
    refused({ zzz: 1 }, /broker-config\.md/)
    refused({ constructor: 1 }, /no setting/)
  })

  test('a wrong value is refused', () => {
    refused({ 'num.partitions': 0 }, /num\.partitions is an integer from 1 to 10000, not '0'/)
    refused({ 'num.partitions': 1.5 }, /integer/)
    refused({ 'auto.create.topics.enable': 'maybe' }, /true or false/)
    refused({ 'log.cleanup.policy': 'compact' }, /delete/)
    refused({ 'log.message.timestamp.type': 'createtime' }, /CreateTime or LogAppendTime/)
    refused({ 'log.retention.hours': 0 }, /for ever/)
    refused({ 'group.min.session.timeout.ms': 10, 'group.max.session.timeout.ms': 9 }, /larger/)
  })
})
