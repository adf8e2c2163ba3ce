/**
 * Contract 8: a topic name is 1 to 65,534 bytes of UTF-8 with no NUL inside (2^16 - 1 with a final
 * one). Every received name is checked before use, and refused with a clear error; a string that is
 * not well-formed is refused before it is sent.
 */
import assert from 'node:assert/strict'
import { suite, test } from 'node:test'
import { type Client, connect } from '@kaska/client'
import { ChunkReader, type ChunkWriter, InvalidTopicError, native } from '@kaska/protocol'
import { SeededRandom } from '../../../sim/seeded-random.ts'
import { SimulatedDisk } from '../../../sim/simulated-disk.ts'
import { startBroker } from '../src/testing.ts'
import { bytesOf } from './batches.ts'
import { dial } from './raw-client.ts'

const bytesMax = 65_534

/** Names that are names, however odd. */
const good: Readonly<Record<string, string>> = {
  'one byte': 'x',
  'the longest, in ASCII': 'n'.repeat(bytesMax),
  'the longest, in characters of four bytes': `${'\u{1f600}'.repeat(16_383)}ab`,
  'a byte order mark, which is part of it': '\ufefforders',
  'without the mark it is another': 'orders',
  'a path': '../../etc/passwd',
  'two dots': '..',
  'line breaks and controls': 'a\r\n\t\u0001\u007f',
  'not normalised: two spellings are two names': 'e\u0301',
  'the other spelling': '\u00e9',
  'the largest code point': '\u{10ffff}',
  'what objects have by themselves': '__proto__',
  'and this': 'constructor',
}

/** What is no name, in bytes. */
const bad: Readonly<Record<string, Uint8Array>> = {
  'no bytes': new Uint8Array(0),
  'one byte too long': bytesOf('n'.repeat(bytesMax + 1)),
  'far too long': bytesOf('n'.repeat(1_000_000)),
  'a NUL inside': bytesOf('a\0b'),
  'a final NUL': bytesOf('a\0'),
  'a lone continuation byte': Uint8Array.of(0x61, 0x80),
  'a sequence that is cut': Uint8Array.of(0x61, 0xe2, 0x82),
  'an overlong slash': Uint8Array.of(0xc0, 0xaf),
  'an overlong NUL': Uint8Array.of(0xc0, 0x80),
  'half a surrogate pair': Uint8Array.of(0xed, 0xa0, 0x80),
  'a pair of surrogates (CESU-8)': Uint8Array.of(0xed, 0xa0, 0xbd, 0xed, 0xb8, 0x80),
  'beyond the last code point': Uint8Array.of(0xf4, 0x90, 0x80, 0x80),
  'bytes that UTF-8 never has': Uint8Array.of(0xff, 0xfe),
}

async function checkGood(client: Client): Promise<void> {
  for (const [what, name] of Object.entries(good)) {
    const topic = await client.createTopic(name)
    assert.equal(topic.name, name, what)
    const { offset } = await client.send(name, what)
    assert.equal(offset, 0)
    assert.equal(await client.endOffset(name), 1)
    await client.commit('g', name, 1)
    assert.equal(await client.committed('g', name), 1)
  }
  const names = (await client.topics()).map((topic) => topic.name)
  assert.deepEqual(names, Object.values(good))
}

suite('contract 8: topic names', () => {
  test('every name works over a socket, and after a restart', async () => {
    const disk = new SimulatedDisk(new SeededRandom(8))
    {
      await using kaska = await startBroker({ disk })
      await using client = await connect(kaska.url)
      await checkGood(client)
    }
    await using kaska = await startBroker({ disk })
    await using client = await connect(kaska.url)
    const names = (await client.topics()).map((topic) => topic.name)
    assert.deepEqual(names, Object.values(good))
    for (const name of Object.values(good)) {
      assert.equal(await client.subscribe([name]), 1)
      client.seek(name, 0)
      const message = await client.poll({ timeoutMs: 1000 })
      assert.equal(message?.topic, name)
      client.unsubscribe()
      await client.deleteTopic(name)
    }
    assert.equal(await client.topicCount(), 0)
  })

  test('every name works for a client in the process', async () => {
    await using kaska = await startBroker()
    await using client = await connect(kaska.broker)
    await checkGood(client)
  })

  test('what is no name is refused wherever a name is received; the connection goes on', async () => {
    await using kaska = await startBroker()
    const client = await dial(kaska.port)
    const field = (bytes: Uint8Array) => (writer: ChunkWriter) => {
      writer.varint(bytes.length)
      writer.view(bytes)
    }
    const requests: Record<string, [number, (bytes: Uint8Array) => (writer: ChunkWriter) => void]> =
      {
        createTopic: [
          native.operation.createTopic,
          (bytes) => (writer) => {
            writer.copy(new Uint8Array(16))
            writer.varint(1)
            writer.varint(0)
            field(bytes)(writer)
          },
        ],
        deleteTopic: [native.operation.deleteTopic, field],
        describeTopic: [native.operation.describeTopic, field],
        resolve: [
          native.operation.resolve,
          (bytes) => (writer) => {
            writer.varint(1)
            field(bytes)(writer)
          },
        ],
      }
    for (const [what, bytes] of Object.entries(bad)) {
      for (const [name, [operation, write]] of Object.entries(requests)) {
        const { status, reader } = await client.ask(operation, write(bytes))
        assert.equal(status, InvalidTopicError.wire, `${name}, ${what}`)
        const error = native.readErrorDetails(reader, status)
        assert.ok(error.message.length > 10, error.message)
      }
    }
    // The connection still answers, and nothing was made.
    const count = await client.call(native.operation.topicCount)
    assert.equal(count.varint(), 0)
    client.destroy()
  })

  test('a string that is no name is refused before anything is sent', async () => {
    await using kaska = await startBroker()
    await using client = await connect(kaska.url)
    const strings = [
      '',
      'a\0',
      'n'.repeat(bytesMax + 1),
      '\ud800',
      'a\udc00b',
      '\u{1f600}'.repeat(16_384),
    ]
    for (const name of strings) {
      await assert.rejects(client.createTopic(name), InvalidTopicError)
      await assert.rejects(client.send(name, 'x'), InvalidTopicError)
    }
    assert.equal(await client.topicCount(), 0)
  })

  test("the name's bytes are kept as they came: in the answer, byte by byte", async () => {
    await using kaska = await startBroker()
    const client = await dial(kaska.port)
    for (const name of Object.values(good)) await client.createTopic(name)
    const reader = await client.call(native.operation.listTopics, (writer) => writer.varint(0))
    const page = native.readTopicPage(reader)
    assert.deepEqual(
      page.topics.map((topic) => topic.name),
      Object.values(good),
    )
    assert.ok(reader instanceof ChunkReader)
    client.destroy()
  })
})
