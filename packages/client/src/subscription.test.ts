import assert from 'node:assert/strict'
import { test } from 'node:test'
import {
  AlreadySubscribedError,
  ConnectionError,
  controlBit,
  InvalidMessageError,
  LogTruncatedError,
  type MessageBatch,
  NotSubscribedError,
  OffsetOutOfRangeError,
  RecordsBuilder,
  UnknownTopicError,
  UnsupportedCompressionError,
} from '@kaska/protocol'
import fc from 'fast-check'
import { createModelClient, type ModelClient } from '../test/model-client.ts'
import type { ClientOptions } from './client-options.ts'
import type { Message } from './message.ts'

const encoder = new TextEncoder()
const decoder = new TextDecoder()

function batchOf(values: readonly string[], changes: Partial<MessageBatch> = {}): MessageBatch {
  const builder = new RecordsBuilder()
  for (const value of values) {
    builder.append({ key: null, value: encoder.encode(value), headers: [], timestamp: 7 })
  }
  return {
    attributes: 0,
    baseTimestamp: builder.baseTimestamp,
    maxTimestamp: builder.maxTimestamp,
    recordCount: builder.recordCount,
    lastOffsetDelta: builder.recordCount - 1,
    recordsLength: builder.length,
    records: builder.finish(),
    ...changes,
  }
}

/** A client that is subscribed to topics with so many partitions each. */
async function subscribed(
  topics: Readonly<Record<string, number>>,
  options: ClientOptions = {},
): Promise<ModelClient> {
  const model = createModelClient(options)
  for (const [name, partitions] of Object.entries(topics)) {
    await model.client.createTopic(name, { partitions })
  }
  assert.equal(await model.client.subscribe(Object.keys(topics)), Object.keys(topics).length)
  return model
}

function textOf(message: Message | undefined): string | undefined {
  return message && decoder.decode(message.value ?? undefined)
}

/** Polls until nothing comes. */
async function pollAll(model: ModelClient): Promise<string[]> {
  const texts: string[] = []
  for (;;) {
    const message = await model.run(model.client.poll({ timeoutMs: 0 }))
    if (message === undefined) return texts
    texts.push(textOf(message) as string)
  }
}

test('a subscription begins at the ends, and covers all partitions', async () => {
  const model = createModelClient()
  const { client, engine } = model
  await client.createTopic('a', { partitions: 2 })
  engine.append('a', 0, batchOf(['old', 'older']))
  assert.equal(await client.subscribe(['a', 'nope', 'a']), 1)
  assert.deepEqual([client.position('a'), client.position('a', 1)], [2, 0])
  engine.append('a', 1, batchOf(['x']))
  engine.append('a', 0, batchOf(['y']))
  assert.deepEqual((await pollAll(model)).sort(), ['x', 'y'])
  assert.deepEqual([client.position('a'), client.position('a', 1)], [3, 1])
  client.seek('a', 0)
  assert.deepEqual(await pollAll(model), ['old', 'older', 'y'])
})

test('subscribed or not: each method says so', async () => {
  const model = createModelClient()
  const { client } = model
  await client.createTopic('a', { partitions: 2 })
  assert.equal(await client.subscribe(['nope']), 0)
  assert.throws(() => client.position('a'), NotSubscribedError)
  assert.throws(() => client.seek('a', 0), NotSubscribedError)
  assert.throws(() => client.unsubscribe(), NotSubscribedError)
  await assert.rejects(client.poll(), NotSubscribedError)
  await assert.rejects(client.messages().next(), NotSubscribedError)
  const first = client.subscribe(['a'])
  await assert.rejects(client.subscribe(['a']), AlreadySubscribedError)
  assert.equal(await first, 1)
  await assert.rejects(client.subscribe(['nope']), AlreadySubscribedError)
  assert.throws(() => client.position('a', 2), NotSubscribedError)
  assert.throws(() => client.position('b'), NotSubscribedError)
  assert.throws(() => client.seek('a', -1), { code: 'INVALID_ARGUMENT' })
  const waiting = assert.rejects(client.poll(), NotSubscribedError)
  client.unsubscribe()
  await waiting
  assert.equal(await client.subscribe(['a']), 1)
})

