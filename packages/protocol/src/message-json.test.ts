import assert from 'node:assert/strict'
import { test } from 'node:test'
import fc from 'fast-check'
import { InvalidArgumentError } from './errors.ts'
import { messageFromJson, messageToJson, type StoredMessage } from './message-json.ts'

const bytes = fc.oneof(
  fc.uint8Array({ maxLength: 40 }),
  fc.string({ unit: 'binary', maxLength: 20 }).map((text) => Uint8Array.from(Buffer.from(text))),
)
const bytesOrNull = fc.option(bytes)
const text = fc.string({ unit: 'binary', maxLength: 20 }).filter((name) => name.isWellFormed())
const anyMessage: fc.Arbitrary<StoredMessage> = fc.record({
  topic: text,
  partition: fc.nat(),
  offset: fc.nat(),
  timestamp: fc.nat(Number.MAX_SAFE_INTEGER),
  key: bytesOrNull,
  value: bytesOrNull,
  headers: fc.array(fc.tuple(text, bytesOrNull), { maxLength: 4 }),
})

const parse = (line: string) => messageFromJson(Buffer.from(line), 'line 1')
const plain = (value: Uint8Array | null) => (value === null ? null : [...value])

test('what is written is one line, and is read back unchanged', () => {
  fc.assert(
    fc.property(anyMessage, (message) => {
      const line = messageToJson(message)
      assert.doesNotMatch(line, /[\n\r\u0085\u2028\u2029]/)
      const read = parse(line)
      assert.equal(read.topic, message.topic)
      assert.equal(read.partition, message.partition)
      assert.equal(read.timestamp, message.timestamp)
      assert.deepEqual(plain(read.key), plain(message.key))
      assert.deepEqual(plain(read.value), plain(message.value))
      assert.deepEqual(
        read.headers.map(([name, value]) => [name, plain(value)]),
        message.headers.map(([name, value]) => [name, plain(value)]),
      )
    }),
    { numRuns: 500 },
  )
})

test('the shape of a line', () => {
  const line = messageToJson({
    topic: 't',
    partition: 0,
    offset: 1,
    timestamp: 2,
    key: null,
    value: Uint8Array.from([0xff, 0xfe]),
    headers: [['h', Buffer.from('\ufeffx')]],
  })
  assert.equal(
    line,
    '{"topic":"t","partition":0,"offset":1,"timestamp":2,"key":null,' +
      '"value":{"base64":"//4="},"headers":[["h","\ufeffx"]]}',
  )
})

test('a value as long as a message may be', () => {
  const value = new Uint8Array(3_000_000).fill(0xfe)
  const line = messageToJson({
    topic: 't',
    partition: 0,
    offset: 1,
    timestamp: 2,
    key: null,
    value,
    headers: [],
  })
  assert.deepEqual(parse(line).value, value)
})

test('only a value is needed, and headers may be an object', () => {
  assert.deepEqual(parse('{"value":"a","headers":{"x":"1","y":null}}'), {
    topic: undefined,
    partition: undefined,
    timestamp: undefined,
    key: null,
    value: new Uint8Array(Buffer.from('a')),
    headers: [
      ['x', new Uint8Array(Buffer.from('1'))],
      ['y', null],
    ],
  })
})

test('what is not understood is refused, and the line is named', () => {
  const lines = [
    'x',
    '[]',
    'null',
    '"text"',
    '{}',
    '{"value":1}',
    '{"value":{"base64":1}}',
    '{"value":{"base64":"!"}}',
    '{"value":{"base64":"","more":1}}',
    '{"value":"\\ud800"}',
    '{"value":"a","val":"b"}',
    '{"value":"a","partition":-1}',
    '{"value":"a","partition":"0"}',
    '{"value":"a","timestamp":1.5}',
    '{"value":"a","topic":7}',
    '{"value":"a","headers":"h"}',
    '{"value":"a","headers":[["h"]]}',
    '{"value":"a","headers":[[1,"v"]]}',
    '{"value":"a","__proto__":1}',
  ]
  for (const line of lines) {
    assert.throws(
      () => parse(line),
      (error: Error) =>
        error instanceof InvalidArgumentError && error.message.startsWith('line 1 '),
      line,
    )
  }
  assert.throws(() => messageFromJson(Uint8Array.from([0x22, 0xff, 0x22]), 'line 9'), /line 9/)
})
