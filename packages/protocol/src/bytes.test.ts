import assert from 'node:assert/strict'
import { test } from 'node:test'
import fc from 'fast-check'
import { splitAt, splitBytes } from '../test/split-bytes.ts'
import {
  ChunkReader,
  ChunkWriter,
  chunksLength,
  emptyBytes,
  joinChunks,
  varintLength,
  writeVarint,
} from './bytes.ts'
import { ProtocolError } from './errors.ts'
import { decodeUtf8 } from './topic-name.ts'

const varintMax = Number.MAX_SAFE_INTEGER
const zigzagMin = -(2 ** 52)
const zigzagMax = 2 ** 52 - 1

function varintBytes(value: number): Uint8Array {
  const buffer = new Uint8Array(16)
  return buffer.subarray(0, writeVarint(buffer, 0, value))
}

test('known varints', () => {
  const known: [number, number[]][] = [
    [0, [0]],
    [1, [1]],
    [127, [0x7f]],
    [128, [0x80, 0x01]],
    [300, [0xac, 0x02]],
    [16_383, [0xff, 0x7f]],
    [16_384, [0x80, 0x80, 0x01]],
    [2 ** 31 - 1, [0xff, 0xff, 0xff, 0xff, 0x07]],
    [2 ** 31, [0x80, 0x80, 0x80, 0x80, 0x08]],
    [2 ** 32, [0x80, 0x80, 0x80, 0x80, 0x10]],
    [varintMax, [0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0x0f]],
  ]
  for (const [value, bytes] of known) {
    assert.deepEqual([...varintBytes(value)], bytes, String(value))
    assert.equal(new ChunkReader([Uint8Array.from(bytes)]).varint(), value)
    assert.equal(varintLength(value), bytes.length)
  }
})

test('any integer goes round as a varint, however it is split', () => {
  const integers = fc.oneof(fc.maxSafeNat(), fc.nat(300), fc.nat(70_000), boundaries(0, varintMax))
  fc.assert(
    fc.property(integers, fc.boolean(), (value, byteByByte) => {
      const bytes = varintBytes(value)
      assert.equal(varintLength(value), bytes.length)
      const chunks = byteByByte ? [...bytes].map((byte) => Uint8Array.of(byte)) : [bytes]
      const reader = new ChunkReader(chunks)
      assert.equal(reader.varint(), value)
      assert.equal(reader.remaining, 0)
    }),
  )
})

test('any integer of -2^52 to 2^52 - 1 goes round in zigzag form', () => {
  const integers = fc.oneof(
    fc.integer({ min: -300, max: 300 }),
    fc.maxSafeInteger().map((value) => Math.trunc(value / 2)),
    boundaries(zigzagMin, zigzagMax),
  )
  fc.assert(
    fc.property(integers, (value) => {
      const writer = new ChunkWriter()
      writer.zigzag(value)
      const decoded = new ChunkReader(writer.finish()).zigzag()
      assert.ok(Object.is(decoded, value === 0 ? 0 : value), `${decoded} is ${value}`)
    }),
  )
})

test('integers beyond 2^53 - 1, endless ones and cut ones are refused', () => {
  const refused = [
    [],
    [0x80],
    [0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff],
    [0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x10],
    [0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x00],
    [0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0x01],
    new Array<number>(1000).fill(0x80),
  ]
  for (const bytes of refused) {
    assert.throws(() => new ChunkReader([Uint8Array.from(bytes)]).varint(), ProtocolError)
  }
})

test('a reader over any split reads what lies in the joined bytes, as views of the chunks', () => {
  type Step = { kind: 'take' | 'skip' | 'bytes' | 'u8'; length: number }
  const steps = fc.array(
    fc.record({ kind: fc.constantFrom('take', 'skip', 'bytes', 'u8'), length: fc.nat(40) }),
  ) as fc.Arbitrary<Step[]>
  fc.assert(
    fc.property(splitBytes({ maxLength: 200 }), steps, ({ bytes, chunks }, script) => {
      const reader = new ChunkReader(chunks)
      let position = 0
      for (const { kind, length } of script) {
        const wanted = kind === 'u8' ? 1 : length
        if (wanted > bytes.length - position) {
          const before = reader.remaining
          assert.throws(() => (kind === 'u8' ? reader.u8() : reader[kind](length)), ProtocolError)
          assert.equal(reader.remaining, before)
          continue
        }
        const expected = bytes.subarray(position, position + wanted)
        position += wanted
        if (kind === 'u8') assert.equal(reader.u8(), expected[0])
        else if (kind === 'skip') reader.skip(length)
        else if (kind === 'bytes') assert.deepEqual(reader.bytes(length), expected)
        else {
          const views = reader.take(length)
          assert.deepEqual(joinChunks(views), expected)
          for (const view of views) {
            assert.ok(view.length > 0)
            assert.ok(chunks.some((chunk) => chunk.buffer === view.buffer))
          }
        }
        assert.equal(reader.remaining, bytes.length - position)
      }
      assert.deepEqual(joinChunks(reader.rest()), bytes.subarray(position))
      assert.equal(reader.remaining, 0)
    }),
  )
})

test('a reader that is told a length stops there, and at the end of what there is', () => {
  const chunks = [Uint8Array.of(1, 2), Uint8Array.of(3, 4)]
  const shorter = new ChunkReader(chunks, 3)
  assert.deepEqual(joinChunks(shorter.rest()), Uint8Array.of(1, 2, 3))
  assert.throws(() => shorter.u8(), ProtocolError)
  const longer = new ChunkReader(chunks, 5)
  assert.throws(() => longer.rest(), ProtocolError)
  assert.throws(() => new ChunkReader(chunks, 5).skip(5), ProtocolError)
  assert.throws(() => new ChunkReader([], 1).u8(), ProtocolError)
})

