import assert from 'node:assert/strict'
import { test } from 'node:test'
import { gzipSync, zstdCompressSync } from 'node:zlib'
import { InvalidMessageError, UnsupportedCompressionError } from '@kaska/protocol'
import { createNodeCodecs } from './node-codecs.ts'

const bytes = new TextEncoder().encode('to be expanded '.repeat(100))

test('gzip and zstd are expanded, in however many pieces they come', () => {
  const codecs = createNodeCodecs()
  for (const [type, compressed] of [
    [1, gzipSync(bytes)],
    [4, zstdCompressSync(bytes)],
  ] as const) {
    const pieces = [compressed.subarray(0, 5), compressed.subarray(5)]
    assert.deepEqual(new Uint8Array(codecs(type).decompress(pieces, 10_000)), bytes)
    assert.throws(() => codecs(type).decompress(pieces, 100), InvalidMessageError)
    assert.throws(() => codecs(type).decompress([new Uint8Array(20)], 100), InvalidMessageError)
  }
})

test('snappy and lz4 are expanded too', () => {
  const codecs = createNodeCodecs()
  const snappy = Uint8Array.of(3, 0, 97, 0x05, 1)
  assert.throws(() => codecs(2).decompress([snappy], 10), InvalidMessageError)
  const sound = Uint8Array.of(5, 0, 97, 0x01, 1)
  assert.deepEqual(codecs(2).decompress([sound], 5), new TextEncoder().encode('aaaaa'))
  const lz4 = [4, 0x22, 0x4d, 0x18, 0x60, 0x40, 0x82, 2, 0, 0, 0x80, 1, 2, 0, 0, 0, 0]
  assert.deepEqual(codecs(3).decompress([Uint8Array.from(lz4)], 2), Uint8Array.of(1, 2))
})

test('what there is no codec for is an error of its own', () => {
  const codecs = createNodeCodecs()
  for (const type of [5, 6, 7]) assert.throws(() => codecs(type), UnsupportedCompressionError)
})
