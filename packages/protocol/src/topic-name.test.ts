import assert from 'node:assert/strict'
import { test } from 'node:test'
import fc from 'fast-check'
import { splitAt } from '../test/split-bytes.ts'
import { joinChunks } from './bytes.ts'
import { InvalidTopicError, ProtocolError } from './errors.ts'
import { decodeUtf8, parseTopicName, topicNameBytesMax, topicNameOf } from './topic-name.ts'

const utf8 = (text: string) => new TextEncoder().encode(text)
const cuts = fc.array(fc.nat(), { maxLength: 6 })

test('a name of 65,534 bytes is taken, one of 65,535 refused, both ways (contract 8)', () => {
  assert.equal(topicNameBytesMax, 65_534)
  const longest = 'n'.repeat(65_534)
  assert.equal(topicNameOf(longest).text, longest)
  assert.equal(parseTopicName([utf8(longest)]).text, longest)
  assert.throws(() => topicNameOf(`${longest}n`), InvalidTopicError)
  assert.throws(() => parseTopicName([utf8(`${longest}n`)]), /at most 65534 bytes .* has 65535/)
  // It is bytes that count, not characters.
  const wide = 'ß'.repeat(32_767)
  assert.equal(joinChunks(topicNameOf(wide).bytes).length, 65_534)
  assert.throws(() => topicNameOf(`${wide}n`), InvalidTopicError)
  assert.throws(() => parseTopicName([utf8(wide), utf8('n')]), InvalidTopicError)
})

test('an empty name, and one with a NUL anywhere, is refused', () => {
  for (const text of ['', '\0', 'a\0', '\0a', 'a\0b']) {
    assert.throws(() => topicNameOf(text), InvalidTopicError, JSON.stringify(text))
    assert.throws(() => parseTopicName([utf8(text)]), InvalidTopicError, JSON.stringify(text))
  }
  assert.throws(() => parseTopicName([]), InvalidTopicError)
  assert.throws(() => parseTopicName([utf8('a'), utf8('\0'), utf8('b')]), InvalidTopicError)
})

test('a leading byte order mark is part of the name', () => {
  const name = topicNameOf('\ufefforders')
  assert.deepEqual([...joinChunks(name.bytes).subarray(0, 4)], [0xef, 0xbb, 0xbf, 0x6f])
  assert.equal(parseTopicName(name.bytes).text, '\ufefforders')
  assert.equal(parseTopicName([utf8('\ufeff')]).text, '\ufeff')
  for (const at of [1, 2, 3]) {
    const split = splitAt(utf8('\ufefforders'), [at])
    assert.equal(parseTopicName(split).text, '\ufefforders', `cut at ${at}`)
  }
})

test('half a surrogate pair is refused before it is sent, and so is what is no string', () => {
  for (const text of ['\ud800', 'a\udc00', '\ude00\ud83d', '\ud83d']) {
    assert.throws(() => topicNameOf(text), /half a surrogate pair/)
  }
  assert.equal(topicNameOf('😀').text, '😀')
  for (const value of [undefined, null, 7, utf8('a')]) {
    assert.throws(() => topicNameOf(value as unknown as string), InvalidTopicError)
  }
})

test('what is not strict UTF-8 is refused, however it is split', () => {
  const bad: [string, number[]][] = [
    ['a lone continuation', [0x80]],
    ['an overlong slash', [0xc0, 0xaf]],
    ['an overlong NUL', [0xc0, 0x80]],
    ['an overlong of three bytes', [0xe0, 0x80, 0xaf]],
    ['a surrogate', [0xed, 0xa0, 0x80]],
    ['beyond U+10FFFF', [0xf4, 0x90, 0x80, 0x80]],
    ['a byte that never occurs', [0xff]],
    ['a cut sequence', [0xe2, 0x82]],
  ]
  for (const [what, bytes] of bad) {
    for (const around of [bytes, [0x61, ...bytes], [...bytes, 0x61], [0x61, ...bytes, 0x61]]) {
      const whole = Uint8Array.from(around)
      assert.throws(() => parseTopicName([whole]), InvalidTopicError, what)
      const byteByByte = around.map((byte) => Uint8Array.of(byte))
      assert.throws(() => parseTopicName(byteByByte), InvalidTopicError, what)
      assert.throws(() => decodeUtf8(byteByByte, 'x'), ProtocolError, what)
    }
  }
})

test('every well-formed string without a NUL is a name, and comes out as it went in', () => {
  const texts = fc
    .string({ unit: 'binary', minLength: 1 })
    .filter((text) => !text.includes('\0') && text.isWellFormed())
  fc.assert(
    fc.property(texts, cuts, (text, at) => {
      const name = topicNameOf(text)
      assert.equal(name.text, text)
      assert.deepEqual(joinChunks(name.bytes), utf8(text))
      const chunks = splitAt(utf8(text), at)
      const parsed = parseTopicName(chunks)
      assert.equal(parsed.text, text)
      assert.equal(parsed.bytes, chunks, 'the views that came are the views that are kept')
    }),
  )
})

test('any bytes are a name whose UTF-8 they are, or refused', () => {
  fc.assert(
    fc.property(fc.uint8Array({ maxLength: 12 }), cuts, (bytes, at) => {
      try {
        const { text } = parseTopicName(splitAt(bytes, at))
        assert.deepEqual(utf8(text), bytes)
      } catch (error) {
        assert.ok(error instanceof InvalidTopicError, String(error))
      }
    }),
    { numRuns: 2000 },
  )
})
