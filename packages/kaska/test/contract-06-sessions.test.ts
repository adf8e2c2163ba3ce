/**
 * Contract 6: each accepted connection has a session of its own, made then and ended with it, which
 * answers all its requests. A slow, stuck or hostile client never delays another.
 */
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { native } from '@kaska/protocol'
import { type NativeBroker, startNativeBroker } from './native-broker.ts'
import { dial, dialSocket, type RawClient, sendPart } from './raw-client.ts'

const { operation } = native

/** Waits for what the broker does by itself; events tell nothing of it to the outside. */
async function until(isSo: () => boolean): Promise<void> {
  while (!isSo()) await new Promise((resolve) => setImmediate(resolve))
}

/** The median time of a send and a poll of it, one at a time, in milliseconds. */
async function roundTrip(client: RawClient, ref: number, rounds: number): Promise<number> {
  const times: number[] = []
  for (let round = 0; round < rounds; round++) {
    const start = performance.now()
    const offset = await client.send(ref, [new Uint8Array(100)])
    const { batches } = await client.poll(ref, offset)
    times.push(performance.now() - start)
    assert.equal(batches[0]?.baseOffset, offset)
  }
  return times.sort((a, b) => a - b)[rounds >> 1] as number
}

/** A topic with some megabytes in it. */
async function fill(client: RawClient, name: string): Promise<number> {
  const ref = await client.createTopic(name)
  for (let count = 0; count < 16; count++) await client.send(ref, [new Uint8Array(1024 * 1024)])
  return ref
}

function postPoll(client: RawClient, ref: number): void {
  client.post(operation.poll, (writer) =>
    native.writePollRequest(writer, {
      waitMs: 0,
      bytesMax: 64 * 1024 * 1024,
      parts: [{ ref, partition: 0, offset: 0 }],
    }),
  )
}

test('a session begins and ends with its connection', async () => {
  await using broker = await startNativeBroker()
  const port = await broker.listen()
  const { counters } = broker.native
  assert.equal(counters.connections, 0)
  const clients = await Promise.all(Array.from({ length: 20 }, () => dial(port)))
  await Promise.all(clients.map((client) => client.call(operation.ping)))
  assert.deepEqual([counters.connections, counters.connectionsAccepted], [20, 20])
  for (const client of clients.slice(0, 15)) client.destroy()
  await until(() => counters.connections === 5)
  await clients[19]?.call(operation.ping)
  for (const client of clients) client.destroy()
  await until(() => counters.connections === 0)
  assert.equal(counters.connectionsAccepted, 20)
  assert.equal(counters.requestsInFlight, 0)
})

test('what a session knows is its own', async () => {
  await using broker = await startNativeBroker()
  const port = await broker.listen()
  const [one, two] = [await dial(port), await dial(port)]
  await one.createTopic('a')
  const refB = await two.createTopic('b')
  // The same number stands for different topics on the two connections.
  assert.deepEqual([await one.resolve('a'), refB], [1, 1])
  assert.equal(await one.send(1, [new Uint8Array(1)]), 0)
  const { batches } = await two.poll(1, 0)
  assert.equal(batches.length, 0)
  // The end of one is not the other's.
  one.write(new Uint8Array([3, 200, 1, 0]))
  one.destroy()
  assert.equal(await two.send(1, [new Uint8Array(1)]), 0)
  two.destroy()
})

/** Measures a well-behaved client while others misbehave; those end for lack of progress. */
async function beside(
  broker: NativeBroker,
  misbehave: (port: number) => Promise<readonly RawClient[]>,
): Promise<void> {
  const port = await broker.listen()
  const good = await dial(port)
  const ref = await good.createTopic('good')
  await roundTrip(good, ref, 200)
  const alone = await roundTrip(good, ref, 200)
  const used = broker.budget.used
  const bad = await misbehave(port)
  const together = await roundTrip(good, ref, 200)
  assert(together < 3 * alone + 1, `${together} ms beside them, ${alone} ms alone`)
  await Promise.all(bad.map((client) => client.closed))
  await roundTrip(good, ref, 1)
  await until(() => broker.native.counters.connections === 1)
  // All that they held is given back; what is still used are the logs' tails.
  assert(broker.budget.used < used + 40 * 1024 * 1024)
  assert.equal(broker.native.counters.requestsInFlight, 0)
  good.destroy()
}

