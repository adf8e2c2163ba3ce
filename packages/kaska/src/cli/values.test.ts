import assert from 'node:assert/strict'
import { test } from 'node:test'
import { UsageError } from './failure.ts'
import {
  brokerUrl,
  readBoolean,
  readBrokerUrl,
  readBytes,
  readChoice,
  readEndpoint,
  readPair,
  readPartitions,
  readPort,
  readTopicSpec,
} from './values.ts'

const refuses = (read: (text: string, what: string) => unknown, ...texts: readonly string[]) => {
  for (const text of texts) {
    assert.throws(
      () => read(text, '--it'),
      (error: Error) => error instanceof UsageError && error.message.includes('--it'),
      text,
    )
  }
}

test('numbers', () => {
  assert.equal(readPort('0', '--port'), 0)
  assert.equal(readPort('65535', '--port'), 65_535)
  refuses(readPort, '', '-1', '65536', '1.5', '0x10', ' 1', '1e3')
  assert.deepEqual(readPartitions('0', '-p'), [0])
  assert.deepEqual(readPartitions('0,2', '-p'), [0, 2])
  refuses(readPartitions, '', '1,', 'a', '-1')
})

test('sizes', () => {
  assert.equal(readBytes('1048576', '-'), 1_048_576)
  assert.equal(readBytes('64k', '-'), 65_536)
  assert.equal(readBytes('512MiB', '-'), 512 * 1024 ** 2)
  assert.equal(readBytes('1 GB', '-'), 1024 ** 3)
  refuses(readBytes, '', 'k', '-1', '1.5g', '1x', '9999999999999999t')
})

test('words and pairs', () => {
  assert.equal(readBoolean('1', '-'), true)
  assert.equal(readBoolean('FALSE', '-'), false)
  refuses(readBoolean, '', 'maybe', '2')
  assert.equal(readChoice('always', 'os')('os', '-'), 'os')
  refuses(readChoice('always', 'os'), 'never', '')
  assert.deepEqual(readPair('a=b=c', '-'), ['a', 'b=c'])
  assert.deepEqual(readPair('a=', '-'), ['a', ''])
  refuses(readPair, 'a', '=a', '')
})

test('topics with their partitions', () => {
  assert.deepEqual(readTopicSpec('orders', '-'), { name: 'orders', partitions: 1 })
  assert.deepEqual(readTopicSpec('orders:3', '-'), { name: 'orders', partitions: 3 })
  assert.deepEqual(readTopicSpec('a:b', '-'), { name: 'a:b', partitions: 1 })
  assert.deepEqual(readTopicSpec('a:1:2', '-'), { name: 'a:1', partitions: 2 })
  assert.deepEqual(readTopicSpec('a\nb:2', '-'), { name: 'a\nb', partitions: 2 })
  refuses(readTopicSpec, '', ':3', 'a:0', 'a:10001')
})

test('addresses', () => {
  const cases: Record<string, string> = {
    localhost: 'kaska://localhost:9092',
    'box:1234': 'kaska://box:1234',
    '10.0.0.1:80': 'kaska://10.0.0.1:80',
    '[::1]': 'kaska://[::1]:9092',
    '[::1]:7': 'kaska://[::1]:7',
    'kaska://box:1': 'kaska://box:1',
    'kaskas://box': 'kaskas://box',
  }
  for (const [text, url] of Object.entries(cases)) assert.equal(readBrokerUrl(text, '-'), url)
  refuses(readBrokerUrl, '', ':1', 'a:b', 'a:1:2', '::1', 'a b', 'box:99999', 'http://[')
})

test('an address to advertise', () => {
  const parse = (text: string) => readEndpoint(text, '-')
  assert.deepEqual(parse('box.local:1234'), { host: 'box.local', port: 1234 })
  assert.deepEqual(parse('[::1]:7'), { host: '::1', port: 7 })
  refuses(
    readEndpoint,
    '',
    'box',
    ':1',
    'box:0',
    'box:99999',
    '::1',
    '::1:7',
    'a b:1',
    'http://a:1',
  )
})

test('the broker: as given, by BROKER_HOST and BROKER_PORT, else on this machine', () => {
  assert.equal(brokerUrl('kaska://a:1', { BROKER_HOST: 'b' }), 'kaska://a:1')
  assert.equal(brokerUrl(undefined, { BROKER_HOST: 'b', BROKER_PORT: '2' }), 'kaska://b:2')
  assert.equal(brokerUrl(undefined, { BROKER_HOST: 'b' }), 'kaska://b:9092')
  assert.equal(brokerUrl(undefined, { BROKER_PORT: '2' }), 'kaska://127.0.0.1:2')
  assert.equal(brokerUrl(undefined, { BROKER_HOST: '::1' }), 'kaska://[::1]:9092')
  assert.equal(brokerUrl(undefined, { BROKER_HOST: '', BROKER_PORT: '' }), 'kaska://127.0.0.1:9092')
  assert.throws(() => brokerUrl(undefined, { BROKER_PORT: 'x' }), UsageError)
})
