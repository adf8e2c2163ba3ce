/**
 * Contract 7: a client keeps one persistent connection for its whole interaction, as a producer, as a
 * consumer, or both at once.
 */
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { connect } from '@kaska/client'
import { native } from '@kaska/protocol'
import { TestClock } from './log-harness.ts'
import { startNativeBroker } from './native-broker.ts'
import { dial } from './raw-client.ts'

test('all that a client does goes over one connection', async () => {
  await using broker = await startNativeBroker()
  const { counters } = broker.native
  const port = await broker.listen()
  {
    await using client = await connect(`kaska://127.0.0.1:${port}`)
    await client.createTopic('a', { partitions: 3 })
    await client.createTopic('b')
    assert.equal(await client.subscribe(['a', 'b']), 2)
    const waiting = client.poll({ timeoutMs: 10_000 })
    const sends = Array.from({ length: 100 }, (_, index) =>
      client.send(index % 2 ? 'a' : 'b', { key: `${index}`, value: `${index}` }),
    )
    await Promise.all(sends)
    const seen = new Set([String(Buffer.from((await waiting)?.value ?? []))])
    while (seen.size < 100) {
      const message = await client.poll({ timeoutMs: 10_000 })
      assert(message?.value)
      seen.add(String(Buffer.from(message.value)))
    }
    await client.commit('reader', 'b', 50)
    assert.equal(await client.committed('reader', 'b'), 50)
    assert.equal((await client.topics()).length, 2)
    await client.deleteTopic('a')
  }
  assert.equal(counters.connectionsAccepted, 1)
  assert(counters.requests > 10)
})

test('a poll that waits does not hold up what else the connection asks', async () => {
  await using broker = await startNativeBroker()
  const client = await dial(await broker.listen())
  const ref = await client.createTopic('x')
  const answers: string[] = []
  const poll = client.poll(ref, 0, 60_000).then((result) => {
    answers.push('poll')
    return result
  })
  for (let round = 0; round < 10; round++) await client.call(native.operation.ping)
  answers.push('pings')
  await client.call(native.operation.commit, (writer) => {
    writer.string('reader')
    native.writeCommitEntries(writer, [{ ref, partition: 0, offset: 0 }])
  })
  answers.push('commit')
  const [offset, { batches }] = await Promise.all([client.send(ref, [new Uint8Array(7)]), poll])
  assert.deepEqual([offset, batches[0]?.baseOffset], [0, 0])
  assert.deepEqual(answers, ['pings', 'commit', 'poll'])
  client.destroy()
})

test('requests that follow each other without waiting take effect in their order', async () => {
  await using broker = await startNativeBroker({ syncMode: 'always' })
  const client = await dial(await broker.listen())
  const ref = await client.createTopic('x')
  const sends = Array.from({ length: 200 }, (_, index) => client.send(ref, [new Uint8Array(index)]))
  assert.deepEqual(
    await Promise.all(sends),
    Array.from({ length: 200 }, (_, index) => index),
  )
  client.destroy()
})

test('a connection lasts for as long as there are signs of life', async () => {
  const clock = new TestClock()
  const limits = { stallMs: 40, idleMs: 50, pingMs: 100 }
  await using broker = await startNativeBroker({ clock, limits })
  const { counters } = broker.native
  const port = await broker.listen()
  const [silent, client] = [await dial(port), await connect(`kaska://127.0.0.1:${port}`)]
  await silent.call(native.operation.ping)
  /** So much of the broker's time goes by, and it looks at its connections. */
  const pass = async (ms: number) => {
    clock.time += ms
    clock.fire()
    await clock.yield()
  }
  await pass(1)
  for (let round = 0; round < 3; round++) {
    const { requests } = counters
    await pass(50)
    // The client library answers the broker's pings by itself.
    while (counters.requests === requests) await clock.yield()
    await pass(100)
  }
  await silent.closed
  assert.equal(silent.strays.length, 1)
  assert.equal(counters.stalled, 1)
  await client.createTopic('x')
  await client.close()
  assert.equal(counters.connectionsAccepted, 2)
})
