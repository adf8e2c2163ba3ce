/**
 * Contract 11: no copy of a name's or a message's bytes is made. The proof is identity: the stretches
 * of memory that arrive are those that leave, from the socket to the disk, from the log's tail and
 * from the disk to the socket, however many pieces a message comes in; and in the client library from
 * the caller to the socket, and from the socket to the caller.
 */
import assert from 'node:assert/strict'
import { type TestContext, test } from 'node:test'
import { createNativeClient, createNodeHost, type Dialer } from '@kaska/client'
import {
  type BufferReceiver,
  ChunkReader,
  type Chunks,
  chunksLength,
  createTransportPair,
  joinChunks,
  native,
  topicNameOf,
} from '@kaska/protocol'
import { type NativeBroker, startNativeBroker } from './native-broker.ts'
import { dialMemory, type RawClient, sendPart } from './raw-client.ts'
import { missingFrom, RecordingDisk, rangesOf } from './recording-disk.ts'

const { operation } = native
const pieceCounts = [1, 3, 1000]
const valueLength = 5000

/** Bytes that no other place has: so their place is known. */
function marked(length: number, mark: number): Uint8Array {
  return Uint8Array.from({ length }, (_, index) => (index * 31 + mark * 7 + (index >> 8)) & 0xff)
}

/** The frame in so many pieces, each in memory of its own, as a socket would bring it. */
function inPieces(frame: Chunks, count: number): Uint8Array[] {
  const bytes = joinChunks(frame)
  return Array.from({ length: count }, (_, index) => {
    const start = Math.floor((index * bytes.length) / count)
    return bytes.slice(start, Math.floor(((index + 1) * bytes.length) / count))
  })
}

/** Where in the sequence of the chunks these bytes lie. */
function find(chunks: Chunks, bytes: Uint8Array): number {
  const start = Buffer.from(joinChunks(chunks)).indexOf(bytes)
  assert(start >= 0, 'the bytes are there')
  return start
}

/** Sends a request in pieces, and returns the pieces. */
async function sendInPieces(
  client: RawClient,
  count: number,
  operationNumber: number,
  write: Parameters<typeof native.encodeRequest>[2],
): Promise<Uint8Array[]> {
  const tag = 1_000_000 + count
  const pieces = inPieces(native.encodeRequest(operationNumber, tag, write), count)
  const answer = client.answer(tag)
  client.write(...pieces)
  const { status } = await answer
  assert.equal(status, native.statusOk)
  return pieces
}

/** A connection that keeps the views that the broker writes, and reads frames from them. */
function openConsumer(broker: NativeBroker) {
  const [near, far] = createTransportPair()
  const views: Uint8Array[] = []
  near.attach({ received: (view) => views.push(view), closed: () => {} })
  far.attach(broker.accept(far))
  near.write([new Uint8Array([...native.magic, native.version])])
  const ask = async (
    operationNumber: number,
    write: Parameters<typeof native.encodeRequest>[2],
  ) => {
    views.length = 0
    near.write(native.encodeRequest(operationNumber, 1, write))
    for (;;) {
      await new Promise((resolve) => setImmediate(resolve))
      const reader = new ChunkReader(views)
      if (reader.remaining > 0 && reader.varint() <= reader.remaining) return [...views]
    }
  }
  return { ask, close: () => near.destroy() }
}

async function pollViews(broker: NativeBroker, topic: string, offset: number) {
  const consumer = openConsumer(broker)
  await consumer.ask(operation.resolve, (writer) =>
    native.writeResolveRequest(writer, [topicNameOf(topic)]),
  )
  const views = await consumer.ask(operation.poll, (writer) =>
    native.writePollRequest(writer, {
      waitMs: 1000,
      bytesMax: 1,
      parts: [{ ref: 1, partition: 0, offset }],
    }),
  )
  consumer.close()
  return views
}

