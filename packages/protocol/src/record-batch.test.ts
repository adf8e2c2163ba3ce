import assert from 'node:assert/strict'
import { test } from 'node:test'
import fc from 'fast-check'
import { splitAt } from '../test/split-bytes.ts'
import { type Chunks, chunksLength, joinChunks } from './bytes.ts'
import { crc32c } from './crc32c.ts'
import { InvalidMessageError } from './errors.ts'
import {
  type BatchHeader,
  batchCrc,
  batchCrcStart,
  batchHeaderBytes,
  checkRecords,
  decodeBatchHeader,
  encodeBatchHeader,
  RecordCursor,
  RecordDecoder,
  setBatchCrc,
} from './record-batch.ts'
import { type RecordInput, RecordsBuilder } from './record-encoder.ts'

const utf8 = (text: string) => new TextEncoder().encode(text)
const cuts = fc.array(fc.nat(), { maxLength: 6 })

const int32 = fc.integer()
const int16 = fc.integer({ min: -0x8000, max: 0x7fff })
const int64 = fc.oneof(fc.maxSafeInteger(), fc.constant(-1), fc.integer())

const headers: fc.Arbitrary<BatchHeader> = fc.record(
  {
    baseOffset: int64,
    batchLength: int32,
    partitionLeaderEpoch: int32,
    magic: fc.integer({ min: -0x80, max: 0x7f }),
    crc: fc.nat(0xffffffff),
    attributes: int16,
    lastOffsetDelta: int32,
    baseTimestamp: int64,
    maxTimestamp: int64,
    producerId: int64,
    producerEpoch: int16,
    baseSequence: int32,
    recordCount: int32,
  },
  { noNullPrototype: true },
)

const field = fc.oneof(
  fc.uint8Array({ maxLength: 40 }),
  fc.uint8Array({ minLength: 100, maxLength: 200 }),
)
const nullable = fc.option(field, { nil: null })

const records: fc.Arbitrary<RecordInput[]> = fc.array(
  fc.record({
    key: nullable,
    value: nullable,
    headers: fc.array(
      fc.tuple(
        fc.string({ unit: 'grapheme' }).map((name) => utf8(name)),
        nullable,
      ),
      { maxLength: 3 },
    ),
    timestamp: fc.oneof(fc.nat(), fc.integer({ min: -1, max: 2 ** 45 })),
  }),
  { minLength: 1, maxLength: 12 },
)

interface Built {
  readonly records: Uint8Array
  readonly recordCount: number
  readonly baseTimestamp: number
  readonly maxTimestamp: number
}

function build(inputs: readonly RecordInput[]): Built {
  const builder = new RecordsBuilder()
  for (const input of inputs) builder.append(input)
  const { recordCount, baseTimestamp, maxTimestamp } = builder
  return { records: joinChunks(builder.finish()), recordCount, baseTimestamp, maxTimestamp }
}

function check(chunks: Chunks, recordCount: number, baseTimestamp = 0): { maxTimestamp: number } {
  const recordsLength = chunksLength(chunks)
  return checkRecords({ records: chunks, recordsLength, recordCount, baseTimestamp })
}

test('a header of known bytes', () => {
  const bytes = encodeBatchHeader({
    baseOffset: 0x0102030405,
    batchLength: 0x11121314,
    partitionLeaderEpoch: 7,
    magic: 2,
    crc: 0xfffefdfc,
    attributes: 0x0108,
    lastOffsetDelta: 3,
    baseTimestamp: -1,
    maxTimestamp: 2 ** 53 - 1,
    producerId: -1,
    producerEpoch: -1,
    baseSequence: -1,
    recordCount: 4,
  })
  assert.equal(batchHeaderBytes, 61)
  const hex = [...bytes].map((byte) => byte.toString(16).padStart(2, '0')).join('')
  assert.equal(
    hex,
    '0000000102030405' +
      '11121314' +
      '00000007' +
      '02' +
      'fffefdfc' +
      '0108' +
      '00000003' +
      'ffffffffffffffff' +
      '001fffffffffffff' +
      'ffffffffffffffff' +
      'ffff' +
      'ffffffff' +
      '00000004',
  )
})

test('any header goes round, wherever it lies', () => {
  fc.assert(
    fc.property(headers, fc.nat(9), (header, before) => {
      const bytes = encodeBatchHeader(header)
      assert.equal(bytes.length, batchHeaderBytes)
      const placed = new Uint8Array(before + batchHeaderBytes)
      placed.set(bytes, before)
      assert.deepEqual(decodeBatchHeader(placed, before), header)
      assert.deepEqual(decodeBatchHeader(placed.subarray(before)), header)
    }),
  )
})

