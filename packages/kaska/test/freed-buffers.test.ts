/**
 * Received buffers are freed when their last holder lets go (docs/decisions/0006-freed-buffers.md). Nobody
 * may ever see one that was: here far more goes through a broker than its budget holds, while readers
 * hold old batches, writes are under way, topics are made and deleted, and connections break.
 */
import assert from 'node:assert/strict'
import { Buffer } from 'node:buffer'
import { mkdtempSync, rmSync } from 'node:fs'
import { connect as connectSocket, type Socket } from 'node:net'
import { tmpdir } from 'node:os'
import path from 'node:path'
import { after, test } from 'node:test'
import { connect, type Message } from '@kaska/client'
import { joinChunks, native, RecordDecoder } from '@kaska/protocol'
import { startBroker } from 'kaska/testing'
import { nodeClock } from '../src/host/node-clock.ts'
import { MemoryBudget } from '../src/log/memory-budget.ts'
import { preamble, RawClient, type RawFrame } from './raw-client.ts'

const directory = mkdtempSync(path.join(tmpdir(), 'kaska-freed-'))
after(() => rmSync(directory, { recursive: true, force: true }))

const sizes = [10, 5000, 70_000, 300_000, 1000, 64_000]
/** Time goes by slowly for the broker: a slow reader is not stuck in its eyes, however slow the machine is. */
const clock = { ...nodeClock, monotonic: () => nodeClock.monotonic() / 50 }

/** Bytes that tell which message they belong to, in every place. */
function contentOf(sender: number, index: number): Uint8Array {
  const size = sizes[index % sizes.length] ?? 0
  return new Uint8Array(size).fill((sender * 31 + index) % 251)
}

function assertWhole(message: Message, sender: number): void {
  assert.ok(
    Buffer.compare(message.value ?? new Uint8Array(0), contentOf(sender, message.offset)) === 0,
    `message ${message.offset} of sender ${sender} is not what was sent`,
  )
}

/** Asks for more than a socket's buffers hold, and takes it when all else has happened. */
class SlowReader {
  readonly #socket: Socket
  readonly #client: RawClient
  readonly #answers: Promise<RawFrame>[]

  private constructor(socket: Socket, client: RawClient, answers: Promise<RawFrame>[]) {
    this.#socket = socket
    this.#client = client
    this.#answers = answers
  }

  static async start(port: number, topic: string): Promise<SlowReader> {
    const socket = connectSocket(port, '127.0.0.1')
    const write = (chunks: readonly Uint8Array[]) => {
      for (const chunk of chunks) socket.write(chunk)
    }
    const client = new RawClient({ write, destroy: () => socket.destroy() })
    socket.on('data', (chunk) => client.received(chunk as Uint8Array))
    client.write(preamble)
    const ref = await client.resolve(topic)
    const bounds = await client.call(native.operation.offsets, (writer) =>
      native.writePartition(writer, { ref, partition: 0 }),
    )
    const { endOffset } = native.readOffsetBounds(bounds)
    socket.pause()
    // The last megabytes, which the broker still has in memory, over and over.
    const parts = [{ ref, partition: 0, offset: endOffset - 30 }]
    const answers = Array.from({ length: 8 }, () =>
      client.ask(native.operation.poll, (writer) =>
        native.writePollRequest(writer, { waitMs: 0, bytesMax: 1 << 24, parts }),
      ),
    )
    return new SlowReader(socket, client, answers)
  }

  /** Reads it all now; returns how many messages there were. */
  async finish(): Promise<number> {
    this.#socket.resume()
    let messages = 0
    for (const answer of this.#answers) {
      const { reader } = await answer
      for (const batch of native.readPollResponse(reader).batches) {
        const decoder = new RecordDecoder(joinChunks(batch.records), batch.recordCount)
        for (let index = 0; index < batch.recordCount; index++) {
          const { value = null, offsetDelta = 0 } = decoder.next() ?? {}
          const offset = batch.baseOffset + offsetDelta
          const isWhole = Buffer.compare(value ?? new Uint8Array(0), contentOf(0, offset)) === 0
          assert.ok(isWhole, `message ${offset}, read late, is not what was sent`)
          messages++
        }
      }
    }
    this.#client.destroy()
    return messages
  }
}

