/**
 * A gateway frees what it has received when the last holder lets go (docs/decisions/0006-freed-buffers.md): what
 * clients send when the cluster has it, what the cluster answers when all who polled it have taken it. Here readers
 * share what they read, some take it late, topics are deleted and connections to the cluster break under way;
 * and every byte that comes back is looked at. A Kaska broker is the cluster.
 */
import assert from 'node:assert/strict'
import { Buffer } from 'node:buffer'
import { test } from 'node:test'
import { connect } from '@kaska/client'
import { joinChunks, RecordDecoder, topicNameOf } from '@kaska/protocol'
import { createBroker } from '../src/broker.ts'
import { createGateway } from '../src/gateway.ts'
import { startBroker } from '../src/testing.ts'
import { context } from './batches.ts'
import { temporaryDirectory } from './cli-process.ts'
import { FaultyProxy } from './faulty-proxy.ts'
import { dialSocket } from './raw-client.ts'

const sizes = [10, 5000, 70_000, 300_000, 1000, 64_000]
const count = 120

/** Bytes that tell which message they belong to, in every place. */
function contentOf(sender: number, index: number): Uint8Array {
  const size = sizes[index % sizes.length] ?? 0
  return new Uint8Array(size).fill((sender * 31 + index) % 251)
}

function assertWhole(value: Uint8Array | null, sender: number, offset: number): void {
  const isWhole = Buffer.compare(value ?? new Uint8Array(0), contentOf(sender, offset)) === 0
  assert.ok(isWhole, `message ${offset} of sender ${sender} is not what was sent`)
}

/** Asks for more than a socket's buffers hold; the result takes it, and says how many messages there were. */
async function readLate(port: number, topic: string): Promise<() => Promise<number>> {
  const { client, socket } = await dialSocket(port)
  const ref = await client.resolve(topic)
  socket.pause()
  const answers = Array.from({ length: 16 }, () => client.poll(ref, 0, 0, 1 << 20))
  return async () => {
    socket.resume()
    let messages = 0
    for (const { batches } of await Promise.all(answers)) {
      for (const { baseOffset, records, recordCount } of batches) {
        const decoder = new RecordDecoder(joinChunks(records), recordCount)
        for (let record = decoder.next(); record !== undefined; record = decoder.next()) {
          assertWhole(record.value, 0, baseOffset + record.offsetDelta)
          messages++
        }
      }
    }
    client.destroy()
    return messages
  }
}

test('what is sent through a gateway is what is read through it', async () => {
  await using directory = await temporaryDirectory()
  await using door = await FaultyProxy.start(0)
  await using cluster = await createBroker({ data: directory.path, sync: 'os' })
  const advertise = { host: '127.0.0.1', port: door.port }
  door.brokerPort = (await cluster.listen({ port: 0, advertise })).port
  const senders = [0, 1, 2]
  const rounds = [0, 1, 2, 3, 4]
  const topics = [
    ...senders.map((sender) => ({ name: `topic-${sender}` })),
    ...rounds.map((round) => ({ name: `short-lived-${round}` })),
  ]
  await using gateway = await createGateway({ engine: `kafka://127.0.0.1:${door.port}`, topics })
  const { port, url } = await gateway.listen({ port: 0 })

  const late: (() => Promise<number>)[] = []
  const send = async (sender: number): Promise<void> => {
    await using client = await connect(url)
    for (let index = 0; index < count; index += 20) {
      const values = Array.from({ length: 20 }, (_, place) => contentOf(sender, index + place))
      await Promise.all(values.map((value) => client.send(`topic-${sender}`, value)))
      if (sender !== 0) continue
      if (index === 20) door.cut()
      // Polls go round what is broken; an answer that is under way then would be an error.
      if (index === 60) late.push(await readLate(port, 'topic-0'))
    }
  }
  const read = async (sender: number): Promise<void> => {
    await using client = await connect(url)
    await client.subscribe([`topic-${sender}`])
    client.seek(`topic-${sender}`, 0)
    let next = 0
    for await (const { offset, value } of client.messages()) {
      assert.equal(offset, next++)
      assertWhole(value, sender, offset)
      if (next === count) break
    }
  }
  /** Sends to topics that are deleted meanwhile, over connections that break. */
  const disturb = async (): Promise<void> => {
    await using client = await connect(url)
    for (const round of rounds) {
      const own = await connect(url, { deliveryTimeoutMs: 1_000 })
      const sends = Array.from({ length: 20 }, (_, index) =>
        own.send(`short-lived-${round}`, contentOf(7, index)),
      )
      const settled = Promise.allSettled(sends)
      await sends[round]?.catch(() => {})
      await Promise.allSettled([client.deleteTopic(`short-lived-${round}`), own.close()])
      await settled
    }
  }
  const readers = [0, 0, 0, 1, 1, 2]
  await Promise.all([...senders.map(send), ...readers.map(read), disturb()])
  assert.equal(late.length, 1)
  for (const take of late) assert.ok((await take()) > 50)
  // All that was on its way is gone; now many read the same.
  await Promise.all(readers.map(read))
})

test('what was polled of a cluster is freed when it is let go', async () => {
  await using cluster = await startBroker()
  const topics = [{ name: 'orders' }]
  await using gateway = await createGateway({ engine: `kafka://127.0.0.1:${cluster.port}`, topics })
  await using client = await connect(gateway)
  await client.send('orders', contentOf(0, 3))
  const { engine } = gateway
  const [topic] = await engine.resolve([topicNameOf('orders')], context)
  const parts = [{ topic: topic?.id ?? '', partition: 0, offset: 0 }]
  const request = { parts, waitMs: 60_000, bytesMax: 1 << 20 }
  const { batches, release } = await engine.poll(request, context)
  const views = batches.flatMap(({ records }) => [...records])
  assert.ok(views.every(({ length }) => length > 0))
  release()
  assert.ok(views.some(({ length }) => length === 0))
})