test('a field that claims more than there is, is refused', () => {
  const bytes = Uint8Array.of(3, 0x61, 0x62)
  assert.throws(() => new ChunkReader([bytes]).field(), ProtocolError)
  assert.deepEqual(joinChunks(new ChunkReader([bytes.subarray(1)]).rest()), bytes.subarray(1))
})

test('a writer holds what was written, in order, whatever the mixture', () => {
  const bytes = fc.uint8Array({ maxLength: 600 })
  const fields = fc.array(
    fc.oneof(
      fc.record({ kind: fc.constant('u8' as const), value: fc.nat(255) }),
      fc.record({ kind: fc.constant('varint' as const), value: fc.maxSafeNat() }),
      fc.record({ kind: fc.constant('zigzag' as const), value: fc.integer() }),
      fc.record({ kind: fc.constant('copy' as const), value: bytes }),
      fc.record({ kind: fc.constant('view' as const), value: bytes }),
      fc.record({
        kind: fc.constant('string' as const),
        value: fc.string({ unit: 'binary', maxLength: 200 }),
      }),
    ),
  )
  fc.assert(
    fc.property(fields, fc.nat(40), (script, bytesExpected) => {
      const writer = new ChunkWriter(bytesExpected)
      for (const { kind, value } of script) {
        if (kind === 'u8') writer.u8(value)
        else if (kind === 'varint') writer.varint(value)
        else if (kind === 'zigzag') writer.zigzag(value)
        else if (kind === 'copy') writer.copy(value)
        else if (kind === 'view') writer.view(value)
        else writer.string(value)
      }
      const length = writer.length
      const chunks = writer.finish()
      assert.equal(chunksLength(chunks), length)
      const reader = new ChunkReader(chunks)
      for (const { kind, value } of script) {
        if (kind === 'u8') assert.equal(reader.u8(), value)
        else if (kind === 'varint') assert.equal(reader.varint(), value)
        else if (kind === 'zigzag') assert.equal(reader.zigzag(), value)
        else if (kind === 'string') {
          assert.deepEqual(joinChunks(reader.field()), new TextEncoder().encode(value))
        } else {
          assert.deepEqual(reader.bytes(value.length), value)
        }
      }
      assert.equal(reader.remaining, 0)
      for (const { kind, value } of script) {
        if (kind !== 'view' || value.length === 0) continue
        assert.ok(chunks.includes(value), 'a view leaves by identity')
      }
    }),
  )
})

test('a writer never moves what it has written', () => {
  const writer = new ChunkWriter(4)
  writer.u8(1)
  writer.copy(new Uint8Array(1000).fill(2))
  writer.view(Uint8Array.of(3))
  writer.u8(4)
  assert.equal(writer.length, 1003)
  assert.deepEqual(
    writer.finish().map((chunk) => chunk.length),
    [1, 1000, 1, 1],
  )
})

test('joining no chunks, and one', () => {
  assert.deepEqual(joinChunks([]), emptyBytes)
  const one = Uint8Array.of(1)
  assert.equal(joinChunks([one]), one)
})

test('big-endian integers and ASCII go round, however they are split', () => {
  const int16 = fc.integer({ min: -0x8000, max: 0x7fff })
  const ascii = fc.string({ unit: 'grapheme-ascii', maxLength: 300 })
  fc.assert(
    fc.property(
      fc.array(fc.tuple(int16, fc.integer(), ascii), { maxLength: 20 }),
      fc.array(fc.nat(), { maxLength: 30 }),
      (rows, cuts) => {
        const writer = new ChunkWriter(16)
        for (const [small, large, text] of rows) {
          writer.i16(small)
          writer.i32(large)
          writer.ascii(text)
        }
        const bytes = joinChunks(writer.finish())
        const view = new DataView(bytes.buffer, bytes.byteOffset)
        if (rows[0] !== undefined) {
          assert.deepEqual([view.getInt16(0), view.getInt32(2)], rows[0].slice(0, 2))
        }
        const reader = new ChunkReader(splitAt(bytes, cuts))
        for (const [small, large, text] of rows) {
          assert.equal(reader.i16(), small)
          assert.equal(reader.i32(), large)
          const left = reader.remaining
          const read = reader.ascii(text.length)
          // Undefined only where the text is cut; then nothing is read.
          if (read === undefined) assert.equal(reader.remaining, left)
          if (read === undefined) assert.ok(cuts.length > 0)
          assert.equal(read ?? decodeUtf8(reader.take(text.length), 'text'), text)
        }
        assert.equal(reader.remaining, 0)
      },
    ),
  )
})

test('integers and ASCII end where the reader ends, and ASCII at the first other byte', () => {
  const bytes = [Uint8Array.of(1, 2, 3, 0x80, 5)]
  assert.throws(() => new ChunkReader(bytes, 1).i16(), ProtocolError)
  assert.throws(() => new ChunkReader(bytes, 3).i32(), ProtocolError)
  assert.equal(new ChunkReader(bytes, 2).ascii(3), undefined)
  assert.equal(new ChunkReader(bytes).ascii(4), undefined)
  assert.equal(new ChunkReader(bytes).ascii(3), '\x01\x02\x03')
})

/** The powers of two and their neighbours within the range. */
function boundaries(min: number, max: number): fc.Arbitrary<number> {
  return fc
    .tuple(fc.constantFrom(1, -1), fc.nat(53), fc.integer({ min: -1, max: 1 }))
    .map(([sign, exponent, shift]) => sign * 2 ** exponent + shift)
    .filter((value) => value >= min && value <= max)
}