test('one poll is one request for all topics, and one round trip with timeoutMs 0', async () => {
  const model = await subscribed({ a: 2, b: 1 })
  const { client, engine } = model
  assert.equal(await model.run(client.poll({ timeoutMs: 0 })), undefined)
  assert.equal(engine.polls.length, 1)
  assert.equal(engine.polls[0]?.waitMs, 0)
  assert.deepEqual(
    engine.polls[0]?.parts.map(({ partition, offset }) => [partition, offset]),
    [
      [0, 0],
      [1, 0],
      [0, 0],
    ],
  )
  engine.append('a', 1, batchOf(['1', '2']))
  engine.append('b', 0, batchOf(['3']))
  for (const text of ['1', '3', '2']) {
    assert.equal(textOf(await model.run(client.poll({ timeoutMs: 0 }))), text)
  }
  assert.equal(engine.polls.length, 2, 'what one answer brought is buffered')
})

test('a poll waits as long as it may, and no longer', async () => {
  const model = await subscribed({ a: 1 })
  const { client, clock, engine } = model
  const start = clock.monotonic()
  assert.equal(await model.run(client.poll({ timeoutMs: 100 })), undefined)
  assert.equal(clock.monotonic() - start, 101)
  const polls = engine.polls.length
  const waiting = client.poll({ timeoutMs: 100_000 })
  await clock.advance(70_000)
  engine.append('a', 0, batchOf(['x']))
  assert.equal(textOf(await model.run(waiting)), 'x')
  assert.equal(engine.polls.length - polls, 3, 'a sign of life every 30 seconds')
  assert.equal(model.holds(), 0)
})

test('polls that wait at once are served in their order, each within its own time', async () => {
  const model = await subscribed({ a: 1 })
  const { client, clock, engine } = model
  const long = client.poll({ timeoutMs: 10_000 })
  const short = client.poll({ timeoutMs: 100 })
  const forEver = client.poll()
  const controller = new AbortController()
  const aborted = client.poll({ signal: controller.signal })
  const reason = new Error('enough')
  const isAborted = assert.rejects(aborted, reason)
  await clock.advance(150)
  assert.equal(await short, undefined)
  controller.abort(reason)
  await isAborted
  engine.append('a', 0, batchOf(['1', '2', '3']))
  await clock.advance(10)
  assert.equal(textOf(await long), '1')
  assert.equal(textOf(await forEver), '2')
  assert.equal(textOf(await client.poll()), '3')
  await assert.rejects(client.poll({ signal: controller.signal }), reason)
  await assert.rejects(client.poll({ timeoutMs: -1 }), { code: 'INVALID_ARGUMENT' })
  assert.equal(model.holds(), 0)
})

test('an aborted poll loses nothing', async () => {
  const model = await subscribed({ a: 1 })
  const { client, clock, engine } = model
  const controller = new AbortController()
  const isAborted = assert.rejects(client.poll({ signal: controller.signal }), {
    name: 'AbortError',
  })
  await clock.advance(5)
  engine.append('a', 0, batchOf(['1']))
  controller.abort()
  await isAborted
  assert.equal(textOf(await model.run(client.poll())), '1')
})

test('a seek wakes a poll that waits elsewhere, and drops what was fetched', async () => {
  const model = await subscribed({ a: 1 })
  const { client, clock, engine } = model
  engine.append('a', 0, batchOf(['0', '1', '2']))
  assert.deepEqual(await pollAll(model), ['0', '1', '2'])
  const waiting = client.poll()
  await clock.advance(50)
  client.seek('a', 1)
  assert.equal(client.position('a'), 1)
  assert.equal(textOf(await model.run(waiting)), '1')
  client.seek('a', 0)
  assert.deepEqual(await pollAll(model), ['0', '1', '2'])
})

