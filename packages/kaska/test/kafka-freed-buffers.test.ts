/**
 * Received buffers are freed when their last holder lets go (docs/decisions/0006-freed-buffers.md), those of
 * Kafka's clients too. Here far more goes through a broker than its budget holds: appends wait for logs that
 * are being opened, readers are slow, connections break and topics are deleted under way; and every byte that
 * comes back is looked at.
 */
import assert from 'node:assert/strict'
import { Buffer } from 'node:buffer'
import { once } from 'node:events'
import { mkdtempSync, rmSync } from 'node:fs'
import net from 'node:net'
import { tmpdir } from 'node:os'
import path from 'node:path'
import { test } from 'node:test'
import tls from 'node:tls'
import { topicNameOf } from '@kaska/protocol'
import { certificate, privateKey } from '../../client/test/test-certificate.ts'
import { type Broker, createBroker } from '../src/broker.ts'
import { nodeClock } from '../src/host/node-clock.ts'
import { batchOf, context } from './batches.ts'
import { encodeBatch, recordsOf } from './kafka-client.ts'
import { kafkaOver } from './kafka-socket.ts'

const [produce, fetch] = [0, 1]
const sizes = [10, 5000, 70_000, 300_000, 1000, 64_000]
/** Time goes by slowly for the broker: a slow reader is not stuck in its eyes, however slow the machine is. */
const clock = { ...nodeClock, monotonic: () => nodeClock.monotonic() / 50 }
const count = 150

/** Bytes that tell which message they belong to, in every place. */
function contentOf(sender: number, index: number): Uint8Array {
  const size = sizes[index % sizes.length] ?? 0
  return new Uint8Array(size).fill((sender * 31 + index) % 251)
}

function produceRequest(topic: string, sender: number, indexes: number[], acks: number) {
  const records = encodeBatch(batchOf(indexes.map((index) => contentOf(sender, index))))
  const topicData = [{ name: topic, partitionData: [{ index: 0, records }] }]
  return { transactionalId: null, acks, timeoutMs: 1000, topicData }
}

function fetchRequest(topic: string, fetchOffset: number, session: [number, number]) {
  const partitions = [{ partition: 0, fetchOffset, partitionMaxBytes: 1 << 20 }]
  return {
    sessionId: session[0],
    sessionEpoch: session[1],
    maxWaitMs: 10_000,
    minBytes: 1,
    maxBytes: 4 << 20,
    topics: [{ topic, partitions }],
    forgottenTopicsData: [],
  }
}

/** Looks at every byte; returns the next offset. */
// biome-ignore lint/suspicious/noExplicitAny: tests look into answers of all kinds.
function assertWhole(answer: any, sender: number, from: number): number {
  assert.equal(answer.errorCode, 0)
  let next = from
  for (const { partitions } of answer.responses) {
    for (const { errorCode, records } of partitions) {
      assert.equal(errorCode, 0)
      for (const [offset, value] of recordsOf(records)) {
        if (offset < from) continue
        assert.equal(offset, next++)
        const isWhole = Buffer.compare(value, contentOf(sender, offset)) === 0
        assert.ok(isWhole, `message ${offset} of sender ${sender} is not what was sent`)
      }
    }
  }
  return next
}

for (const [kind, secure] of [
  ['plain', false],
  ['TLS', true],
] as const) {
  test(`what Kafka clients send is what they read, ${kind}`, async (t) => {
    const data = mkdtempSync(path.join(tmpdir(), 'kaska-freed-kafka-'))
    t.after(() => rmSync(data, { recursive: true, force: true }))
    await using broker: Broker = await createBroker({
      data,
      sync: 'os',
      memoryBytesMax: 16 * 1024 * 1024,
      clock,
    })
    const identity = { tls: { cert: certificate, key: privateKey } }
    const { port } = await broker.listen({ port: 0, ...(secure ? identity : {}) })
    const dial = async () => {
      const socket = secure
        ? tls.connect({ port, host: '127.0.0.1', ca: certificate })
        : net.connect(port, '127.0.0.1')
      const client = kafkaOver(socket)
      await once(socket, secure ? 'secureConnect' : 'connect')
      return { client, socket }
    }
    const createTopic = (name: string) =>
      broker.engine.createTopic(
        { name: topicNameOf(name), partitions: 1, config: new Map() },
        context,
      )
    const senders = [0, 1, 2]
    for (const sender of senders) await createTopic(`topic-${sender}`)

    const slow: { socket: net.Socket; finish: () => Promise<number> }[] = []
    /** Asks for more than the socket's buffers hold, and takes it when all else has happened. */
    const startSlow = async (from: number) => {
      const { client, socket } = await dial()
      socket.pause()
      const sent = Array.from({ length: 8 }, () =>
        client.send(fetch, 12, fetchRequest('topic-0', from, [0, -1])),
      )
      const finish = async () => {
        socket.resume()
        let messages = 0
        for (const one of sent) {
          messages += assertWhole(await client.answerTo(one), 0, from) - from
        }
        socket.destroy()
        return messages
      }
      slow.push({ socket, finish })
    }
    const send = async (sender: number) => {
      const { client, socket } = await dial()
      for (let index = 0; index < count; index += 10) {
        // Pipelined; the first ones wait for the log to be opened.
        const sent = Array.from({ length: 5 }, (_, part) => {
          const indexes = [index + 2 * part, index + 2 * part + 1]
          return client.send(produce, 9, produceRequest(`topic-${sender}`, sender, indexes, -1))
        })
        for (const one of sent) {
          const { responses } = await client.answerTo(one)
          assert.equal(responses[0].partitionResponses[0].errorCode, 0)
        }
        if (index === 60 && sender === 0) await startSlow(40)
      }
      socket.destroy()
    }
    const read = async (sender: number) => {
      const { client, socket } = await dial()
      let next = 0
      let session: [number, number] = [0, 0]
      while (next < count) {
        const answer = await client.ask(fetch, 12, fetchRequest(`topic-${sender}`, next, session))
        next = assertWhole(answer, sender, next)
        session = [answer.sessionId, session[1] + 1]
      }
      assert.ok(session[0] > 0)
      socket.destroy()
    }
    /** Sends to a topic that is deleted meanwhile, over connections that break. */
    const disturb = async () => {
      for (let round = 0; round < 10; round++) {
        await createTopic('short-lived')
        const { client, socket } = await dial()
        const acks = round % 2 === 0 ? 0 : -1
        for (let index = 0; index < 20; index++) {
          client.send(produce, 9, produceRequest('short-lived', 7, [index], acks))
        }
        client.send(fetch, 12, fetchRequest('short-lived', 0, [0, 0]))
        await new Promise((resolve) => setImmediate(resolve))
        if (round % 3 === 0) socket.destroy()
        await broker.engine.deleteTopic(topicNameOf('short-lived'), context)
        socket.destroy()
      }
    }
    await Promise.all([...senders.map(send), ...senders.map(read), disturb()])
    assert.equal(slow.length, 1)
    for (const { finish } of slow) assert.ok((await finish()) > 50)
    // What the files hold, after all that was in memory is gone.
    await Promise.all(senders.map(read))
  })
}
