import assert from 'node:assert/strict'
import { Buffer } from 'node:buffer'
import { test } from 'node:test'
import fc from 'fast-check'
import { createTopicId, noTopicId, topicIdOf, topicIdToBytes } from './topic-id.ts'

const sixteen = fc.uint8Array({ minLength: 16, maxLength: 16 })

test('the text form is base64url without padding, and goes back', () => {
  fc.assert(
    fc.property(sixteen, (bytes) => {
      const id = topicIdOf(bytes)
      assert.equal(id, Buffer.from(bytes).toString('base64url'))
      assert.deepEqual(topicIdToBytes(id), bytes)
    }),
  )
})

test('one id has one text: what is not exactly one is refused', () => {
  const texts = fc.oneof(fc.string({ maxLength: 30 }), fc.base64String({ maxLength: 24 }))
  fc.assert(
    fc.property(
      fc.oneof(texts, sixteen.map(topicIdOf)),
      fc.nat(21),
      fc.string(),
      (id, at, char) => {
        for (const text of [id, id.slice(0, at) + char + id.slice(at + 1)]) {
          const bytes = topicIdToBytes(text)
          if (bytes !== undefined) assert.equal(topicIdOf(bytes), text)
        }
      },
    ),
  )
  for (const text of ['', 'A', noTopicId.slice(1), `${noTopicId}A`, `${noTopicId.slice(1)}=`]) {
    assert.equal(topicIdToBytes(text), undefined, text)
  }
  // Of the last character's six bits only the first two count.
  assert.equal(topicIdToBytes(`${noTopicId.slice(1)}B`), undefined)
})

test('a new id is never the one for "none", and never begins like an option', () => {
  const draws = [
    new Uint8Array(16),
    new Uint8Array(16).fill(0xf8),
    Uint8Array.from({ length: 16 }, (_, index) => index + 1),
  ]
  const id = createTopicId({ bytes: () => draws.shift() as Uint8Array })
  assert.equal(
    id,
    Buffer.from(Uint8Array.from({ length: 16 }, (_, i) => i + 1)).toString('base64url'),
  )
  assert.equal(topicIdOf(new Uint8Array(16)), noTopicId)
  assert.ok(topicIdOf(new Uint8Array(16).fill(0xf8)).startsWith('-'))
})
