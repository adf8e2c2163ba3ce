import assert from 'node:assert/strict'
import { suite, test } from 'node:test'
import {
  InvalidMessageError,
  RecordCursor,
  type RecordInput,
  RecordsBuilder,
} from '@kaska/protocol'
import fc from 'fast-check'
import { contiguous } from '../../test/batches.ts'
import { RecordWalker } from './record-walker.ts'

type Seen = [offsetDelta: number, timestampDelta: number, valueLength: number][]

function byCursor(bytes: Uint8Array, recordCount: number): Seen | 'refused' {
  const seen: Seen = []
  try {
    const cursor = new RecordCursor([bytes], bytes.length, recordCount)
    while (cursor.next()) seen.push([cursor.offsetDelta, cursor.timestampDelta, cursor.valueLength])
    return seen
  } catch (error) {
    assert.ok(error instanceof InvalidMessageError)
    return 'refused'
  }
}

function byWalker(bytes: Uint8Array, recordCount: number, cuts: number[]): Seen | 'refused' {
  const seen: Seen = []
  const walker = new RecordWalker(recordCount, (...record) => {
    seen.push(record)
    return false
  })
  try {
    let start = 0
    for (const end of [
      ...cuts.map((cut) => cut % (bytes.length + 1)).sort((a, b) => a - b),
      bytes.length,
    ]) {
      walker.push(bytes.subarray(start, end))
      start = end
    }
    walker.end()
    return seen
  } catch (error) {
    assert.ok(error instanceof InvalidMessageError)
    return 'refused'
  }
}

const field = fc.option(fc.uint8Array({ maxLength: 200 }), { nil: null })
const record = fc.record({
  key: field,
  value: field,
  headers: fc.array(fc.tuple(fc.uint8Array({ maxLength: 9 }), field), { maxLength: 3 }),
  timestamp: fc.integer({ min: -(2 ** 40), max: 2 ** 40 }),
})
const cuts = fc.array(fc.nat(3000), { maxLength: 6 })

function encode(records: readonly RecordInput[]): Uint8Array {
  const builder = new RecordsBuilder()
  for (const each of records) builder.append(each)
  return Uint8Array.from(contiguous(builder.finish()))
}

suite('a walk over records in pieces', () => {
  test('sees what a walk over the whole sees, however it is cut', () => {
    fc.assert(
      fc.property(fc.array(record, { maxLength: 8 }), cuts, (records, where) => {
        const bytes = encode(records)
        const seen = byWalker(bytes, records.length, where)
        assert.deepEqual(seen, byCursor(bytes, records.length))
        assert.equal(seen.length, records.length)
      }),
    )
  })

  test('accepts and refuses the same bytes', () => {
    const change = fc.record({ at: fc.nat(), to: fc.nat(255), cut: fc.nat(20), more: fc.nat(2) })
    fc.assert(
      fc.property(
        fc.array(record, { minLength: 1, maxLength: 3 }),
        change,
        cuts,
        (records, how, where) => {
          const whole = encode(records)
          const bytes = whole.slice(0, how.cut < 3 ? whole.length - how.cut : whole.length)
          if (bytes.length > 0) bytes[how.at % bytes.length] = how.to
          const count = records.length + how.more - 1
          assert.deepEqual(byWalker(bytes, count, where), byCursor(bytes, count))
        },
      ),
      { numRuns: 2000 },
    )
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 40 }), fc.nat(4), cuts, (bytes, count, where) => {
        assert.deepEqual(byWalker(bytes, count, where), byCursor(bytes, count))
      }),
      { numRuns: 2000 },
    )
  })

  test('ends where the visitor has seen enough', () => {
    const bytes = encode(
      Array.from({ length: 5 }, () => ({ key: null, value: null, headers: [], timestamp: 0 })),
    )
    const seen: number[] = []
    const walker = new RecordWalker(5, (offsetDelta) => seen.push(offsetDelta) === 2)
    assert.equal(walker.push(bytes), true)
    assert.deepEqual(seen, [0, 1])
  })
})
