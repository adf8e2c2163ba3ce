import assert from 'node:assert/strict'
import { test } from 'node:test'
import { messageToJson, type StoredMessage } from '@kaska/protocol'
import fc from 'fast-check'
import { draftOfMessage, emptyDraft, messageOfDraft, messagesOfLines } from './message-draft.ts'

const text = fc.string({ unit: 'binary', maxLength: 12 }).filter((each) => each.isWellFormed())
const bytes: fc.Arbitrary<Uint8Array> = fc.oneof(
  fc.uint8Array({ maxLength: 20 }),
  fc.oneof(text, fc.json()).map((each) => Uint8Array.from(Buffer.from(each))),
)
const bytesOrNull = fc.option(bytes)
const anyMessage: fc.Arbitrary<StoredMessage> = fc.record({
  topic: fc.constant('orders'),
  partition: fc.nat(9),
  offset: fc.nat(),
  timestamp: fc.nat(),
  key: bytesOrNull,
  value: bytesOrNull,
  headers: fc.array(fc.tuple(text, bytesOrNull), { maxLength: 3 }),
})

test('a message that is sent again without a change is the same, byte for byte', () => {
  fc.assert(
    fc.property(anyMessage, ({ topic: _, offset: __, timestamp: ___, ...message }) => {
      const draft = draftOfMessage({ topic: '', offset: 0, timestamp: 0, ...message })
      // As a field of a page gives it back.
      const inField = (written: string) => written.replace(/\r\n?/g, '\n')
      assert.equal(inField(draft.value.text), draft.value.text)
      const again = messageOfDraft(draft)
      assert.equal(again.partition, message.partition)
      assert.deepEqual(plain(again), plain(message))
    }),
  )
})

test('lines that were exported are messages again', () => {
  fc.assert(
    fc.property(fc.array(anyMessage, { maxLength: 4 }), (messages) => {
      const lines = messages.map((message) => `${messageToJson(message)}\n`).join('')
      const read = messagesOfLines(lines, 'json', 'orders')
      assert.deepEqual(read.map(plain), messages.map(plain))
    }),
  )
})

test('lines that are values', () => {
  const read = messagesOfLines('one\n\n two \n{"a":1}', 'values', 't')
  const values = read.map(({ value }) => new TextDecoder().decode(value as Uint8Array))
  assert.deepEqual(values, ['one', ' two ', '{"a":1}'])
})

test('what is wrong is named', () => {
  const wrong = (changes: object) => () => messageOfDraft({ ...emptyDraft, ...changes })
  assert.throws(wrong({ value: { text: '{', form: 'json' } }), /^Error: value: not JSON/)
  assert.throws(wrong({ key: { text: 'x', form: 'hex' } }), /^Error: key: not hex/)
  assert.throws(wrong({ headers: [{ name: 'n', text: '*', form: 'base64' }] }), /header 1: not/)
  assert.throws(wrong({ partition: '-1' }), /partition: not a number/)
  assert.throws(wrong({ timestamp: 'soon' }), /timestamp: neither/)
  assert.throws(() => messagesOfLines('{"value":"a"}\n{"value":1}', 'json', 't'), /line 2 has a/)
  assert.throws(() => messagesOfLines('{"value":"a","topic":"u"}', 'json', 't'), /line 1 is for/)
  const sent = messageOfDraft({ ...emptyDraft, timestamp: '2026-01-01T00:00:00Z', partition: '3' })
  assert.deepEqual([sent.timestamp, sent.partition], [1767225600000, 3])
})

function plain({ key, value, headers }: { key?: unknown; value: unknown; headers?: unknown }) {
  const list = (each: unknown) => (each instanceof Uint8Array ? [...each] : each)
  return {
    key: list(key),
    value: list(value),
    headers: (headers as [string, unknown][]).map(([name, each]) => [name, list(each)]),
  }
}
