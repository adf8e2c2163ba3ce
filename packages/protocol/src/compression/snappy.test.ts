import assert from 'node:assert/strict'
import { test } from 'node:test'
import fc from 'fast-check'
import { joinChunks } from '../bytes.ts'
import { InvalidMessageError } from '../errors.ts'
import { expandSnappy } from './snappy.ts'

const text = new TextEncoder().encode('Kaska keeps the log, the log keeps Kaska. '.repeat(40))
/** The text as github.com/klauspost/compress writes it. */
const encoded = Buffer.from(
  'kA1MS2Fza2Ega2VlcHMgdGhlIGxvZywRCQ0XBSMALgkHDRMNIe4qAO4qAO4qAO4qAO4qAO4qAO4qAO4qAO4qAO4qAO4qAO' +
    '4qAO4qAO4qAO4qAO4qAO4qAO4qAO4qAO4qAO4qAO4qAO4qAO4qAO4qAO4qAOoqAA==',
  'base64',
)

function expand(input: Uint8Array, bytesMax: number): Uint8Array {
  return Uint8Array.from(joinChunks([...expandSnappy(input, bytesMax)]))
}

function framed(...blocks: Uint8Array[]): Uint8Array {
  const header = Uint8Array.of(0x82, 83, 78, 65, 80, 80, 89, 0, 0, 0, 0, 1, 0, 0, 0, 1)
  const lengths = blocks.map(({ length }) => Uint8Array.of(0, 0, length >> 8, length))
  return joinChunks([header, ...blocks.flatMap((block, index) => [lengths[index] ?? block, block])])
}

test('what another encoder wrote is expanded, as a block and in frames', () => {
  assert.deepEqual(expand(encoded, text.length), text)
  assert.deepEqual(expand(framed(encoded, encoded), 2 * text.length), joinChunks([text, text]))
  assert.throws(() => expand(encoded, text.length - 1), InvalidMessageError)
  assert.throws(() => expand(framed(encoded, encoded), 2 * text.length - 1), InvalidMessageError)
})

test('literals and copies of every form give what they say', () => {
  const element = fc.oneof(
    fc.record({ literal: fc.uint8Array({ minLength: 1, maxLength: 300 }) }),
    fc.record({ kind: fc.constantFrom(1, 2, 3), back: fc.nat(), count: fc.nat() }),
  )
  fc.assert(
    fc.property(fc.array(element, { maxLength: 50 }), (elements) => {
      const output: number[] = []
      const body: number[] = []
      for (const one of elements) {
        if ('literal' in one) {
          const short = one.literal.length - 1
          if (short < 60) body.push(short << 2)
          else body.push(61 << 2, short & 0xff, short >> 8)
          body.push(...one.literal)
          output.push(...one.literal)
          continue
        }
        if (output.length === 0) continue
        const { kind } = one
        const back = 1 + (one.back % Math.min(output.length, kind === 1 ? 2047 : 65_535))
        const count = kind === 1 ? 4 + (one.count % 8) : 1 + (one.count % 64)
        if (kind === 1) body.push(1 | ((count - 4) << 2) | ((back >> 8) << 5), back & 0xff)
        else body.push(kind | ((count - 1) << 2), back & 0xff, back >> 8)
        if (kind === 3) body.push(0, 0)
        for (let index = 0; index < count; index++) output.push(output.at(-back) as number)
      }
      const length = [
        0x80 | (output.length & 0x7f),
        0x80 | ((output.length >> 7) & 0x7f),
        output.length >> 14,
      ]
      const input = Uint8Array.from([...length, ...body])
      assert.deepEqual(expand(input, output.length), Uint8Array.from(output))
    }),
  )
})

test('any bytes give bytes within the bound, or the error', () => {
  const changed = fc
    .tuple(fc.nat(encoded.length - 1), fc.nat(255))
    .map(([at, byte]) => Uint8Array.from(encoded, (old, index) => (index === at ? byte : old)))
  fc.assert(
    fc.property(
      fc.oneof(fc.uint8Array({ maxLength: 200 }), changed),
      fc.boolean(),
      (bytes, isFramed) => {
        try {
          assert(expand(isFramed ? framed(bytes) : bytes, 5000).length <= 5000)
        } catch (error) {
          assert(error instanceof InvalidMessageError)
        }
      },
    ),
  )
})

test('a length that cannot be true takes no memory', () => {
  const claims = Uint8Array.of(0xff, 0xff, 0xff, 0x3f, 0, 97)
  assert.throws(() => expand(claims, 2 ** 30), /a lie/)
})
