import assert from 'node:assert/strict'
import { test } from 'node:test'
import { createTransportPair, type MemoryTransport } from './memory-transport.ts'

/** A receiver that keeps what it is told. */
function attach(transport: MemoryTransport) {
  const log: { chunks: Uint8Array[]; closed: (Error | undefined)[] } = { chunks: [], closed: [] }
  transport.attach({
    received: (chunk) => log.chunks.push(chunk),
    closed: (error) => log.closed.push(error),
  })
  return log
}

const settle = () => new Promise((resolve) => setImmediate(resolve))
const bytes = (...values: number[]) => new Uint8Array(values)

test('the views that are written are those that arrive, in order, and never at once', async () => {
  const [left, right] = createTransportPair()
  const log = attach(right)
  const views = [bytes(1, 2), bytes(3), bytes(4, 5)]
  const sent: number[] = []
  left.write(views.slice(0, 2), () => sent.push(log.chunks.length))
  left.write(views.slice(2), () => sent.push(log.chunks.length))
  assert.deepEqual([log.chunks.length, left.unsentBytes], [0, 5])
  await settle()
  assert.equal(log.chunks.length, 3)
  for (const [index, chunk] of log.chunks.entries()) assert.equal(chunk, views[index])
  assert.deepEqual(sent, [2, 3])
  assert.equal(left.unsentBytes, 0)
})

test('what is written before the other side has a receiver waits for it', async () => {
  const [left, right] = createTransportPair()
  left.write([bytes(1)])
  await settle()
  assert.equal(left.unsentBytes, 1)
  const log = attach(right)
  await settle()
  assert.equal(log.chunks.length, 1)
})

test('a paused side receives nothing, also from the middle of a write', async () => {
  const [left, right] = createTransportPair()
  const received: number[] = []
  right.attach({
    received: (chunk) => {
      received.push(chunk.length)
      if (received.length === 2) right.pause()
    },
    closed: () => {},
  })
  let isSent = false
  left.write([bytes(1), bytes(2, 2), bytes(3, 3, 3)], () => {
    isSent = true
  })
  await settle()
  assert.deepEqual([received, left.unsentBytes, isSent], [[1, 2], 3, false])
  right.resume()
  await settle()
  assert.deepEqual([received, left.unsentBytes, isSent], [[1, 2, 3], 0, true])
})

test('end lets what was written arrive, then both sides hear of it once', async () => {
  const [left, right] = createTransportPair()
  const [leftLog, rightLog] = [attach(left), attach(right)]
  left.write([bytes(1)])
  left.end()
  let calls = 0
  left.write([bytes(2)], () => calls++)
  await settle()
  assert.deepEqual(rightLog, { chunks: [bytes(1)], closed: [undefined] })
  assert.deepEqual(leftLog.closed, [undefined])
  assert.equal(calls, 1)
  right.write([bytes(3)], () => calls++)
  right.destroy()
  await settle()
  assert.equal(calls, 2)
  assert.deepEqual(
    [leftLog.chunks.length, leftLog.closed.length, rightLog.closed.length],
    [0, 1, 1],
  )
})

test('destroy drops what has not arrived, tells its side why, and calls back every write', async () => {
  const [left, right] = createTransportPair()
  const [leftLog, rightLog] = [attach(left), attach(right)]
  right.pause()
  let calls = 0
  left.write([bytes(1)], () => calls++)
  left.write([bytes(2)], () => calls++)
  const reason = new Error('enough')
  left.destroy(reason)
  await settle()
  right.resume()
  await settle()
  assert.deepEqual(rightLog, { chunks: [], closed: [undefined] })
  assert.deepEqual(leftLog.closed, [reason])
  assert.deepEqual([calls, left.unsentBytes], [2, 0])
})

test('a schedule of its own decides when anything arrives', async () => {
  const waiting: (() => void)[] = []
  const [left, right] = createTransportPair({ schedule: (callback) => waiting.push(callback) })
  const log = attach(right)
  // The attaching itself looks whether something waits.
  for (const callback of waiting.splice(0)) callback()
  left.write([bytes(1)])
  left.write([bytes(2)])
  await settle()
  assert.equal(log.chunks.length, 0)
  assert.equal(waiting.length, 1, 'one delivery for both')
  waiting[0]?.()
  assert.equal(log.chunks.length, 2)
})