test('a position out of range: an error with both bounds, or the start, or the end', async () => {
  for (const onOutOfRange of [undefined, 'start', 'end'] as const) {
    const model = await subscribed({ a: 1 }, { onOutOfRange })
    const { client, engine } = model
    engine.append('a', 0, batchOf(['0', '1', '2', '3']))
    const log = engine.topics.get('a')?.logs[0]
    assert.ok(log)
    log.startOffset = 2
    for (const offset of [0, 9]) {
      client.seek('a', offset)
      const poll = model.run(client.poll({ timeoutMs: 10 }))
      if (onOutOfRange === undefined) {
        await assert.rejects(poll, (error) => {
          assert.ok(error instanceof OffsetOutOfRangeError)
          assert.deepEqual([error.startOffset, error.endOffset], [2, 4])
          return true
        })
        assert.equal(client.position('a'), offset, 'the position stays')
      } else if (onOutOfRange === 'start') assert.equal((await poll)?.offset, 2)
      else assert.equal(await poll, undefined)
    }
  }
})

test('what was cut off behind a reader: an error where it was seen, else nothing', async () => {
  const model = await subscribed({ a: 1 })
  const { client, engine } = model
  // The model answers as a broker does that knows where the epochs end.
  truncating(model)
  engine.append('a', 0, batchOf(['0']))
  engine.append('a', 0, batchOf(['1']))
  engine.append('a', 0, batchOf(['2']))
  assert.equal(textOf(await model.run(client.poll())), '0')
  assert.equal(textOf(await model.run(client.poll())), '1')
  // Only fetched, not handed out: it is fetched anew.
  engine.truncate('a', 0, 2)
  engine.append('a', 0, batchOf(['two']))
  client.seek('a', 2)
  assert.equal(textOf(await model.run(client.poll())), 'two')
  engine.truncate('a', 0, 1)
  engine.append('a', 0, batchOf(['one', 'other']))
  await assert.rejects(model.run(client.poll()), (error) => {
    assert.ok(error instanceof LogTruncatedError)
    assert.equal(error.endOffset, 1)
    return true
  })
  assert.equal(client.position('a'), 3)
  client.seek('a', 1)
  assert.deepEqual(await pollAll(model), ['one', 'other'])
})

test('what was cut off behind a reader with onOutOfRange: goes on where the cut is', async () => {
  const model = await subscribed({ a: 1 }, { onOutOfRange: 'start' })
  truncating(model)
  const { engine } = model
  engine.append('a', 0, batchOf(['0']))
  engine.append('a', 0, batchOf(['1']))
  assert.deepEqual(await pollAll(model), ['0', '1'])
  engine.truncate('a', 0, 1)
  engine.append('a', 0, batchOf(['one']))
  assert.deepEqual(await pollAll(model), ['one'])
})

/** Makes the model's polls look at the epochs that readers saw last. */
function truncating({ engine }: ModelClient): void {
  const poll = engine.poll.bind(engine)
  engine.poll = async (request, context) => {
    for (const part of request.parts) {
      const topic = [...engine.topics.values()].find(({ id }) => id === part.topic)
      const log = topic?.logs[part.partition]
      const { lastEpoch } = part
      if (log === undefined || lastEpoch === undefined) continue
      const first = log.batches.find(({ leaderEpoch }) => leaderEpoch > lastEpoch)
      const endOffset = first?.baseOffset ?? log.endOffset
      if (endOffset >= part.offset) continue
      const error = new LogTruncatedError('cut', { endOffset })
      const { topic: id, partition } = part
      return { batches: [], failures: [{ topic: id, partition, error }], release: () => {} }
    }
    return poll(request, context)
  }
}

test('a deleted topic wakes the poll that waits; the others are still subscribed to', async () => {
  const model = await subscribed({ a: 2, b: 1 })
  const { client, clock, engine } = model
  const waiting = assert.rejects(client.poll(), UnknownTopicError)
  await clock.advance(10)
  engine.topics.delete('a')
  engine.break(0)
  await model.run(waiting)
  assert.throws(() => client.position('a'), NotSubscribedError)
  engine.append('b', 0, batchOf(['x']))
  assert.equal(textOf(await model.run(client.poll())), 'x')
  engine.topics.delete('b')
  await assert.rejects(model.run(client.poll()), UnknownTopicError)
  await assert.rejects(client.poll(), NotSubscribedError)
  await client.createTopic('c')
  assert.equal(await client.subscribe(['c']), 1)
})

