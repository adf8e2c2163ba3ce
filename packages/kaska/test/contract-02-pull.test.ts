/**
 * Contract 2: consumers pull. What a consumer is subscribed to and where it stands lives in the client
 * library; one poll covers all of its topics in one round trip.
 */
import assert from 'node:assert/strict'
import { suite, test } from 'node:test'
import { connect } from '@kaska/client'
import { type Engine, native } from '@kaska/protocol'
import { createBroker } from '../src/broker.ts'
import { startBroker } from '../src/testing.ts'
import { bytesOf } from './batches.ts'
import { dial } from './raw-client.ts'

/** The engine, and how often each of its methods was called. */
function counted(engine: Engine): { engine: Engine; calls: Map<string, number> } {
  const calls = new Map<string, number>()
  const proxy = new Proxy(engine, {
    get(target, name: string) {
      const value = Reflect.get(target, name, target)
      if (typeof value !== 'function') return value
      return (...args: unknown[]) => {
        calls.set(name, (calls.get(name) ?? 0) + 1)
        return Reflect.apply(value, target, args)
      }
    },
  })
  return { engine: proxy, calls }
}

const names = Array.from({ length: 20 }, (_, index) => `topic-${index}`)

suite('contract 2: consumers pull', () => {
  test('one poll brings the messages of all topics in one round trip', async () => {
    await using broker = await createBroker({
      memory: true,
      topics: names.map((name) => ({ name, partitions: 3 })),
    })
    const { engine, calls } = counted(broker.inProcess())
    await using client = await connect({ inProcess: () => engine })
    assert.equal(await client.subscribe(names), names.length)
    await using producer = await connect(broker)
    for (const name of names) await producer.send(name, `in ${name}`)

    calls.clear()
    const seen = new Set<string>()
    while (seen.size < names.length) {
      const message = await client.poll({ timeoutMs: 1000 })
      assert.ok(message !== undefined)
      seen.add(message.topic)
    }
    assert.deepEqual(Object.fromEntries(calls), { poll: 1 })
  })

  test('on the wire that is one frame there and one back', async () => {
    await using kaska = await startBroker({ topics: names.map((name) => ({ name })) })
    const client = await dial(kaska.port)
    const refs: number[] = []
    for (const name of names) {
      const ref = await client.resolve(name)
      await client.send(ref, [bytesOf(`in ${name}`)])
      refs.push(ref)
    }
    const parts = refs.map((ref) => ({ ref, partition: 0, offset: 0 }))
    const answer = await client.ask(native.operation.poll, (writer) =>
      native.writePollRequest(writer, { parts, waitMs: 0, bytesMax: 100_000 }),
    )
    const { batches, failures } = native.readPollResponse(answer.reader)
    assert.deepEqual(failures, [])
    assert.deepEqual(
      batches.map(({ ref }) => ref),
      refs,
    )
    client.destroy()
  })

  test('the broker sends nothing that nobody asked for', async () => {
    await using kaska = await startBroker({ topics: [{ name: 't' }] })
    const consumer = await dial(kaska.port)
    const producer = await dial(kaska.port)
    const ref = await consumer.resolve('t')
    const poll = (offset: number) =>
      consumer.ask(native.operation.poll, (writer) => {
        const parts = [{ ref, partition: 0, offset }]
        native.writePollRequest(writer, { parts, waitMs: 0, bytesMax: 100_000 })
      })
    await poll(0)
    const before = consumer.bytesReceived
    const theirs = await producer.resolve('t')
    for (let index = 0; index < 10; index++) await producer.send(theirs, [bytesOf('x')])
    const ping = await consumer.ask(native.operation.ping)
    assert.equal(consumer.bytesReceived - before, ping.bytes)
    const { batches } = native.readPollResponse((await poll(0)).reader)
    assert.equal(batches.length, 10)
    consumer.destroy()
    producer.destroy()
  })

  test('where a consumer stands is its own affair: no request, and no trace in the broker', async () => {
    await using broker = await createBroker({ memory: true, topics: [{ name: 't' }] })
    await using producer = await connect(broker)
    for (const value of ['a', 'b', 'c']) await producer.send('t', value)
    const { engine, calls } = counted(broker.inProcess())
    await using one = await connect({ inProcess: () => engine })
    await using two = await connect(broker)
    await one.subscribe(['t'])
    await two.subscribe(['t'])
    calls.clear()
    one.seek('t', 0)
    assert.equal(one.position('t'), 0)
    assert.equal(two.position('t'), 3)
    assert.equal(calls.size, 0)

    assert.equal((await one.poll({ timeoutMs: 1000 }))?.offset, 0)
    assert.equal(one.position('t'), 1)
    one.seek('t', 2)
    assert.equal((await one.poll({ timeoutMs: 1000 }))?.offset, 2)
    one.unsubscribe()
    assert.deepEqual([...calls.keys()], ['poll'])
  })
})
