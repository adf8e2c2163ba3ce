import assert from 'node:assert/strict'
import { test } from 'node:test'
import { InvalidArgumentError } from '@kaska/protocol'
import { Message, type MessageInput, OutgoingMessage } from './message.ts'

function bytes(text: string): Uint8Array {
  return new TextEncoder().encode(text)
}

test('a message is bytes, text, or fields', () => {
  const given = bytes('abc')
  const plain = new OutgoingMessage(given, 7)
  assert.equal(plain.value, given, 'bytes are taken by reference')
  assert.deepEqual([plain.key, plain.headers, plain.timestamp, plain.partition], [null, [], 7, -1])
  assert.deepEqual(new OutgoingMessage('äö\u{1F600}', 7).value, bytes('äö\u{1F600}'))
  assert.deepEqual(new OutgoingMessage('', 7).value, new Uint8Array(0))
  assert.deepEqual(new OutgoingMessage(Buffer.from('abc'), 7).value, Buffer.from('abc'))
  const full = new OutgoingMessage(
    { key: 'k', value: null, headers: [['a', 'x']], timestamp: 0, partition: 3 },
    7,
  )
  assert.deepEqual([full.key, full.value, full.timestamp, full.partition], [bytes('k'), null, 0, 3])
  const empty = new OutgoingMessage({ value: given, key: undefined, headers: undefined }, 7)
  assert.deepEqual([empty.key, empty.value, empty.timestamp], [null, given, 7])
})

test('headers are an object, where an array repeats a name, or pairs', () => {
  const encoded = [
    [bytes('a'), bytes('1')],
    [bytes('a'), null],
    [bytes('b'), bytes('2')],
  ]
  for (const headers of [
    { a: ['1', null], b: bytes('2') },
    [
      ['a', bytes('1')],
      ['a', null],
      ['b', '2'],
    ] as const,
  ]) {
    assert.deepEqual(new OutgoingMessage({ value: '', headers }, 0).headers, encoded)
  }
})

test('what is none of that is refused', () => {
  const bad = [
    undefined,
    null,
    5,
    [],
    {},
    { value: undefined },
    { value: 5 },
    { value: '\ud800' },
    '\udc00',
    { value: '', key: 5 },
    { value: '', key: '\ud800' },
    { value: '', timestamp: -1 },
    { value: '', timestamp: 0.5 },
    { value: '', timestamp: 2 ** 52 },
    { value: '', timestamp: '5' },
    { value: '', partition: -1 },
    { value: '', partition: 0.5 },
    { value: '', partition: '0' },
    { value: '', headers: 5 },
    { value: '', headers: null },
    { value: '', headers: { a: 5 } },
    { value: '', headers: { '\ud800': '' } },
    { value: '', headers: { a: '\ud800' } },
    { value: '', headers: [['a']] },
    { value: '', headers: [[5, 'a']] },
    { value: '', headers: ['ab'] },
    new ArrayBuffer(5),
    new DataView(new ArrayBuffer(5)),
  ]
  for (const [index, message] of bad.entries()) {
    assert.throws(
      () => new OutgoingMessage(message as MessageInput, 0),
      InvalidArgumentError,
      `${index}`,
    )
  }
})

test('a copy has bytes of its own', () => {
  const frame = bytes('keyvaluename')
  const message = new Message('t', 1, 2, 3, frame.subarray(0, 3), frame.subarray(3, 8), [
    ['name', frame.subarray(8)],
    ['none', null],
  ])
  const copy = message.copy()
  assert.deepEqual(copy, message)
  frame.fill(0)
  assert.deepEqual(copy.key, bytes('key'))
  assert.deepEqual(copy.value, bytes('value'))
  assert.deepEqual(copy.headers, [
    ['name', bytes('name')],
    ['none', null],
  ])
  assert.equal(copy.value?.buffer.byteLength, 5)
  assert.equal(new Message('t', 1, 2, 3, null, null, []).copy().value, null)
})