for (const sync of ['os', 'always'] as const) {
  test(`what was sent is what is read, sync ${sync}`, async () => {
    const data = path.join(directory, sync)
    const memoryBytesMax = 16 * 1024 * 1024
    await using kaska = await startBroker({ data, sync, memoryBytesMax, clock })
    const count = 200
    const senders = [0, 1, 2]
    await using client = await connect(kaska.url)
    for (const sender of senders) await client.createTopic(`topic-${sender}`)

    const slow: SlowReader[] = []
    const send = async (sender: number): Promise<void> => {
      await using own = await connect(kaska.url)
      const sends: Promise<unknown>[] = []
      for (let index = 0; index < count; index++) {
        sends.push(own.send(`topic-${sender}`, contentOf(sender, index)))
        // What a topic's name came in may be the buffer that messages came in.
        if (index % 50 === 0) sends.push(own.createTopic(`side-${sender}-${index}`))
        if (index % 30 === 0) await Promise.all(sends.splice(0))
        if (index === 60 && sender === 0) slow.push(await SlowReader.start(kaska.port, 'topic-0'))
      }
      await Promise.all(sends)
    }
    const read = async (sender: number): Promise<void> => {
      await using own = await connect(kaska.url)
      await own.subscribe([`topic-${sender}`])
      own.seek(`topic-${sender}`, 0)
      let next = 0
      for await (const message of own.messages()) {
        assert.equal(message.offset, next++)
        assertWhole(message, sender)
        if (next === count) break
      }
    }
    /** Sends to a topic that is deleted meanwhile, over connections that break. */
    const disturb = async (): Promise<void> => {
      for (let round = 0; round < 10; round++) {
        await client.createTopic('short-lived')
        const own = await connect(kaska.url)
        const sends = Array.from({ length: 20 }, (_, index) =>
          own.send('short-lived', contentOf(7, index)),
        )
        const settled = Promise.allSettled(sends)
        await sends[round]?.catch(() => {})
        await Promise.all([client.deleteTopic('short-lived'), own.close()])
        await settled
      }
    }
    await Promise.all([...senders.map(send), ...senders.map(read), disturb()])

    assert.equal(slow.length, 1)
    for (const reader of slow) assert.ok((await reader.finish()) > 10)

    // What the files hold, after all that was in memory is gone.
    await Promise.all(senders.map(read))
    const topics = (await client.topics()).map(({ name }) => name)
    assert.equal(topics.filter((name) => name.startsWith('side-')).length, 12)
    await kaska.close()
    await using again = await startBroker({ data, sync })
    await using reader = await connect(again.url)
    assert.deepEqual(
      (await reader.topics()).map(({ name }) => name),
      topics,
    )
    for (const sender of senders) {
      await reader.subscribe([`topic-${sender}`])
      reader.seek(`topic-${sender}`, 0)
      for (let index = 0; index < count; index++) {
        const message = await reader.poll({ timeoutMs: 10_000 })
        assert.ok(message !== undefined)
        assertWhole(message, sender)
      }
      reader.unsubscribe()
    }
  })
}

test('a buffer is freed with its last holder, if it was owned and the disk keeps none', () => {
  const release = (freesOwned: boolean, isOwned: boolean): number[] => {
    const budget = new MemoryBudget(1024 * 1024, { freesOwned })
    const { buffer } = new Uint8Array(10_000)
    budget.retain(buffer, isOwned)
    budget.retain(buffer)
    budget.releaseBuffer(buffer)
    const held = buffer.byteLength
    budget.releaseBuffer(buffer)
    assert.equal(budget.used, 0)
    return [held, buffer.byteLength]
  }
  assert.deepEqual(release(true, true), [10_000, 0])
  assert.deepEqual(release(true, false), [10_000, 10_000])
  assert.deepEqual(release(false, true), [10_000, 10_000])
})

test('a buffer that was read into serves another read, and old views see nothing of it', () => {
  const budget = new MemoryBudget(32 * 1024 * 1024, { freesOwned: true })
  const [bytes, other] = [512 * 1024, 256 * 1024]
  const first = budget.allocate(bytes)
  first.fill(7)
  budget.free(first.buffer)
  assert.equal(first.length, 0)
  assert.equal(budget.allocate(other)[0], 0, 'of another length')
  const second = budget.allocate(bytes)
  assert.deepEqual([second.length, second[0]], [bytes, 7])
  assert.equal(budget.allocate(bytes)[0], 0, 'it is given once')
  // What is kept is bounded: the oldest go first.
  const many = Array.from({ length: 4 }, () => budget.allocate(bytes))
  for (const [index, one] of many.entries()) budget.free(one.fill(index + 1).buffer)
  const again = many.map(() => budget.allocate(bytes)[0])
  assert.deepEqual(again, [3, 4, 0, 0])
})
