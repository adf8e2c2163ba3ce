import assert from 'node:assert/strict'
import { suite, test } from 'node:test'
import { gzipSync, zstdCompressSync } from 'node:zlib'
import { InvalidMessageError, UnsupportedCompressionError } from '@kaska/protocol'
import { createCodecs, createExpander } from './codecs.ts'

const expanded = new Uint8Array(100_000).fill(42)
const compressors = [
  { name: 'gzip', type: 1, compress: gzipSync },
  { name: 'zstd', type: 4, compress: zstdCompressSync },
] as const

for (const { name, type, compress } of compressors) {
  suite(name, () => {
    const compressed = compress(expanded)

    test('expands what lies in several views', () => {
      const chunks = [compressed.subarray(0, 5), compressed.subarray(5, 6), compressed.subarray(6)]
      const { decompress } = createCodecs()(type)
      assert.deepEqual(Uint8Array.from(decompress(chunks, 100_000)), expanded)
    })

    test('expands piece by piece to the same', async () => {
      const pieces = await collect(createExpander()(type, [compressed], 100_000))
      assert.deepEqual(new Uint8Array(Buffer.concat(pieces)), expanded)
      assert.ok(pieces.length > 1)
    })

    test('refuses, piece by piece as well, what is damaged, cut short or too much', async () => {
      const damaged = Uint8Array.from(compressed)
      damaged[0] = (damaged[0] as number) ^ 0xff
      for (const [bytes, bytesMax] of [
        [damaged, 100_000],
        [compressed.subarray(0, 20), 100_000],
        [compressed, 99_999],
      ] as const) {
        await assert.rejects(
          collect(createExpander()(type, [bytes], bytesMax)),
          InvalidMessageError,
        )
      }
    })

    test('refuses to expand beyond the bound', () => {
      const { decompress } = createCodecs()(type)
      assert.throws(() => decompress([compressed], 99_999), InvalidMessageError)
    })

    test('refuses what is damaged, cut short or empty', () => {
      const { decompress } = createCodecs()(type)
      const damaged = Uint8Array.from(compressed)
      damaged[0] = (damaged[0] as number) ^ 0xff
      assert.throws(() => decompress([damaged], 100_000), InvalidMessageError)
      assert.throws(() => decompress([compressed.subarray(0, 20)], 100_000), InvalidMessageError)
      assert.throws(() => decompress([], 100_000), InvalidMessageError)
    })
  })
}

test('snappy and lz4 are expanded too, with turns for others in between', async () => {
  // One literal, and then copies of 64 bytes: 4 MiB.
  const copies = Array.from({ length: 65_535 }, () => [0xfe, 1, 0]).flat()
  const snappy = Uint8Array.from([0xc1, 0xff, 0xff, 0x01, 0, 42, ...copies])
  let turns = 0
  const turn = setInterval(() => turns++, 0)
  const pieces = await collect(createExpander()(2, [snappy], 2 ** 23))
  clearInterval(turn)
  assert.ok(turns > 0)
  assert.equal(Buffer.concat(pieces).length, 65_535 * 64 + 1)
  const { decompress } = createCodecs()(3)
  const stored = [4, 0x22, 0x4d, 0x18, 0x60, 0x40, 0x82, 2, 0, 0, 0x80, 1, 2, 0, 0, 0, 0]
  assert.deepEqual(decompress([Uint8Array.from(stored)], 2), Uint8Array.of(1, 2))
  assert.throws(() => decompress([Uint8Array.from(stored)], 1), InvalidMessageError)
})

test('there is no codec for the other compressions', async () => {
  const codecs = createCodecs()
  for (const type of [5, 6, 7]) {
    assert.throws(() => codecs(type), UnsupportedCompressionError)
    await assert.rejects(collect(createExpander()(type, [], 1)), UnsupportedCompressionError)
  }
})

async function collect(pieces: AsyncIterable<Uint8Array>): Promise<Uint8Array[]> {
  const collected: Uint8Array[] = []
  for await (const piece of pieces) collected.push(piece)
  return collected
}
