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

test('what Node has no codec for is an error of its own', () => {
  const codecs = createNodeCodecs()
  for (const type of [2, 3, 5, 7]) assert.throws(() => codecs(type), UnsupportedCompressionError)
})