test('the connection breaks: the poll goes on where it stood', async () => {
  const model = await subscribed({ a: 1 })
  const { client, clock, engine } = model
  const waiting = client.poll()
  await clock.advance(10)
  engine.isDown = true
  engine.break(0)
  await clock.advance(5000)
  engine.isDown = false
  engine.append('a', 0, batchOf(['x']))
  assert.equal(textOf(await model.run(waiting)), 'x')
})

test('the broker is out of reach: a poll says so at the end of its time, or after 30 s', async () => {
  const model = await subscribed({ a: 1 })
  const { client, clock, engine } = model
  engine.isDown = true
  for (const timeoutMs of [0, 1000, Number.POSITIVE_INFINITY]) {
    const start = clock.monotonic()
    await assert.rejects(model.run(client.poll({ timeoutMs })), ConnectionError)
    const waited = clock.monotonic() - start
    const expected = Math.min(timeoutMs, 30_000)
    assert.ok(Math.abs(waited - expected) <= 2000, `${timeoutMs}: ${waited}`)
  }
  const stream = client.messages()
  await assert.rejects(model.run(stream.next()), ConnectionError)
  assert.deepEqual(await stream.next(), { value: undefined, done: true })
  engine.isDown = false
  engine.append('a', 0, batchOf(['x']))
  assert.equal(textOf(await model.run(client.poll())), 'x')
  assert.equal(model.holds(), 0)
})

test('markers, gaps and the front of a batch are passed over', async () => {
  const model = await subscribed({ a: 1 })
  const { client, engine } = model
  engine.append('a', 0, batchOf(['0', '1', '2']))
  engine.append('a', 0, batchOf(['marker'], { attributes: controlBit }))
  // The last two of a batch of four were compacted away.
  engine.append('a', 0, batchOf(['4', '5'], { lastOffsetDelta: 3 }))
  engine.append('a', 0, batchOf(['8']))
  engine.append('a', 0, batchOf(['marker'], { attributes: controlBit }))
  client.seek('a', 1)
  assert.deepEqual(await pollAll(model), ['1', '2', '4', '5', '8'])
  assert.equal(client.position('a'), await client.endOffset('a'))
})

test('a damaged batch, and one that nothing here can expand, stop at their place', async () => {
  const model = await subscribed({ a: 1 })
  const { client, engine } = model
  engine.append('a', 0, batchOf(['0']))
  engine.append('a', 0, batchOf(['1'], { recordCount: 2, lastOffsetDelta: 1 }))
  engine.append('a', 0, batchOf(['3'], { attributes: 3 }))
  engine.append('a', 0, batchOf(['4']))
  assert.equal(textOf(await model.run(client.poll())), '0')
  assert.equal(textOf(await model.run(client.poll())), '1')
  for (let time = 0; time < 2; time++) {
    await assert.rejects(model.run(client.poll()), InvalidMessageError)
    assert.equal(client.position('a'), 2)
  }
  client.seek('a', 3)
  await assert.rejects(model.run(client.poll()), UnsupportedCompressionError)
  client.seek('a', 4)
  assert.equal(textOf(await model.run(client.poll())), '4')
})

test('a codec that is given expands batches, within its bound', async () => {
  const asked: number[] = []
  const codecs = (compression: number) => ({
    decompress: (_: unknown, bytesMax: number) => {
      asked.push(compression, bytesMax)
      return batchOf(['a', 'b']).records[0] as Uint8Array
    },
  })
  const model = await subscribed({ a: 1 }, { codecs, expandedBytesMax: 1234 })
  const { engine } = model
  const compressed = { attributes: 2, records: [new Uint8Array(3)], recordsLength: 3 }
  engine.append('a', 0, batchOf(['a', 'b'], compressed))
  assert.deepEqual(await pollAll(model), ['a', 'b'])
  assert.deepEqual(asked, [2, 1234])
})

