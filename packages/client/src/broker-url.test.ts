import assert from 'node:assert/strict'
import { test } from 'node:test'
import { InvalidArgumentError } from '@kaska/protocol'
import { parseBrokerUrl } from './broker-url.ts'
import { settingsOf } from './client-options.ts'

test('a URL names a broker', () => {
  for (const [text, scheme, host, port] of [
    ['kaska://127.0.0.1:9092', 'kaska', '127.0.0.1', 9092],
    ['kaska://localhost', 'kaska', 'localhost', 9092],
    ['kaska://[::1]:1234', 'kaska', '::1', 1234],
    ['kaskas://broker.example:1', 'kaskas', 'broker.example', 1],
    ['ws://host:8080/path', 'ws', 'host', 8080],
    ['wss://host:8443/path', 'wss', 'host', 8443],
  ] as const) {
    const url = parseBrokerUrl(text)
    assert.deepEqual([url.scheme, url.host, url.port, url.href], [scheme, host, port, text])
  }
})

test('what names none is refused, with a hint', () => {
  for (const text of [
    '',
    'localhost',
    'localhost:9092',
    'http://localhost:9092',
    'kafka://localhost:9092',
    'kaska://',
    'kaska://user:password@localhost',
    'kaska://localhost/topic',
    'kaska://localhost:99999',
  ]) {
    assert.throws(() => parseBrokerUrl(text), InvalidArgumentError, text)
  }
  assert.throws(() => parseBrokerUrl('localhost:9092'), /kaska:\/\//)
})

test('options are checked, and have defaults', () => {
  const settings = settingsOf({ deliveryTimeoutMs: 5, clientId: undefined })
  assert.deepEqual(
    [settings.deliveryTimeoutMs, settings.clientId, settings.connectTimeoutMs],
    [5, '', 5000],
  )
  for (const options of [
    { deliveryTimeoutMs: 0 },
    { deliveryTimeoutMs: Number.NaN },
    { deliveryTimeoutMs: '5' },
    { onOutOfRange: 'middle' },
    { clientId: '\ud800' },
    { clientID: 'x' },
  ]) {
    assert.throws(() => settingsOf(options as object), InvalidArgumentError)
  }
})
