import assert from 'node:assert/strict'
import { test } from 'node:test'
import fc from 'fast-check'
import { murmur2, partitionOfKey } from './partitioner.ts'

const utf8 = (text: string) => new TextEncoder().encode(text)

// The values that Apache Kafka's own clients give for these keys.
const known: [string, number][] = [
  ['21', -973932308],
  ['foobar', -790332482],
  ['a-little-bit-long-string', -985981536],
  ['a-little-bit-longer-string', -1486304829],
  ['lkjh234lh9fiuh90y23oiuhsafujhadof229phr9h19h89h8', -58897971],
  ['abc', 479470107],
]

test('hashes as Kafka does', () => {
  for (const [key, hash] of known) assert.equal(murmur2(utf8(key)), hash, key)
})

test('a key keeps its partition, and negative hashes give one too', () => {
  for (const [key, hash] of known) {
    for (const partitions of [1, 2, 3, 7, 1000]) {
      assert.equal(partitionOfKey(utf8(key), partitions), (hash & 0x7fffffff) % partitions)
    }
  }
  fc.assert(
    fc.property(fc.uint8Array(), fc.integer({ min: 1, max: 10_000 }), (key, partitions) => {
      const partition = partitionOfKey(key, partitions)
      assert.ok(Number.isInteger(partition) && partition >= 0 && partition < partitions)
      assert.equal(partitionOfKey(key.slice(), partitions), partition)
    }),
  )
})
