import assert from 'node:assert/strict'
import { test } from 'node:test'
import { unescapeBytes } from './escapes.ts'
import { UsageError } from './failure.ts'

test('escapes become their bytes, other text its UTF-8', () => {
  assert.deepEqual(
    [...unescapeBytes('a\\n\\t\\r\\0\\\\\\xfFé', '-f')],
    [0x61, 0x0a, 0x09, 0x0d, 0, 0x5c, 0xff, 0xc3, 0xa9],
  )
  assert.deepEqual([...unescapeBytes('', '-f')], [])
  assert.deepEqual([...unescapeBytes('plain', '-f')], [...Buffer.from('plain')])
})

test('an unknown or unfinished escape is a mistake of the user', () => {
  for (const text of ['\\q', 'a\\', '\\x', '\\x1', '\\xgg']) {
    assert.throws(() => unescapeBytes(text, 'the format'), UsageError, text)
  }
})
