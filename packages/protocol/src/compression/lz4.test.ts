import assert from 'node:assert/strict'
import { test } from 'node:test'
import fc from 'fast-check'
import { joinChunks } from '../bytes.ts'
import { InvalidMessageError } from '../errors.ts'
import { expandLz4, xxh32 } from './lz4.ts'

const text = new TextEncoder().encode('Kaska keeps the log, the log keeps Kaska. '.repeat(40))
/** The text as github.com/pierrec/lz4 writes it: without checksums, and with them. */
const [plain, checked] = [
  'BCJNGGBAgjoAAAD0BUthc2thIGtlZXBzIHRoZSBsb2csCQADFwABIwAvLiAqAP///////0cCZgbAZWVwcyBLYXNrYS4gAAAAAA==',
  'BCJNGHRAvToAAAD0BUthc2thIGtlZXBzIHRoZSBsb2csCQADFwABIwAvLiAqAP///////0cCZgbAZWVwcyBLYXNrYS4gNbDsDgAAAAAQ3TkP',
].map((line) => Uint8Array.from(Buffer.from(line, 'base64'))) as [Uint8Array, Uint8Array]

function expand(input: Uint8Array, bytesMax: number): Uint8Array {
  return Uint8Array.from(joinChunks([...expandLz4(input, bytesMax)]))
}

function little(value: number): number[] {
  return [value & 0xff, (value >> 8) & 0xff, (value >> 16) & 0xff, value >>> 24]
}

/** A frame of blocks of up to 64 KiB. */
function frame(blocks: readonly { bytes: readonly number[]; isStored?: boolean }[]): Uint8Array {
  const flags = [0x60, 0x40]
  const hash = (xxh32(Uint8Array.from(flags)) >>> 8) & 0xff
  const body = blocks.flatMap(({ bytes, isStored = false }) => [
    ...little((bytes.length | (isStored ? 0x80000000 : 0)) >>> 0),
    ...bytes,
  ])
  return Uint8Array.from([0x04, 0x22, 0x4d, 0x18, ...flags, hash, ...body, 0, 0, 0, 0])
}

test('what another encoder wrote is expanded', () => {
  for (const encoded of [plain, checked]) {
    assert.deepEqual(expand(encoded, text.length), text)
    assert.throws(() => expand(encoded, text.length - 1), InvalidMessageError)
  }
  const stored = frame([{ bytes: [...text], isStored: true }])
  assert.deepEqual(expand(stored, text.length), text)
})

test('XXH32 of short and long inputs', () => {
  const hash = (line: string) => xxh32(new TextEncoder().encode(line))
  assert.equal(hash(''), 0x02cc5d05)
  assert.equal(hash('a'), 0x550d7456)
  assert.equal(hash('Nobody inspects the spammish repetition'), 0xe2293b2f)
})

test('sequences of every form give what they say', () => {
  const sequence = fc.record({
    literal: fc.uint8Array({ maxLength: 600 }),
    back: fc.nat(),
    count: fc.nat({ max: 700 }),
  })
  const lengthBytes = (count: number): number[] => {
    if (count < 15) return []
    const rest = count - 15
    return [...new Array(Math.floor(rest / 255)).fill(255), rest % 255]
  }
  fc.assert(
    fc.property(fc.array(sequence, { maxLength: 20 }), fc.uint8Array(), (sequences, last) => {
      const output: number[] = []
      const bytes: number[] = []
      for (const { literal, back, count } of sequences) {
        if (output.length + literal.length === 0) continue
        output.push(...literal)
        bytes.push((Math.min(15, literal.length) << 4) | Math.min(15, count))
        bytes.push(...lengthBytes(literal.length), ...literal)
        const distance = 1 + (back % output.length)
        bytes.push(distance & 0xff, distance >> 8, ...lengthBytes(count))
        for (let index = 0; index < count + 4; index++) output.push(output.at(-distance) as number)
      }
      output.push(...last)
      bytes.push(Math.min(15, last.length) << 4, ...lengthBytes(last.length), ...last)
      assert.deepEqual(expand(frame([{ bytes }]), output.length), Uint8Array.from(output))
    }),
  )
})

test('a frame that Kafka cannot read is refused', () => {
  const changed = (at: number, byte: number) =>
    Uint8Array.from(checked, (old, index) => (index === at ? byte : old))
  for (const [name, bytes] of [
    ['no frame', changed(0, 0)],
    ['blocks that depend on each other', changed(4, 0x54)],
    ['a dictionary', changed(4, 0x75)],
    ['a block size of no meaning', changed(5, 0x30)],
    ["a wrong header's checksum", changed(6, 0)],
    ["a wrong block's checksum", changed(checked.length - 12, 0)],
    ['a cut frame', checked.subarray(0, 40)],
    ['no end', plain.subarray(0, -4)],
    ['bytes behind the end', joinChunks([plain, Uint8Array.of(0)])],
    ['a match before the start', frame([{ bytes: [0x10, 97, 2, 0, 0] }])],
    ['an empty block', frame([{ bytes: [0x10] }])],
  ] as const) {
    assert.throws(() => expand(bytes, 10_000), InvalidMessageError, name)
  }
})

test('any bytes give bytes within the bound, or the error', () => {
  const changed = fc
    .tuple(fc.nat(plain.length - 1), fc.nat(255))
    .map(([at, byte]) => Uint8Array.from(plain, (old, index) => (index === at ? byte : old)))
  const block = fc.uint8Array({ maxLength: 200 }).map((bytes) => frame([{ bytes: [...bytes] }]))
  fc.assert(
    fc.property(fc.oneof(fc.uint8Array({ maxLength: 200 }), changed, block), (bytes) => {
      try {
        assert(expand(bytes, 5000).length <= 5000)
      } catch (error) {
        assert(error instanceof InvalidMessageError)
      }
    }),
  )
})
