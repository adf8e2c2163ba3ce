import assert from 'node:assert/strict'
import { test } from 'node:test'
import { InvalidArgumentError } from '@kaska/protocol'
import { isKafkaUrl, parseKafkaUrl } from './kafka-url.ts'

test('a cluster is named by some of its brokers', () => {
  assert.deepEqual(parseKafkaUrl('kafka://b1:9093,b2,[::1]:9094/'), {
    brokers: [
      { host: 'b1', port: 9093 },
      { host: 'b2', port: 9092 },
      { host: '::1', port: 9094 },
    ],
    isSecure: false,
    sasl: undefined,
  })
  assert.equal(isKafkaUrl('kafkas://b1'), true)
  assert.equal(isKafkaUrl('kaska://b1'), false)
})

test('a user comes with a password, and PLAIN unless said', () => {
  const { isSecure, sasl } = parseKafkaUrl('kafkas://ada:p%40ss%2Fword@b1')
  assert.equal(isSecure, true)
  assert.deepEqual(sasl, { mechanism: 'PLAIN', username: 'ada', password: 'p@ss/word' })
  const scram = parseKafkaUrl('kafka://ada:x@b1,b2?sasl=scram-sha-512').sasl
  assert.equal(scram?.mechanism, 'SCRAM-SHA-512')
})

test('what means nothing is refused, and no password is repeated', () => {
  for (const url of [
    'kafka://',
    'kafka://b1,',
    'kafka://b1:99999',
    'kafka://b1/path',
    'kafka://b1?acks=1',
    'kafka://b1?sasl=PLAIN',
    'kafka://ada:secret@b1?sasl=GSSAPI',
    'kafka://ada:secret%@b1',
    'kafka://ada:secret@b1/path',
  ]) {
    assert.throws(
      () => parseKafkaUrl(url),
      (error) => {
        assert.ok(error instanceof InvalidArgumentError, `${url}: ${error}`)
        assert.doesNotMatch(error.message, /secret/)
        return true
      },
    )
  }
})