test('the CRC covers the header from byte 21 on and all of the records, however split', () => {
  fc.assert(
    fc.property(headers, fc.uint8Array({ maxLength: 100 }), cuts, (header, bytes, at) => {
      const headerBytes = encodeBatchHeader(header)
      const crc = batchCrc(headerBytes, splitAt(bytes, at), crc32c)
      const covered = joinChunks([headerBytes.subarray(batchCrcStart), bytes])
      assert.equal(crc, crc32c(covered, 0))
      setBatchCrc(headerBytes, crc)
      assert.deepEqual(decodeBatchHeader(headerBytes), { ...header, crc })
    }),
  )
})

test('a record of known bytes', () => {
  const { records: bytes } = build([
    { key: utf8('k'), value: utf8('hello'), headers: [[utf8('h'), null]], timestamp: 1000 },
    { key: null, value: new Uint8Array(0), headers: [], timestamp: 1003 },
  ])
  assert.deepEqual(
    [...bytes],
    [
      ...[30, 0, 0, 0, 2, 0x6b, 10, 0x68, 0x65, 0x6c, 0x6c, 0x6f, 2, 2, 0x68, 1],
      ...[12, 0, 6, 2, 1, 0, 0],
    ],
  )
})

test('any messages go round, in any split', () => {
  fc.assert(
    fc.property(records, cuts, (inputs, at) => {
      const built = build(inputs)
      const chunks = splitAt(built.records, at)
      const timestamps = inputs.map(({ timestamp }) => timestamp)
      assert.equal(built.baseTimestamp, timestamps[0])
      assert.equal(built.maxTimestamp, Math.max(...timestamps))
      const checked = check(chunks, built.recordCount, built.baseTimestamp)
      assert.equal(checked.maxTimestamp, built.maxTimestamp)

      const cursor = new RecordCursor(chunks, built.records.length, built.recordCount)
      const decoder = new RecordDecoder(built.records, built.recordCount)
      for (const [index, input] of inputs.entries()) {
        assert.ok(cursor.next())
        assert.equal(cursor.offsetDelta, index)
        assert.equal(cursor.timestampDelta, input.timestamp - built.baseTimestamp)
        assert.equal(cursor.keyLength, input.key?.length ?? -1)
        assert.equal(cursor.valueLength, input.value?.length ?? -1)
        const decoded = decoder.next()
        assert.deepEqual(decoded, {
          offsetDelta: index,
          timestampDelta: input.timestamp - built.baseTimestamp,
          key: input.key,
          value: input.value,
          headers: input.headers.map(([name, value]) => [new TextDecoder().decode(name), value]),
        })
        for (const view of [decoded?.key, decoded?.value]) {
          if (view) assert.equal(view.buffer, built.records.buffer, 'a view, not a copy')
        }
      }
      assert.ok(!cursor.next())
      assert.equal(decoder.next(), undefined)
    }),
  )
})

test('a changed byte is refused, or the records are still sound', () => {
  fc.assert(
    fc.property(
      records,
      fc.nat(),
      fc.integer({ min: 1, max: 255 }),
      cuts,
      (inputs, at, xor, cut) => {
        const built = build(inputs)
        const changed = built.records.slice()
        const position = at % changed.length
        changed[position] = (changed[position] as number) ^ xor
        const verdict = verdictOf(splitAt(changed, cut), built.recordCount)
        assert.equal(verdict, verdictOf([changed], built.recordCount), 'the split does not matter')
        if (verdict === 'sound') assertReadable(changed, built.recordCount)
      },
    ),
    { numRuns: 2000 },
  )
})

test('every change of a byte that holds structure is refused', () => {
  const { records: bytes, recordCount } = build([
    { key: utf8('k'), value: utf8('hello'), headers: [[utf8('h'), utf8('v')]], timestamp: 5 },
    { key: null, value: utf8(''), headers: [], timestamp: 6 },
  ])
  // 0 length, 3 offset delta, 4 key length, 6 value length, 12 headers, 13 and 15 their lengths;
  // 17 length, 20 offset delta, 23 headers. (A null key can turn into an empty one, and the other way.)
  const structure = [0, 3, 4, 6, 12, 13, 15, 17, 20, 23]
  assert.equal(bytes.length, 24)
  for (const position of structure) {
    for (let value = 0; value < 256; value++) {
      if (value === bytes[position]) continue
      const changed = bytes.slice()
      changed[position] = value
      assert.equal(verdictOf([changed], recordCount), 'refused', `byte ${position} = ${value}`)
      assert.equal(verdictOf(splitAt(changed, [position, 12]), recordCount), 'refused')
    }
  }
})

