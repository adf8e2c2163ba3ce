/**
 * What has to hold over all records of a workload that was moved (move-workload.ts): each acknowledged
 * message is received once by each consumer, in order, and a key's partition is the same everywhere. What a
 * killed consumer had not committed it receives again, and nothing else.
 */
import assert from 'node:assert/strict'
import { type RecordLine, readRecord } from './move-workload.ts'

type Moved = Extract<RecordLine, { is: 'sent' | 'received' }>

/** All that was acknowledged, by value. */
export function sentOf(files: readonly string[]): Map<string, Moved> {
  const sent = new Map<string, Moved>()
  for (const line of files.flatMap(readRecord)) {
    if (line.is !== 'sent') continue
    assert.ok(!sent.has(line.value), `${line.value} was acknowledged twice`)
    sent.set(line.value, line)
  }
  return sent
}

/** The partition of each key; throws where a key has two. */
export function partitionsOfKeys(messages: Iterable<Moved>): Map<string, number> {
  const partitions = new Map<string, number>()
  for (const { value, partition } of messages) {
    const key = keyOf(value)
    const known = partitions.get(key) ?? partition
    assert.equal(partition, known, `${key} has two partitions`)
    partitions.set(key, partition)
  }
  return partitions
}

/** How many different messages a consumer has received. */
export function receivedCount(file: string): number {
  const values = new Set<string>()
  for (const line of readRecord(file)) if (line.is === 'received') values.add(line.value)
  return values.size
}

/**
 * Checks a consumer's record against what was sent; returns how many messages came again, which only what a
 * kill left uncommitted may do.
 */
export function proveReceived(file: string, sent: ReadonlyMap<string, Moved>): number {
  const next = new Map<string, number>()
  const seen = new Map<string, Moved>()
  /** By partition: received since the last commit that was written down. */
  let uncommitted = new Map<number, Set<string>>()
  let again = new Map<number, Set<string>>()
  let repeated = 0
  for (const line of readRecord(file)) {
    if (line.is === 'start') {
      again = uncommitted
      uncommitted = new Map()
    } else if (line.is === 'committed') {
      uncommitted.delete(line.partition)
    } else if (line.is === 'received') {
      const { value, partition } = line
      const since = uncommitted.get(partition) ?? new Set<string>()
      uncommitted.set(partition, since.add(value))
      if (seen.has(value)) {
        assert.ok(again.get(partition)?.delete(value), `${file}: ${value} came twice`)
        repeated++
        continue
      }
      const key = keyOf(value)
      const number = Number(value.slice(key.length + 1))
      assert.equal(number, next.get(key) ?? 0, `${file}: ${value} is out of order`)
      next.set(key, number + 1)
      assert.equal(partition, sent.get(value)?.partition, `${file}: ${value}'s partition`)
      seen.set(value, line)
    }
  }
  assert.deepEqual(
    [...sent.keys()].filter((value) => !seen.has(value)),
    [],
    `${file}: acknowledged, and not received`,
  )
  assert.equal(seen.size, sent.size, `${file}: received, and not acknowledged`)
  return repeated
}

function keyOf(value: string): string {
  return value.slice(0, value.indexOf('/'))
}
