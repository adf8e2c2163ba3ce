import assert from 'node:assert/strict'
import { createRequire } from 'node:module'
import { test } from 'node:test'
import fc from 'fast-check'
import { crc32c } from './crc32c.ts'

const utf8 = (text: string) => new TextEncoder().encode(text)

test('known CRCs', () => {
  // The first is the check value of the catalogues; the others are from RFC 3720, B.4.
  assert.equal(crc32c(utf8('123456789'), 0), 0xe3069283)
  assert.equal(crc32c(new Uint8Array(0), 0), 0)
  assert.equal(crc32c(new Uint8Array(32), 0), 0x8a9136aa)
  assert.equal(crc32c(new Uint8Array(32).fill(0xff), 0), 0x62a8ab43)
  assert.equal(
    crc32c(
      Uint8Array.from({ length: 32 }, (_, index) => index),
      0,
    ),
    0x46dd794e,
  )
  assert.equal(
    crc32c(
      Uint8Array.from({ length: 32 }, (_, index) => 31 - index),
      0,
    ),
    0x113fdb5c,
  )
})

test('the CRC of two pieces goes on from the first', () => {
  fc.assert(
    fc.property(fc.uint8Array({ maxLength: 100 }), fc.nat(100), (bytes, at) => {
      const cut = Math.min(at, bytes.length)
      const pieces = crc32c(bytes.subarray(cut), crc32c(bytes.subarray(0, cut), 0))
      assert.equal(pieces, crc32c(bytes, 0))
    }),
  )
})

test('the native CRC and ours agree', (t) => {
  let native: { crc32c(bytes: Uint8Array, previous?: number): number }
  try {
    native = createRequire(new URL('../../kaska/package.json', import.meta.url))('@node-rs/crc32')
  } catch {
    t.skip('@node-rs/crc32 has no binary for this platform')
    return
  }
  fc.assert(
    fc.property(fc.uint8Array({ maxLength: 300 }), fc.nat(0xffffffff), (bytes, previous) => {
      assert.equal(crc32c(bytes, 0), native.crc32c(bytes))
      assert.equal(crc32c(bytes, previous), native.crc32c(bytes, previous))
    }),
  )
})