test('messages() reads ahead within its bytes, and stops when the reader leaves', async () => {
  const model = await subscribed({ a: 1 }, { readAheadBytes: 1000 })
  const { client, clock, engine } = model
  for (let index = 0; index < 100; index++) {
    engine.append('a', 0, batchOf([`${index}`.padEnd(80)]))
  }
  const texts: string[] = []
  for await (const message of runStream(model, client.messages())) {
    texts.push((textOf(message) as string).trim())
    await clock.advance(10)
    const fetched = engine.polls.at(-1)?.parts[0]?.offset ?? 0
    assert.ok((fetched - texts.length) * 90 <= 1000 + 90, `${fetched} of ${texts.length}`)
    if (texts.length === 50) break
  }
  assert.deepEqual(
    texts,
    Array.from({ length: 50 }, (_, index) => `${index}`),
  )
  // The next request is under way while the buffers are half full still.
  assert.ok(engine.polls.length >= 9 && engine.polls.length <= 14, `${engine.polls.length}`)
  const polls = engine.polls.length
  await clock.advance(100_000)
  assert.equal(engine.polls.length, polls, 'nobody reads, nothing is fetched')
  assert.equal(client.position('a'), 50)
  assert.equal((await pollAll(model)).length, 50)
})

test('messages() rejects with the reason of its signal', async () => {
  const model = await subscribed({ a: 1 })
  const controller = new AbortController()
  const stream = model.client.messages({ signal: controller.signal })
  const waiting = assert.rejects(stream.next(), /enough/)
  await model.clock.advance(10)
  controller.abort(new Error('enough'))
  await waiting
  assert.equal((await stream.next()).done, true)
  assert.equal(model.holds(), 0)
})

/** An iteration in which the clock runs while the next message is awaited. */
async function* runStream(
  model: ModelClient,
  stream: AsyncIterableIterator<Message>,
): AsyncGenerator<Message> {
  try {
    for (;;) {
      const { value, done } = await model.run(stream.next())
      if (done) return
      yield value
    }
  } finally {
    await stream.return?.()
  }
}

test('no partition is starved, and each is read in order, whatever the bytes and batches', async () => {
  await fc.assert(
    fc.asyncProperty(
      fc.array(fc.array(fc.integer({ min: 1, max: 5 }), { maxLength: 12 }), {
        minLength: 1,
        maxLength: 6,
      }),
      fc.integer({ min: 60, max: 2000 }),
      fc.boolean(),
      async (partitions, readAheadBytes, isStream) => {
        const model = await subscribed({ a: partitions.length }, { readAheadBytes })
        const { client, engine } = model
        partitions.forEach((batches, partition) => {
          let number = 0
          for (const count of batches) {
            const values = Array.from({ length: count }, () => `${partition}:${number++}`)
            engine.append('a', partition, batchOf(values))
          }
        })
        const total = partitions.flat().reduce((sum, count) => sum + count, 0)
        const stream = client.messages()
        const seen: number[][] = partitions.map(() => [])
        const since: number[] = partitions.map(() => 0)
        for (let index = 0; index < total; index++) {
          const message = isStream
            ? (await model.run(stream.next())).value
            : await model.run(client.poll())
          const partition = message?.partition as number
          assert.equal(textOf(message), `${partition}:${seen[partition]?.length}`)
          seen[partition]?.push(index)
          since[partition] = 0
          // What brought something is asked for last: so the next request, or the one after as many
          // as there are partitions, brings what waits.
          since.forEach((_, other) => {
            if (other !== partition) since[other] = (since[other] as number) + 1
            const count = partitions[other]?.reduce((sum, each) => sum + each, 0) ?? 0
            if ((seen[other]?.length ?? 0) === count) return
            const bound = (readAheadBytes / 8 + 5) * partitions.length
            assert.ok((since[other] as number) <= bound, `partition ${other} waits`)
          })
        }
        await stream.return?.()
        await model.run(client.close())
        assert.equal(model.holds(), 0)
      },
    ),
    { numRuns: 200 },
  )
})

