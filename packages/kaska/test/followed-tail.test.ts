/** What is appended is kept in memory for those who read it, and little of it for nobody. */
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { setImmediate } from 'node:timers/promises'
import { topicNameOf } from '@kaska/protocol'
import { batchOf, context, messagesOf } from './batches.ts'
import { TestClock } from './log-harness.ts'
import { startNativeBroker } from './native-broker.ts'

const kib = 1024

test('a partition keeps its newest messages; more of them while somebody reads it or waits', async () => {
  const clock = new TestClock()
  await using broker = await startNativeBroker({ clock })
  const { engine, budget } = broker
  const name = topicNameOf('t')
  const { id } = await engine.createTopic({ name, partitions: 1, config: new Map() }, context)
  let end = 0
  const send = async (count: number) => {
    for (const last = end + count; end < last; end++) {
      const batch = batchOf(['x'.repeat(10 * kib)])
      const parts = [{ topic: id, partition: 0, baseSequence: -1, batch }]
      await engine.send({ producer: undefined, parts }, context)
    }
  }
  const poll = async (offset: number, waitMs = 0) => {
    const parts = [{ topic: id, partition: 0, offset }]
    const answer = await engine.poll({ parts, waitMs, bytesMax: 4 * kib * kib }, context)
    answer.release()
    return messagesOf(answer.batches).length
  }
  const littleMax = 300 * kib
  await send(100)
  assert.ok(budget.used > 200 * kib && budget.used < littleMax, `${budget.used}`)
  // Who waits is a reader.
  const { timers } = clock
  const waiting = poll(end, 60_000)
  while (clock.timers === timers) await setImmediate()
  await send(100)
  assert.equal(await waiting, 1)
  assert.ok(budget.used > 1000 * kib, `${budget.used}`)
  clock.time += 9_000
  await send(100)
  assert.ok(budget.used > 2000 * kib, `${budget.used}`)
  // Nobody has come back: who asks for offsets is no reader.
  clock.time += 2_000
  await engine.offsetAt(id, 0, 0, context)
  await send(1)
  assert.ok(budget.used < littleMax, `${budget.used}`)
  // What is not in memory is on the disk, behind it as before it.
  assert.equal(await poll(0), end)
  await send(100)
  assert.ok(budget.used > 1000 * kib, `${budget.used}`)
  assert.equal(await poll(0), end)
})
