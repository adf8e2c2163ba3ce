/** Ranges of messages, from an engine that answers what a test says. */
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { gzipSync } from 'node:zlib'
import type { MessageBatch, PolledBatch } from '@kaska/protocol'
import { batchOf, compressed, context } from '../../test/batches.ts'
import { fakeEngine, topicOf } from '../../test/fake-engine.ts'
import { createCodecs, createExpander } from '../host/codecs.ts'
import { nodeClock } from '../host/node-clock.ts'
import { AnswerMemory } from './answer-memory.ts'
import { endOf, type Reading } from './batch-messages.ts'
import { readRange } from './read-range.ts'

const topic = topicOf('orders')
const mebibyte = 1024 * 1024
const gzip = 1
const everything = { topic, partition: 0, offset: 0, limit: 1000, waitMs: 0, bytesPerByte: 1 }

/** Batches that lie behind one another. */
function logOf(batches: readonly MessageBatch[]): PolledBatch[] {
  let baseOffset = 0
  return batches.map((batch) => {
    const polled = { ...batch, topic: topic.id, partition: 0, baseOffset, leaderEpoch: 0 }
    baseOffset = endOf(polled)
    return polled
  })
}

function readingFrom(log: readonly PolledBatch[]): Reading {
  const budget = { total: 400 * mebibyte, tryReserve: () => true, release: () => {} }
  return {
    engine: fakeEngine({
      poll({ parts: [part] }) {
        const batches = log
          .filter((batch) => endOf(batch) > (part?.offset ?? 0))
          .map((batch) => ({ ...batch, records: batch.records.map((chunk) => chunk.slice()) }))
        // What was polled is somebody else's memory from then on.
        const release = () => {
          for (const { records } of batches) for (const chunk of records) chunk.fill(0)
        }
        return Promise.resolve({ batches, failures: [], release })
      },
    }),
    clock: nodeClock,
    codecs: createCodecs(),
    expander: createExpander(),
    answers: new AnswerMemory(budget),
  }
}

/** A frame of lz4 of one block, which is stored as it is: so producers send what cannot be compressed. */
function storedAsLz4(bytes: Uint8Array): Uint8Array {
  const frame = Buffer.alloc(bytes.length + 15)
  frame.set([0x04, 0x22, 0x4d, 0x18, 0x60, 0x40, 0x82])
  frame.writeUInt32LE(2 ** 31 + bytes.length, 7)
  frame.set(bytes, 11)
  return frame
}

const valuesOf = (messages: readonly { readonly value: Uint8Array | null }[]) =>
  messages.map(({ value }) => new TextDecoder().decode(value ?? undefined))

test('batches of which nothing but the place is left are passed over, whatever they were', async () => {
  const gone = { ...batchOf(['a', 'b']), recordCount: 0, records: [], recordsLength: 0 }
  const log = logOf([{ ...gone, attributes: gzip }, batchOf(['c']), { ...gone, attributes: 4 }])
  const range = { ...everything, bytesMax: mebibyte }
  const { messages, nextOffset } = await readRange(range, readingFrom(log), () => true, context)
  assert.deepEqual(valuesOf(messages), ['c'])
  assert.equal(messages[0]?.offset, 2)
  assert.equal(nextOffset, 5)
})

test('what expands to much is expanded while others have their turns, and is counted as it grows', async () => {
  const log = logOf([compressed(batchOf([new Uint8Array(32 * mebibyte)]), gzip, gzipSync)])
  const reading = readingFrom(log)
  const range = { ...everything, bytesMax: mebibyte }
  let turns = 0
  let isOver = false
  const turn = () => {
    turns++
    if (!isOver) setImmediate(turn)
  }
  turn()
  let taken = 0
  const take = (bytes: number) => {
    taken += bytes
    return true
  }
  const { messages } = await readRange(range, reading, take, context)
  isOver = true
  assert.equal(messages[0]?.value?.length, 32 * mebibyte)
  assert(turns > 20, `${turns} turns`)
  assert(taken > 32 * mebibyte && taken < 33 * mebibyte)

  let allowed = 4 * mebibyte
  const takeSome = (bytes: number) => {
    allowed -= bytes
    return allowed >= 0
  }
  await assert.rejects(readRange(range, reading, takeSome, context), /no memory free/)
  assert(allowed > -mebibyte, 'no more is expanded than there is room for')
})

test('compressed batches count as what they expand to', async () => {
  const batch = compressed(batchOf([new Uint8Array(mebibyte / 2)]), gzip, gzipSync)
  const log = logOf(Array.from({ length: 10 }, () => batch))
  const range = { ...everything, bytesMax: mebibyte }
  const { messages, nextOffset } = await readRange(range, readingFrom(log), () => true, context)
  assert.deepEqual([messages.length, nextOffset], [2, 2])
})

test('messages are in memory of their own, however they were compressed', async () => {
  const log = logOf([
    batchOf(['as it is']),
    compressed(batchOf(['gzip']), gzip, gzipSync),
    compressed(batchOf(['stored']), 3, storedAsLz4),
  ])
  const range = { ...everything, bytesMax: mebibyte }
  const { messages } = await readRange(range, readingFrom(log), () => true, context)
  assert.deepEqual(valuesOf(messages), ['as it is', 'gzip', 'stored'])
})

test('many small messages take more than their bytes: those that are wanted', async () => {
  const log = logOf([batchOf(Array(1000).fill('')), batchOf(Array(1000).fill(''))])
  let taken = 0
  const take = (bytes: number) => {
    taken += bytes
    return true
  }
  const range = { ...everything, limit: 1100, bytesMax: mebibyte }
  const { messages } = await readRange(range, readingFrom(log), take, context)
  assert.equal(messages.length, 1100)
  assert(taken > 1100 * 400 && taken < 1100 * 500, `${taken} bytes`)
})
