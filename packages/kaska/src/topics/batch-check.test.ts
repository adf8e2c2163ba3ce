import assert from 'node:assert/strict'
import { suite, test } from 'node:test'
import { gzipSync, zstdCompressSync } from 'node:zlib'
import {
  InvalidMessageError,
  joinChunks,
  type MessageBatch,
  MessageTooLargeError,
  UnsupportedCompressionError,
} from '@kaska/protocol'
import { batchOf, compressed } from '../../test/batches.ts'
import { createCodecs, createExpander } from '../host/codecs.ts'
import { nodeClock } from '../host/node-clock.ts'
import { checkBatch } from './batch-check.ts'
import { Gate } from './gate.ts'
import type { WalkSeams } from './record-walk.ts'

const mebibyte = 1024 * 1024
const seams: WalkSeams = {
  clock: nodeClock,
  codecs: createCodecs(),
  expander: createExpander(),
  expansions: new Gate(2),
  expandedBytesMax: 8 * mebibyte,
}

const check = async (batch: MessageBatch, more: Partial<WalkSeams> = {}) =>
  await checkBatch(batch, 100 * mebibyte, { ...seams, ...more })

/** What no compression makes small. */
function noise(length: number, seed = 1): Uint8Array {
  let state = seed
  return Uint8Array.from({ length }, () => {
    state = (Math.imul(state, 1664525) + 1013904223) | 0
    return state >>> 24
  })
}

const codecs = [
  { name: 'gzip', type: 1, compress: (bytes: Uint8Array) => gzipSync(bytes) },
  { name: 'zstd', type: 4, compress: (bytes: Uint8Array) => zstdCompressSync(bytes) },
]

suite('the check of a batch', () => {
  test('finds the largest timestamp, wherever it is', async () => {
    const plain = batchOf(['a', 'b', 'c'], { timestamp: 7 })
    assert.equal((await check(plain)).maxTimestamp, 9)
    const many = batchOf(
      Array.from({ length: 30_000 }, () => 'x'),
      { timestamp: 7 },
    )
    assert.equal((await check(many)).maxTimestamp, 7 + 29_999)
    for (const { type, compress } of codecs) {
      assert.equal((await check(compressed(plain, type, compress))).maxTimestamp, 9)
      assert.equal((await check(compressed(many, type, compress))).maxTimestamp, 7 + 29_999)
    }
  })

  test('what is small is checked at once', () => {
    const plain = batchOf(['a', 'b'])
    assert.ok(!(checkBatch(plain, mebibyte, seams) instanceof Promise))
    for (const { type, compress } of codecs) {
      assert.ok(
        !(checkBatch(compressed(plain, type, compress), mebibyte, seams) instanceof Promise),
      )
    }
  })

  test('what is large lets others have a turn in between', async () => {
    let now = 0
    let turns = 0
    const clock = {
      ...nodeClock,
      // Each look at the clock finds it two milliseconds later.
      monotonic: () => {
        now += 2
        return now
      },
      yield: async () => {
        turns++
      },
    }
    const many = batchOf(Array.from({ length: 200_000 }, () => 'some text of some length'))
    const checking = checkBatch(many, 100 * mebibyte, { ...seams, clock })
    assert.ok(checking instanceof Promise)
    await checking
    assert.ok(turns > 10, `${turns} turns`)
  })

  for (const { name, type, compress } of codecs) {
    test(`${name}: a large batch is expanded piece by piece, and refused as a small one is`, async () => {
      const plain = batchOf([noise(200_000), 'b', noise(200_000, 2)])
      const batch = compressed(plain, type, compress)
      assert.ok(batch.recordsLength > 100_000)
      assert.equal((await check(batch)).maxTimestamp, 1002)

      const more = { ...batch, recordCount: 4, lastOffsetDelta: 3 }
      await assert.rejects(check(more), InvalidMessageError)
      const fewer = { ...batch, recordCount: 2, lastOffsetDelta: 1 }
      await assert.rejects(check(fewer), InvalidMessageError)
      const bytes = joinChunks(batch.records)
      for (const records of [bytes.subarray(0, -10), bytes.subarray(10), noise(200_000)]) {
        const broken = { ...batch, records: [records], recordsLength: records.length }
        await assert.rejects(check(broken), InvalidMessageError)
      }
    })

    test(`${name}: what expands to more than the bound is refused, in little memory`, async () => {
      // 16 MiB of zeros become some kilobytes.
      const bomb = compressed(batchOf([new Uint8Array(16 * mebibyte)]), type, compress)
      assert.ok(bomb.recordsLength < 64 * 1024)
      await assert.rejects(check(bomb), InvalidMessageError)
      assert.equal((await check(bomb, { expandedBytesMax: 17 * mebibyte })).recordCount, 1)
    })
  }

  test('offsets in another order, or with gaps, are refused', async () => {
    const records = joinChunks(batchOf(['a', 'b']).records).slice()
    // length, attributes, timestamp, offset, ...: the second record is as long as the first.
    const second = records.length / 2
    records[second + 3] = 4
    const batch = { ...batchOf(['a', 'b']), records: [records] }
    await assert.rejects(check(batch), InvalidMessageError)
    const { type, compress } = codecs[0] as (typeof codecs)[0]
    await assert.rejects(check(compressed(batch, type, compress)), InvalidMessageError)
  })

  test('what a client may not say is refused', async () => {
    const good = batchOf(['a'])
    for (const change of [
      { attributes: 0x08 },
      { attributes: 0x10 },
      { attributes: 0x20 },
      { attributes: 0x40 },
      { attributes: -1 },
      { lastOffsetDelta: 1 },
      { recordCount: 0, lastOffsetDelta: -1 },
      { recordCount: -1, lastOffsetDelta: -2 },
      { recordCount: 2 ** 31, lastOffsetDelta: 2 ** 31 - 1 },
      { baseTimestamp: Number.NaN },
      { baseTimestamp: -2 },
      { baseTimestamp: 2 ** 53 },
      { recordsLength: 3 },
      { recordsLength: 300 },
    ]) {
      await assert.rejects(
        check({ ...good, ...change }),
        InvalidMessageError,
        JSON.stringify(change),
      )
    }
    const many = { recordCount: 2_000_000_000, lastOffsetDelta: 1_999_999_999 }
    const { type, compress } = codecs[0] as (typeof codecs)[0]
    await assert.rejects(
      check({ ...compressed(good, type, compress), ...many }),
      InvalidMessageError,
    )
    for (const attributes of [1, 2, 3, 4]) {
      await assert.rejects(check({ ...good, attributes }), InvalidMessageError)
    }
    for (const attributes of [5, 6, 7]) {
      await assert.rejects(check({ ...good, attributes }), UnsupportedCompressionError)
    }
    await assert.rejects(
      (async () => checkBatch(good, 61 + good.recordsLength - 1, seams))(),
      MessageTooLargeError,
    )
    assert.ok(checkBatch(good, 61 + good.recordsLength, seams))
  })
})
