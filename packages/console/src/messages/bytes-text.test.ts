import assert from 'node:assert/strict'
import { test } from 'node:test'
import { bytesToBase64 } from '@kaska/protocol'
import fc from 'fast-check'
import { bestForm, bytesOf, hexDump, hexOf, preview, textOf } from './bytes-text.ts'

const utf8 = (text: string) => new TextEncoder().encode(text)

test('bytes are the same after hex and base64', () => {
  fc.assert(
    fc.property(fc.uint8Array(), (bytes) => {
      assert.deepEqual(bytesOf(hexOf(bytes), 'hex'), bytes)
      assert.deepEqual(bytesOf(hexOf(bytes, ' '), 'hex'), bytes)
      assert.deepEqual(bytesOf(bytesToBase64(bytes), 'base64'), bytes)
    }),
  )
})

test('what somebody wrote wrongly is said', () => {
  assert.throws(() => bytesOf('4g', 'hex'), /not hex: "g"/)
  assert.throws(() => bytesOf('484', 'hex'), /half a byte/)
  assert.throws(() => bytesOf('{"a":}', 'json'), /not JSON: .* position 5/)
  assert.throws(() => bytesOf('*', 'base64'), /not base64/)
  assert.throws(() => bytesOf('\ud800', 'text'), /surrogate/)
  assert.deepEqual(bytesOf('0x48, 0x69', 'hex'), utf8('Hi'))
  assert.equal(bytesOf('anything', 'null'), null)
  assert.deepEqual(bytesOf('', 'text'), new Uint8Array(0))
})

test('how bytes are best shown', () => {
  assert.equal(bestForm(utf8('{"a":1}')), 'json')
  assert.equal(bestForm(utf8('hello')), 'text')
  assert.equal(bestForm(utf8('a\nb\tc')), 'text')
  assert.equal(bestForm(utf8('a\u0000b')), 'hex')
  assert.equal(bestForm(new Uint8Array([0xff, 0xfe])), 'hex')
})

test('a preview is one line, also of a character that is cut', () => {
  assert.deepEqual(preview(null), { kind: 'null', text: 'null' })
  assert.deepEqual(preview(new Uint8Array(0)), { kind: 'empty', text: 'empty' })
  assert.deepEqual(preview(utf8('a\nb')), { kind: 'text', text: 'a\\nb' })
  assert.deepEqual(preview(utf8('abc€'), 4), { kind: 'text', text: 'abc…' })
  assert.deepEqual(preview(new Uint8Array([0xff, 1])), { kind: 'bytes', text: 'ff 01' })
  // What would turn the rest of the row around is seen instead.
  assert.deepEqual(preview(utf8('a\u202eb')), { kind: 'text', text: 'a\\u202eb' })
})

test('a dump has its columns', () => {
  assert.equal(
    hexDump(utf8('Hello, world! <b>')),
    '00000000  48 65 6c 6c 6f 2c 20 77  6f 72 6c 64 21 20 3c 62  |Hello, world! <b|\n' +
      '00000010  3e                                                |>|',
  )
  assert.equal(textOf(new Uint8Array([0xc3])), undefined)
})
