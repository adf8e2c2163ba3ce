import assert from 'node:assert/strict'
import { suite, test } from 'node:test'
import { createTopicId, DataDirectoryError, joinChunks, ProtocolError } from '@kaska/protocol'
import fc from 'fast-check'
import { SeededRandom } from '../../../../sim/seeded-random.ts'
import { decodeOffsetEntry, encodeOffsetEntry, type OffsetChange } from './offset-store-entries.ts'

const random = new SeededRandom(1)
const topics = [createTopicId(random), createTopicId(random)]

const time = fc.integer({ min: 0, max: 2 ** 45 })
const value = fc.record(
  {
    offset: fc.maxSafeInteger(),
    leaderEpoch: fc.integer({ min: -1, max: 2 ** 31 - 1 }),
    metadata: fc.string({ unit: 'binary', maxLength: 200 }),
    committedAt: time,
    isNative: fc.boolean(),
    expiresAt: fc.option(fc.maxSafeNat(), { nil: undefined }),
  },
  { noNullPrototype: true },
)
const change: fc.Arbitrary<OffsetChange> = fc.record(
  {
    topic: fc.constantFrom(...topics),
    partition: fc.nat(10_000),
    value: fc.option(value, { nil: undefined }),
  },
  { noNullPrototype: true },
)

function decode(bytes: Uint8Array): [string, OffsetChange][] {
  const found: [string, OffsetChange][] = []
  decodeOffsetEntry([bytes], (group, each) => found.push([group, each]))
  return found
}

suite('entries of committed offsets', () => {
  test('are read as they were written', () => {
    const group = fc.string({ unit: 'binary', maxLength: 300 })
    fc.assert(
      fc.property(group, fc.array(change, { maxLength: 20 }), (name, changes) => {
        const bytes = joinChunks(encodeOffsetEntry(name, changes))
        assert.deepEqual(
          decode(bytes),
          changes.map((each) => [name, each]),
        )
      }),
    )
  })

  test('a byte more for each of the things that are seldom said', () => {
    const plain = { offset: 5, leaderEpoch: -1, metadata: '', isNative: true, expiresAt: undefined }
    const bytesOf = (more: object) => {
      const changes = [0, 1].map((partition) => {
        const committedAt = 1_790_000_000_000
        return { topic: topics[0] as string, partition, value: { ...plain, committedAt, ...more } }
      })
      return joinChunks(encodeOffsetEntry('g', changes)).length
    }
    // 0, the form, the group, the time; then id, partition, flags and offset.
    assert.equal(bytesOf({}), 1 + 1 + 2 + 6 + 2 * (16 + 1 + 1 + 1))
    assert.equal(bytesOf({ leaderEpoch: 3 }), bytesOf({}) + 2)
    assert.equal(bytesOf({ metadata: 'abc' }), bytesOf({}) + 8)
  })

  test('any other bytes are refused, or say something', () => {
    const sound = joinChunks(
      encodeOffsetEntry('g', [{ topic: topics[0] ?? '', partition: 1, value: undefined }]),
    )
    const bytes = fc.oneof(
      fc.uint8Array({ maxLength: 100 }),
      fc.uint8Array({ maxLength: 100 }).map((rest) => Uint8Array.of(...sound, ...rest)),
      fc.nat(sound.length).map((length) => sound.subarray(0, length)),
    )
    fc.assert(
      fc.property(bytes, (some) => {
        try {
          for (const [, each] of decode(some)) assert.ok(each.partition >= 0)
        } catch (error) {
          assert.ok(error instanceof ProtocolError || error instanceof DataDirectoryError)
        }
      }),
      { numRuns: 1000 },
    )
    assert.throws(() => decode(Uint8Array.of(0, 2, 0)), DataDirectoryError)
  })
})