test('a quiet topic is read while a busy one never ends', async () => {
  const model = await subscribed({ busy: 1, quiet: 1 }, { readAheadBytes: 500 })
  const { client, engine } = model
  const values = Array.from({ length: 10 }, (_, index) => `busy ${index}`)
  for (let index = 0; index < 100; index++) engine.append('busy', 0, batchOf(values))
  engine.append('quiet', 0, batchOf(['quiet']))
  for (let index = 0; ; index++) {
    assert.ok(index < 50, 'the quiet one is starved')
    const message = await model.run(client.poll())
    if (message?.topic === 'quiet') break
  }
})

test('an answer for a place that was left meanwhile is thrown away', async () => {
  const model = await subscribed({ a: 1 })
  const { client, clock, engine } = model
  engine.append('a', 0, batchOf(['0', '1', '2', '3']))
  const poll = engine.poll.bind(engine)
  engine.delayMs = () => 10
  // The answer was on its way when it was told to stop.
  engine.poll = (request, { signal: _, ...context }) => poll(request, context)
  client.seek('a', 0)
  const first = client.poll()
  await clock.advance(5)
  client.seek('a', 2)
  assert.equal(textOf(await model.run(first)), '2')
  assert.deepEqual(await pollAll(model), ['3'])
})

test('when nobody waits any more, the request that waits at the broker is called off', async () => {
  const model = await subscribed({ a: 1 })
  const { client, clock, engine } = model
  const signals: (AbortSignal | undefined)[] = []
  const poll = engine.poll.bind(engine)
  engine.poll = (request, context) => {
    signals.push(context.signal)
    return poll(request, context)
  }
  const controller = new AbortController()
  const both = [client.poll({ signal: controller.signal }), client.poll({ timeoutMs: 50 })]
  const isAborted = assert.rejects(both[0] as Promise<unknown>, { name: 'AbortError' })
  await clock.advance(10)
  controller.abort()
  await isAborted
  assert.deepEqual(
    signals.map((signal) => signal?.aborted),
    [false],
    'one waits still',
  )
  await clock.advance(100)
  assert.equal(await both[1], undefined)
  assert.deepEqual(
    signals.map((signal) => signal?.aborted),
    [true],
  )
  const stream = client.messages()
  const next = stream.next()
  next.catch(() => {})
  await clock.advance(10)
  client.unsubscribe()
  await assert.rejects(next, NotSubscribedError)
  assert.deepEqual(
    signals.map((signal) => signal?.aborted),
    [true, true],
  )
})

test('partitions that a topic is given later are read from their start', async () => {
  const model = await subscribed({ a: 1, b: 1 })
  const { client, engine } = model
  engine.grow('a', 3)
  engine.append('a', 2, batchOf(['new']))
  assert.throws(() => client.position('a', 2), NotSubscribedError)
  const message = await model.run(client.poll({ timeoutMs: 100_000 }))
  assert.deepEqual([textOf(message), message?.partition], ['new', 2])
  assert.deepEqual([client.position('a', 1), client.position('a', 2)], [0, 1])
  // Once it is known it is asked for like the others.
  engine.append('a', 1, batchOf(['1']))
  assert.equal(textOf(await model.run(client.poll({ timeoutMs: 0 }))), '1')
})

test('a topic that has the name of a deleted one is not what was subscribed to', async () => {
  const model = await subscribed({ a: 1, b: 1 })
  const { client, engine } = model
  await client.deleteTopic('a')
  await client.createTopic('a', { partitions: 2 })
  engine.append('a', 1, batchOf(['other']))
  await assert.rejects(model.run(client.poll({ timeoutMs: 100_000 })), UnknownTopicError)
  assert.equal(await model.run(client.poll({ timeoutMs: 100_000 })), undefined)
})