for (const count of pieceCounts) {
  const pieces = count === 1 ? 'one piece' : `${count} pieces`

  test(`a message in ${pieces} goes to the disk, and to a consumer at the end, as it came`, async () => {
    const disk = new RecordingDisk()
    await using broker = await startNativeBroker({ disk })
    const { client } = dialMemory(broker.accept)
    const ref = await client.createTopic('x')
    const value = marked(valueLength, count)
    const arrived = await sendInPieces(client, count, operation.send, (writer) =>
      native.writeSendRequest(writer, [sendPart(ref, [value])]),
    )
    const start = find(arrived, value)
    const ranges = rangesOf(arrived, start, start + valueLength)
    assert(count < 1000 || ranges.length > 500, 'the message itself is in pieces')
    const written = disk.written.filter(({ path }) => path.endsWith('.log'))
    assert.deepEqual(
      missingFrom(
        ranges,
        written.map(({ view }) => view),
      ),
      [],
      'to the disk',
    )

    const views = await pollViews(broker, 'x', 0)
    assert.deepEqual(missingFrom(ranges, views), [], 'to the consumer')
    assert.equal(disk.readInto.filter(({ path }) => path.endsWith('.log')).length, 0)
  })

  test(`a topic name in ${pieces} goes to the disk as it came`, async () => {
    const disk = new RecordingDisk()
    await using broker = await startNativeBroker({ disk })
    const { client } = dialMemory(broker.accept)
    const name = 'ж'.repeat(20_000) + count
    const bytes = new TextEncoder().encode(name)
    const arrived = await sendInPieces(client, count, operation.createTopic, (writer) =>
      native.writeCreateTopic(writer, {
        name: topicNameOf(name),
        partitions: 1,
        config: new Map(),
      }),
    )
    const start = find(arrived, bytes)
    const ranges = rangesOf(arrived, start, start + bytes.length)
    const written = disk.written.map(({ view }) => view)
    assert.deepEqual(missingFrom(ranges, written), [])
    assert.equal(await broker.engine.topicCount(anybody), 1)
  })
}

const anybody = { principal: null, clientId: '', address: 'test' }

test('what is read from the disk goes to the consumer in the buffer that it was read into', async () => {
  const disk = new RecordingDisk()
  const value = marked(100_000, 5)
  {
    await using broker = await startNativeBroker({ disk })
    const { client } = dialMemory(broker.accept)
    await client.send(await client.createTopic('x'), [value])
  }
  disk.readInto.length = 0
  await using broker = await startNativeBroker({ disk })
  const views = await pollViews(broker, 'x', 0)
  const start = find(views, value)
  const ranges = rangesOf(views, start, start + value.length)
  assert.deepEqual(
    missingFrom(
      ranges,
      disk.readInto.map(({ view }) => view),
    ),
    [],
  )
  assert.equal(ranges.length, 1, 'one read into one buffer')
})

/** A client of the library, over a transport that lets it say where bytes are to land. */
async function connectClient(context: TestContext, broker: NativeBroker) {
  const sent: Uint8Array[] = []
  const buffers: Uint8Array[] = []
  const dialer: Dialer = {
    address: 'memory',
    dial: (receiver: BufferReceiver) => {
      const [near, far] = createTransportPair()
      near.attach({
        received: (chunk) => {
          // As a socket does it: what is there goes where the receiver wants it.
          for (let start = 0; start < chunk.length; ) {
            const buffer = receiver.buffer()
            const part = chunk.subarray(start, start + buffer.length)
            buffer.set(part)
            buffers.push(buffer.subarray(0, part.length))
            receiver.filled(part.length)
            start += part.length
          }
        },
        closed: (error) => receiver.closed(error),
      })
      far.attach(broker.accept(far))
      return Promise.resolve({
        remoteAddress: near.remoteAddress,
        get unsentBytes() {
          return near.unsentBytes
        },
        write: (chunks, isSent) => {
          sent.push(...chunks)
          near.write(chunks, isSent)
        },
        pause: () => near.pause(),
        resume: () => near.resume(),
        end: () => near.end(),
        destroy: () => near.destroy(),
      })
    },
  }
  const client = await createNativeClient(dialer, {}, createNodeHost())
  context.after(() => client.close())
  return { client, sent, buffers }
}

test('the client library sends the bytes that it is given, and hands out those that came', async (context) => {
  await using broker = await startNativeBroker()
  const { client, sent, buffers } = await connectClient(context, broker)
  await client.createTopic('x')
  await client.subscribe(['x'])
  const [key, value] = [marked(1024, 1), marked(70_000, 2)]
  await client.send('x', { key, value })
  assert.deepEqual(missingFrom(rangesOf([key, value]), sent), [])

  const message = await client.poll({ timeoutMs: 5000 })
  assert(message?.value && message.key)
  assert.deepEqual(Buffer.from(message.value), Buffer.from(value))
  const body = buffers.filter((view) => view.buffer === message.value?.buffer)
  // All of the frame but its first few bytes landed in one buffer, which the message is a view of.
  assert.deepEqual(missingFrom(rangesOf([message.key, message.value]), body), [])
  assert(chunksLength(body) > value.length)
})