test('a consumer that never reads its answers is stuck alone', async () => {
  await using broker = await startNativeBroker({ limits: { stallMs: 400 } })
  await beside(broker, async (port) => {
    const { client, socket } = await dialSocket(port)
    const ref = await fill(client, 'much')
    socket.pause()
    for (let count = 0; count < 20; count++) postPoll(client, ref)
    await until(() => broker.native.counters.requests > 0)
    // A paused socket does not hear of its end.
    const watch = setInterval(() => {
      if (broker.native.counters.stalled === 0) return
      clearInterval(watch)
      socket.resume()
    }, 20)
    return [client]
  })
  assert.equal(broker.native.counters.stalled, 1)
})

test('a consumer that reads slowly gets all of it, and delays nobody', async () => {
  await using broker = await startNativeBroker()
  const port = await broker.listen()
  const { client, socket } = await dialSocket(port)
  const ref = await fill(client, 'much')
  const answer = client.answer(99)
  socket.pause()
  client.post(
    operation.poll,
    (writer) =>
      native.writePollRequest(writer, {
        waitMs: 0,
        bytesMax: 8 * 1024 * 1024,
        parts: [{ ref, partition: 0, offset: 0 }],
      }),
    99,
  )
  const good = await dial(port)
  const goodRef = await good.createTopic('good')
  for (let round = 0; round < 50; round++) {
    await roundTrip(good, goodRef, 1)
    // A little at a time.
    socket.resume()
    await new Promise((resolve) => setImmediate(resolve))
    socket.pause()
  }
  socket.resume()
  const { reader } = await answer
  assert.equal(native.readPollResponse(reader).batches.length, 7)
  client.destroy()
  good.destroy()
})

test('a client that floods and never reads is stopped by its own unread answers', async () => {
  await using broker = await startNativeBroker({ limits: { stallMs: 400, unsentBytesMax: 50_000 } })
  await beside(broker, async (port) => {
    const { client, socket } = await dialSocket(port)
    await client.call(operation.ping)
    socket.pause()
    const identify = native.encodeRequest(operation.identify, 5, (w) => w.string('x'))
    const frames = Buffer.concat(Array(20_000).fill(Buffer.concat(identify)))
    for (let count = 0; count < 40; count++) client.write(frames)
    const { counters } = broker.native
    const watch = setInterval(() => {
      if (counters.stalled === 0) return
      clearInterval(watch)
      socket.destroy()
    }, 20)
    return [client]
  })
  assert.equal(broker.native.counters.stalled, 1)
  assert(broker.native.counters.requests < 800_000, 'not all of it was taken')
})

test('a session that waits holds up no other, and not itself', async () => {
  await using broker = await startNativeBroker()
  const port = await broker.listen()
  const [waiting, busy] = [await dial(port), await dial(port)]
  const ref = await waiting.createTopic('quiet')
  const waits = Array.from({ length: 50 }, () => waiting.poll(ref, 0, 60_000))
  const other = await busy.createTopic('busy')
  await roundTrip(busy, other, 20)
  assert.equal(await waiting.send(await waiting.createTopic('own'), [new Uint8Array(1)]), 0)
  // One message wakes all of them.
  assert.equal(await busy.send(await busy.resolve('quiet'), [new Uint8Array(3)]), 0)
  for (const { batches } of await Promise.all(waits)) {
    assert.equal(batches[0]?.recordsLength, sendPart(1, [new Uint8Array(3)]).batch.recordsLength)
  }
  waiting.destroy()
  busy.destroy()
})