test('a wrong count, a cut and a tail are refused', () => {
  const { records: bytes } = build([
    { key: null, value: utf8('one'), headers: [], timestamp: 0 },
    { key: null, value: utf8('two'), headers: [], timestamp: 0 },
  ])
  assert.doesNotThrow(() => check([bytes], 2))
  for (const count of [-1, 0, 1, 3, 1.5, Number.NaN, 2 ** 31, 2 ** 53]) {
    assert.throws(() => check([bytes], count), InvalidMessageError, `count ${count}`)
  }
  for (let length = 0; length < bytes.length; length++) {
    assert.throws(() => check([bytes.subarray(0, length)], 2), InvalidMessageError)
    assert.throws(() => check(splitAt(bytes.subarray(0, length), [7, 9]), 2), InvalidMessageError)
  }
  assert.throws(() => check([bytes, Uint8Array.of(0)], 2), InvalidMessageError)
  assert.throws(() => check([], 1), InvalidMessageError)
})

test('a length in more than the five bytes that other readers allow is refused', () => {
  const record = [14, 0, 0, 0, 1, 2, 0x61, 0]
  assert.doesNotThrow(() => check([Uint8Array.from(record)], 1))
  /** The record with one number in as many bytes as said, all of the same value. */
  const stretched = (at: number, bytes: number): Uint8Array => {
    const value = record[at] as number
    const long = [value | 0x80, ...new Array<number>(bytes - 2).fill(0x80), 0]
    const changed = [...record.slice(0, at), ...long, ...record.slice(at + 1)]
    if (at !== 0) changed[0] = (changed[0] as number) + 2 * (bytes - 1)
    return Uint8Array.from(changed)
  }
  for (const at of [0, 3, 4, 5, 7]) {
    for (const split of [[], [3], [1, 2, 3, 4, 5, 6, 7, 8]]) {
      const verdict = (bytes: number) => verdictOf(splitAt(stretched(at, bytes), split), 1)
      assert.equal(verdict(5), 'sound', `number at ${at} in 5 bytes`)
      assert.equal(verdict(6), 'refused', `number at ${at} in 6 bytes`)
      assert.equal(verdict(8), 'refused', `number at ${at} in 8 bytes`)
    }
  }
  // A timestamp is 64 bits wide.
  assert.equal(verdictOf([stretched(2, 8)], 1), 'sound')
})

test('timestamps beyond 2^53 - 1 are refused', () => {
  const builder = new RecordsBuilder()
  builder.append({ key: null, value: null, headers: [], timestamp: 0 })
  builder.append({ key: null, value: null, headers: [], timestamp: 10 })
  const chunks = builder.finish()
  assert.equal(check(chunks, 2, Number.MAX_SAFE_INTEGER - 10).maxTimestamp, 2 ** 53 - 1)
  assert.throws(() => check(chunks, 2, Number.MAX_SAFE_INTEGER - 9), InvalidMessageError)
})

test('any bytes are records or refused, in bounded time', () => {
  const bytes = fc.uint8Array({ maxLength: 80 })
  const small = fc.array(fc.nat(20), { maxLength: 80 }).map((list) => Uint8Array.from(list))
  const counts = fc.oneof(fc.nat(12), fc.constant(2 ** 31 - 1))
  fc.assert(
    fc.property(fc.oneof(bytes, small), counts, cuts, (input, count, at) => {
      const verdict = verdictOf(splitAt(input, at), count)
      assert.equal(verdict, verdictOf([input], count))
      if (verdict === 'sound') return assertReadable(input, count)
      const decoder = new RecordDecoder(input, count)
      try {
        let last = 0
        for (let record = decoder.next(); record !== undefined; record = decoder.next()) last++
        assert.ok(last <= input.length / 7)
      } catch (error) {
        assert.ok(error instanceof InvalidMessageError, String(error))
      }
    }),
    { numRuns: 5000 },
  )
})

test('claims that are larger than the bytes build nothing', () => {
  // A record that claims 2^30 headers, and a batch that claims 2^31 - 1 records.
  const headersClaim = Uint8Array.of(22, 0, 0, 0, 1, 1, 0x80, 0x80, 0x80, 0x80, 0x08, 0)
  assert.throws(() => check([headersClaim], 1), InvalidMessageError)
  assert.throws(() => new RecordDecoder(headersClaim, 1).next(), InvalidMessageError)
  assert.throws(() => check([new Uint8Array(100)], 2 ** 31 - 1), InvalidMessageError)
})

function verdictOf(chunks: Chunks, recordCount: number): 'sound' | 'refused' {
  try {
    check(chunks, recordCount)
    return 'sound'
  } catch (error) {
    assert.ok(error instanceof InvalidMessageError, String(error))
    return 'refused'
  }
}

/** What was found sound, the reader's side takes apart. */
function assertReadable(bytes: Uint8Array, recordCount: number): void {
  const decoder = new RecordDecoder(bytes, recordCount)
  for (let index = 0; index < recordCount; index++) {
    assert.equal(decoder.next()?.offsetDelta, index)
  }
  assert.equal(decoder.next(), undefined)
}
