/** The engine's contract for sends: what is taken, what is refused, and producers' sequences. */
import assert from 'node:assert/strict'
import { suite, test } from 'node:test'
import { gzipSync, zstdCompressSync } from 'node:zlib'
import {
  createTopicId,
  InvalidMessageError,
  type MessageBatch,
  MessageTooLargeError,
  OutOfOrderSequenceError,
  ProducerFencedError,
  UnknownPartitionError,
  UnknownTopicError,
  UnsupportedCompressionError,
} from '@kaska/protocol'
import { SeededRandom } from '../../../../sim/seeded-random.ts'
import { batchOf, compressed, context, messagesOf } from '../batches.ts'
import { offsetOf, refusedWith, type Store } from './store.ts'

const random = new SeededRandom(8)

export function sendTests(store: () => Store): void {
  suite('send', () => {
    test('messages get offsets in the order of the calls, one partition apart from another', async () => {
      const topic = await store().create(2)
      const sends = ['a', 'b', 'c', 'd'].map((value) => store().send(topic, [value, `${value}2`]))
      assert.deepEqual(await Promise.all(sends), [0, 2, 4, 6])
      assert.equal(await store().send(topic, ['other'], 1), 0)
      assert.deepEqual(await store().values(topic), ['a', 'a2', 'b', 'b2', 'c', 'c2', 'd', 'd2'])
      assert.deepEqual(await store().values(topic, 0, 1), ['other'])
    })

    test('a request has parts for several topics; one that is refused leaves the others', async () => {
      const first = await store().create()
      const second = await store().create(3)
      const gone = createTopicId(random)
      const part = (topic: string, partition: number, value: string) => ({
        topic,
        partition,
        baseSequence: -1,
        batch: batchOf([value]),
      })
      const parts = [
        part(first.id, 0, 'x'),
        part(gone, 0, 'x'),
        part(second.id, 2, 'y'),
        part(second.id, 3, 'x'),
      ]
      const results = await store().engine.send({ producer: undefined, parts }, context)
      assert.deepEqual(
        results.map((result) => result.error?.name ?? 'ok'),
        ['ok', 'UnknownTopicError', 'ok', 'UnknownPartitionError'],
      )
      assert.deepEqual(await store().values(second, 0, 2), ['y'])
    })

    test('a message of 0 bytes, of null, and of any bytes is a message', async () => {
      const topic = await store().create()
      const any = Uint8Array.from({ length: 256 }, (_, byte) => byte)
      await store().answer(topic, batchOf(['', null, any]))
      const values = await store().values(topic)
      assert.deepEqual(values.slice(0, 2), ['', null])
      assert.equal(await store().engine.messageSize(topic.id, 0, 2, context), 256)
    })

    test('an unknown topic and an unknown partition are told from each other', async () => {
      const topic = await store().create()
      refusedWith(
        await store().answer({ id: createTopicId(random) }, batchOf(['a'])),
        UnknownTopicError,
      )
      refusedWith(await store().answer(topic, batchOf(['a']), 1), UnknownPartitionError)
    })

    test("a batch over the topic's max.message.bytes is refused, one of it is not", async () => {
      const topic = await store().create(1, { 'max.message.bytes': '1000' })
      const small = batchOf([new Uint8Array(900)])
      const filled = batchOf([new Uint8Array(900 + 1000 - 61 - small.recordsLength)])
      assert.equal(filled.recordsLength, 1000 - 61)
      refusedWith(
        await store().answer(topic, batchOf([new Uint8Array(1000)])),
        MessageTooLargeError,
      )
      assert.equal(offsetOf(await store().answer(topic, filled)), 0)
    })

    test('a batch that contradicts itself is refused, and nothing of it is stored', async () => {
      const topic = await store().create()
      const good = batchOf(['a', 'b'])
      const bytes = Uint8Array.from(good.records[0] as Uint8Array)
      const damaged = Uint8Array.from(bytes)
      damaged[0] = (damaged[0] as number) + 2
      const wrong: Partial<MessageBatch>[] = [
        { attributes: 0x10 },
        { attributes: 0x20 },
        { recordCount: 1, lastOffsetDelta: 0 },
        { recordCount: 3, lastOffsetDelta: 2 },
        { records: [damaged] },
        { records: [bytes.subarray(0, -1)], recordsLength: bytes.length - 1 },
        { recordCount: 0, lastOffsetDelta: -1, records: [], recordsLength: 0 },
      ]
      for (const change of wrong) {
        refusedWith(await store().answer(topic, { ...good, ...change }), InvalidMessageError)
      }
      assert.deepEqual(await store().values(topic), [])
      assert.equal(await store().send(topic, ['c']), 0)
    })

    test('a batch of very many messages keeps its place before those that follow', async () => {
      const topic = await store().create()
      await store().send(topic, ['before'])
      const many = batchOf(Array.from({ length: 50_000 }, (_, index) => `${index}`))
      const sends = [many, batchOf(['after']), batchOf(['last'])].map((batch) =>
        store().answer(topic, batch),
      )
      const offsets = (await Promise.all(sends)).map(offsetOf)
      assert.deepEqual(offsets, [1, 50_001, 50_002])
    })

    const codecs = [
      { name: 'gzip', type: 1, compress: gzipSync },
      { name: 'zstd', type: 4, compress: zstdCompressSync },
    ]
    for (const { name, type, compress } of codecs) {
      test(`a batch in ${name} is checked, and handed out as it came`, async () => {
        const topic = await store().create()
        const plain = batchOf(['a', 'bcd', null])
        const batch = compressed(plain, type, compress)
        assert.equal(offsetOf(await store().answer(topic, batch)), 0)
        const { batches, release } = await store().poll([
          { topic: topic.id, partition: 0, offset: 1 },
        ])
        assert.equal(batches.length, 1)
        assert.equal((batches[0]?.attributes ?? 0) & 7, type)
        assert.deepEqual(
          batches[0]?.records.flatMap((chunk) => [...chunk]),
          [...(batch.records[0] as Uint8Array)],
        )
        release()
        assert.equal(await store().engine.messageSize(topic.id, 0, 1, context), 3)
        assert.equal(await store().engine.offsetAt(topic.id, 0, 1002, context), 2)

        refusedWith(
          await store().answer(topic, { ...batch, recordCount: 2, lastOffsetDelta: 1 }),
          InvalidMessageError,
        )
        const cut = (batch.records[0] as Uint8Array).subarray(0, 20)
        refusedWith(
          await store().answer(topic, { ...batch, records: [cut], recordsLength: 20 }),
          InvalidMessageError,
        )
      })
    }

    test('a compression without a codec is refused', async () => {
      const topic = await store().create()
      refusedWith(
        await store().answer(topic, { ...batchOf(['a']), attributes: 5 }),
        UnsupportedCompressionError,
      )
    })

    test('LogAppendTime: the broker stamps, and says so', async () => {
      const topic = await store().create(1, { 'message.timestamp.type': 'LogAppendTime' })
      const result = await store().answer(topic, batchOf(['a', 'b'], { timestamp: 5 }))
      assert.equal(result.error, undefined)
      if (result.error !== undefined) return
      const { appendTimestamp = 0 } = result
      assert.ok(appendTimestamp > 5)
      const { batches, release } = await store().poll([
        { topic: topic.id, partition: 0, offset: 0 },
      ])
      assert.equal((batches[0]?.attributes ?? 0) & 8, 8)
      assert.equal(batches[0]?.maxTimestamp, appendTimestamp)
      assert.equal(messagesOf(batches).length, 2)
      release()
      assert.equal(await store().engine.offsetAt(topic.id, 0, appendTimestamp, context), 0)
      assert.equal(
        await store().engine.offsetAt(topic.id, 0, appendTimestamp + 1, context),
        undefined,
      )
    })
  })

  suite('producers', () => {
    test('each gets an id of its own', async () => {
      const ids = await Promise.all(
        Array.from({ length: 20 }, () => store().engine.initProducer(context)),
      )
      assert.equal(new Set(ids.map(({ producerId }) => producerId)).size, 20)
    })

    test('a batch that is sent again is stored once, and answered with its first offset', async () => {
      const topic = await store().create()
      const producer = await store().engine.initProducer(context)
      const send = async (value: string, sequence: number) =>
        offsetOf(await store().answer(topic, batchOf([value, value]), 0, producer, sequence))
      assert.equal(await send('a', 0), 0)
      assert.equal(await send('b', 2), 2)
      assert.equal(await send('a', 0), 0)
      assert.equal(await send('b', 2), 2)
      assert.equal(await send('c', 4), 4)
      const together = await Promise.all([send('d', 6), send('d', 6), send('e', 8)])
      assert.deepEqual(together, [6, 6, 8])
      assert.deepEqual(await store().values(topic), [...'aabbccddee'])
    })

    test('a sequence that skips one, and an epoch of the past, are refused', async () => {
      const topic = await store().create()
      const producer = await store().engine.initProducer(context)
      const newer = { ...producer, producerEpoch: producer.producerEpoch + 1 }
      await store().answer(topic, batchOf(['a']), 0, producer, 0)
      refusedWith(
        await store().answer(topic, batchOf(['c']), 0, producer, 2),
        OutOfOrderSequenceError,
      )
      assert.equal(offsetOf(await store().answer(topic, batchOf(['b']), 0, newer, 0)), 1)
      refusedWith(await store().answer(topic, batchOf(['b']), 0, producer, 1), ProducerFencedError)
      assert.deepEqual(await store().values(topic), ['a', 'b'])
    })

    test('what is refused leaves no gap', async () => {
      const topic = await store().create()
      const producer = await store().engine.initProducer(context)
      await store().answer(topic, batchOf(['a']), 0, producer, 0)
      const bad = { ...batchOf(['x']), recordCount: 2, lastOffsetDelta: 1 }
      refusedWith(await store().answer(topic, bad, 0, producer, 1), InvalidMessageError)
      assert.equal(offsetOf(await store().answer(topic, batchOf(['b']), 0, producer, 1)), 1)
    })
  })
}
