import assert from 'node:assert/strict'
import { test } from 'node:test'
import {
  DeliveryTimeoutError,
  DiskFullError,
  InvalidMessageError,
  MessageTooLargeError,
  SendBatchError,
  UnknownPartitionError,
  UnknownTopicError,
} from '@kaska/protocol'
import fc from 'fast-check'
import { createModelClient, outcomes } from '../../test/model-client.ts'
import type { SendResult } from '../message.ts'

test('what is sent at once leaves in one request, whatever the topics', async () => {
  const model = createModelClient()
  const { client, engine } = model
  await client.createTopic('a', { partitions: 2 })
  await client.createTopic('b')
  await model.run(Promise.all([client.send('a', '1'), client.send('b', '2')]))
  engine.sends.length = 0
  const sends = [
    client.send('a', { value: 'x', partition: 0 }),
    client.send('a', { value: 'y', partition: 1 }),
    client.send('b', 'z'),
    client.send('a', { value: 'w', partition: 0 }),
  ]
  await model.run(Promise.all(sends))
  assert.deepEqual(
    engine.sends.map(({ parts }) => parts.map(({ batch }) => batch.recordCount)),
    [[2, 1, 1]],
  )
})

test('while an answer is awaited messages gather, and leave with it', async () => {
  const model = createModelClient()
  const { client, clock, engine } = model
  await client.createTopic('a')
  await model.run(client.send('a', 'first'))
  engine.sends.length = 0
  engine.delayMs = () => 5
  const sends = [client.send('a', '0')]
  for (let index = 1; index < 10; index++) {
    await clock.advance(0.5)
    sends.push(client.send('a', `${index}`))
  }
  await model.run(Promise.all(sends))
  assert.deepEqual(
    engine.sends.map(({ parts }) => parts[0]?.batch.recordCount),
    [1, 9],
  )
})

test('a full batch does not wait; at most five are unacknowledged', async () => {
  const model = createModelClient({ batchBytes: 1000 })
  const { client, engine } = model
  await client.createTopic('a')
  await model.run(client.send('a', 'first'))
  engine.sends.length = 0
  let underWay = 0
  let underWayMax = 0
  const send = engine.send.bind(engine)
  engine.send = (request) => {
    underWay++
    underWayMax = Math.max(underWayMax, underWay)
    return send(request).finally(() => underWay--)
  }
  const values = Array.from({ length: 30 }, (_, index) => `${index}`.padEnd(400))
  const results = await model.run(Promise.all(values.map((value) => client.send('a', value))))
  assert.equal(underWayMax, 5)
  assert.equal(engine.sends.length, 15)
  assert.deepEqual(engine.values('a').slice(1), values)
  assert.deepEqual(
    results.map(({ offset }) => offset),
    values.map((_, index) => index + 1),
  )
})

test('no more than sendBufferBytes are under way at once', async () => {
  const model = createModelClient({ batchBytes: 100, sendBufferBytes: 1000 })
  const { client, engine } = model
  await client.createTopic('a', { partitions: 10 })
  let underWay = 0
  const send = engine.send.bind(engine)
  engine.send = (request) => {
    const bytes = request.parts.reduce((sum, { batch }) => sum + batch.recordsLength, 0)
    underWay += bytes
    assert.ok(underWay <= 1000 || underWay === bytes, `${underWay}`)
    return send(request).finally(() => {
      underWay -= bytes
    })
  }
  const sends = Array.from({ length: 100 }, (_, index) => {
    const size = index === 50 ? 5000 : 200
    return client.send('a', { value: 'x'.repeat(size), partition: index % 10 })
  })
  await model.run(Promise.all(sends))
})

test('a key has its partition; without one a batch has one, the next batch the next', async () => {
  const model = createModelClient()
  const { client } = model
  await client.createTopic('a', { partitions: 3 })
  const keyed = await model.run(
    Promise.all(['x', 'y', 'x', 'z', 'y'].map((key) => client.send('a', { key, value: 'v' }))),
  )
  assert.equal(keyed[0]?.partition, keyed[2]?.partition)
  assert.equal(keyed[1]?.partition, keyed[4]?.partition)
  const partitions: (number | undefined)[] = []
  for (let round = 0; round < 6; round++) {
    const [one, other] = await model.run(
      Promise.all([client.send('a', '1'), client.send('a', '2')]),
    )
    assert.equal(one?.partition, other?.partition)
    partitions.push(one?.partition)
  }
  assert.equal(new Set(partitions.slice(0, 3)).size, 3)
  assert.deepEqual(partitions.slice(0, 3), partitions.slice(3))
})

test('an answer is lost: what was sent is in the log once, at the offset that is told', async () => {
  const model = createModelClient()
  const { client, clock, engine } = model
  await client.createTopic('a')
  await model.run(client.send('a', '0'))
  const sends = ['1', '2', '3'].map((value) => client.send('a', value))
  await clock.advance(0)
  engine.break(1)
  const results = await model.run(Promise.all(sends))
  assert.deepEqual(engine.values('a'), ['0', '1', '2', '3'])
  assert.deepEqual(
    results.map(({ offset }) => offset),
    [1, 2, 3],
  )
  assert.equal(engine.sends.length, 3)
})

test('a refusal in the middle leaves no gap: what was behind it goes in under its numbers', async () => {
  const model = createModelClient({ batchBytes: 10 })
  const { client, engine } = model
  await client.createTopic('a')
  engine.refuse = (_, values) =>
    values.includes('bad') ? new InvalidMessageError('bad') : undefined
  const all = ['0', '1', 'bad', '3', '4', '5', '6']
  const settled = await outcomes(
    model,
    all.map((value) => client.send('a', value)),
  )
  assert.deepEqual(
    settled.map(({ status }) => status),
    all.map((value) => (value === 'bad' ? 'rejected' : 'fulfilled')),
  )
  assert.deepEqual(engine.values('a'), ['0', '1', '3', '4', '5', '6'])
  assert.equal(engine.producerCount, 1, 'the same producer id all the time')
})

test('a batch that is too large together goes in in parts; one message that is is refused', async () => {
  const model = createModelClient()
  const { client, engine } = model
  await client.createTopic('a')
  await model.run(client.send('a', 'first'))
  engine.refuse = ({ batch }) =>
    batch.recordsLength > 200 ? new MessageTooLargeError('too large') : undefined
  const values = Array.from({ length: 20 }, (_, index) =>
    index === 7 ? 'x'.repeat(500) : `${index}`.padEnd(30),
  )
  const settled = await outcomes(
    model,
    values.map((value) => client.send('a', value)),
  )
  assert.deepEqual(
    settled.map(({ status }) => status === 'rejected'),
    values.map((_, index) => index === 7),
  )
  assert.deepEqual(
    engine.values('a').slice(1),
    values.filter((_, index) => index !== 7),
  )
  assert.equal(engine.producerCount, 1)
})

test('a client that is closed waits for the parts of a batch that was too large together', async () => {
  const model = createModelClient()
  const { client, engine } = model
  await client.createTopic('a')
  engine.refuse = ({ batch }) =>
    batch.recordCount > 1 ? new MessageTooLargeError('too large') : undefined
  const sends = ['1', '2', '3'].map((value) => client.send('a', value))
  const [results] = await model.run(Promise.all([Promise.all(sends), client.close()]))
  assert.deepEqual(
    results.map(({ offset }) => offset),
    [0, 1, 2],
  )
  assert.equal(model.holds(), 0)
})

test('a full disk: sent again until there is room, in order', async () => {
  const model = createModelClient({ batchBytes: 10 })
  const { client, clock, engine } = model
  await client.createTopic('a')
  let isFull = true
  engine.refuse = () => (isFull ? new DiskFullError('full') : undefined)
  const sends = ['0', '1', '2', '3', '4', '5', '6', '7'].map((value) => client.send('a', value))
  await clock.advance(5000)
  assert.deepEqual(engine.values('a'), [])
  isFull = false
  await model.run(Promise.all(sends))
  assert.deepEqual(engine.values('a'), ['0', '1', '2', '3', '4', '5', '6', '7'])
  assert.equal(engine.producerCount, 1)
})

test('given up after deliveryTimeoutMs, with the reason; later messages go on', async () => {
  const model = createModelClient({ deliveryTimeoutMs: 1000 })
  const { client, clock, engine } = model
  await client.createTopic('a')
  await model.run(client.send('a', '0'))
  let isFull = true
  engine.refuse = () => (isFull ? new DiskFullError('the disk is full') : undefined)
  const given = client.send('a', '1')
  const start = clock.monotonic()
  await assert.rejects(model.run(given), (error) => {
    assert.ok(error instanceof DeliveryTimeoutError)
    assert.match(error.message, /the disk is full/)
    assert.ok(error.cause instanceof DiskFullError)
    return true
  })
  assert.equal(clock.monotonic() - start, 1000)
  isFull = false
  const { offset } = await model.run(client.send('a', '2'))
  assert.equal(offset, 1)
  assert.deepEqual(engine.values('a'), ['0', '2'])
})

for (const isTaken of [true, false]) {
  test(`given up while nobody knows whether it arrived (it did${isTaken ? '' : ' not'}): the next goes in once`, async () => {
    const model = createModelClient({ deliveryTimeoutMs: 1000 })
    const { client, clock, engine } = model
    await client.createTopic('a')
    await model.run(client.send('a', '0'))
    const given = client.send('a', '1')
    given.catch(() => {})
    await clock.advance(0)
    engine.break(isTaken ? 1 : 0)
    engine.isDown = true
    await assert.rejects(model.run(given), DeliveryTimeoutError)
    engine.isDown = false
    const settled = await outcomes(
      model,
      ['2', '3'].map((value) => client.send('a', value)),
    )
    assert.deepEqual(
      settled.map(({ status }) => status),
      ['fulfilled', 'fulfilled'],
    )
    assert.deepEqual(engine.values('a'), isTaken ? ['0', '1', '2', '3'] : ['0', '2', '3'])
  })
}

test('a broker that has forgotten the producer, or lost its last messages: its next epoch', async () => {
  const model = createModelClient()
  const { client, engine } = model
  await client.createTopic('a')
  await model.run(client.send('a', '0'))
  engine.topics.get('a')?.logs[0]?.producers.clear()
  await model.run(client.send('a', '1'))
  assert.equal(engine.producerCount, 1)
  assert.equal(engine.sends.at(-1)?.producer?.producerEpoch, 1)
  const before = structuredClone(engine.topics.get('a')?.logs[0]?.producers)
  await model.run(client.send('a', '2'))
  engine.truncate('a', 0, 2)
  engine.topics.get('a')?.logs[0]?.producers.clear()
  for (const [id, state] of before ?? []) engine.topics.get('a')?.logs[0]?.producers.set(id, state)
  await model.run(Promise.all(['3', '4'].map((value) => client.send('a', value))))
  assert.deepEqual(engine.values('a'), ['0', '1', '3', '4'])
})

test('an aborted send: not sent if it has not left; its promise rejects with the reason', async () => {
  const model = createModelClient()
  const { client, clock, engine } = model
  await client.createTopic('a')
  await model.run(client.send('a', '0'))
  engine.delayMs = () => 10
  const first = client.send('a', '1')
  await clock.advance(1)
  const controller = new AbortController()
  const waiting = client.send('a', 'never', { signal: controller.signal })
  const other = client.send('a', '2', { signal: controller.signal })
  const third = client.send('a', '3')
  const reason = new Error('changed my mind')
  const rejected = assert.rejects(waiting, reason)
  const alsoRejected = assert.rejects(other, reason)
  controller.abort(reason)
  await Promise.all([rejected, alsoRejected])
  await model.run(Promise.all([first, third]))
  assert.deepEqual(engine.values('a'), ['0', '1', '3'])
  await assert.rejects(client.send('a', 'x', { signal: controller.signal }), reason)

  // One that has left may arrive.
  const leaving = new AbortController()
  const left = client.send('a', '4', { signal: leaving.signal })
  await clock.advance(1)
  const isRejected = assert.rejects(left, { name: 'AbortError' })
  leaving.abort()
  await isRejected
  await clock.advance(100)
  assert.deepEqual(engine.values('a'), ['0', '1', '3', '4'])
  // All that is aborted: nothing is sent, and the client is idle.
  const sends = engine.sends.length
  const nothing = new AbortController()
  const gone = assert.rejects(client.send('a', '5', { signal: nothing.signal }), {
    name: 'AbortError',
  })
  nothing.abort()
  await gone
  await clock.advance(100)
  assert.equal(engine.sends.length, sends)
  assert.equal(model.holds(), 0)
})

test('sendBatch is one request, a batch a partition, results in the order of the messages', async () => {
  const model = createModelClient()
  const { client, clock, engine } = model
  await client.createTopic('a', { partitions: 3 })
  await model.run(client.send('a', { value: '0', partition: 1 }))
  engine.sends.length = 0
  engine.delayMs = () => 10
  const before = client.send('a', { value: '1', partition: 1 })
  await clock.advance(1)
  const behind = client.send('a', { value: '2', partition: 1 })
  const batch = client.sendBatch(
    'a',
    [0, 1, 2, 1, 0].map((partition, index) => ({
      value: `b${index}`,
      partition,
      timestamp: index,
    })),
  )
  const after = client.send('a', { value: '3', partition: 1 })
  const [results] = await model.run(Promise.all([batch, before, behind, after]))
  assert.deepEqual(results, [
    { partition: 0, offset: 0, timestamp: 0 },
    { partition: 1, offset: 3, timestamp: 1 },
    { partition: 2, offset: 0, timestamp: 2 },
    { partition: 1, offset: 4, timestamp: 3 },
    { partition: 0, offset: 1, timestamp: 4 },
  ])
  assert.deepEqual(engine.values('a', 1), ['0', '1', '2', 'b1', 'b3', '3'])
  const request = engine.sends.find(({ parts }) => parts.length === 3)
  assert.deepEqual(
    request?.parts.map(({ batch: { recordCount } }) => recordCount),
    [2, 2, 1],
  )
  assert.deepEqual(await client.sendBatch('a', []), [])
})

test('sendBatch: the error where all failed; SendBatchError with each result where some did', async () => {
  const model = createModelClient()
  const { client, engine } = model
  await client.createTopic('a', { partitions: 2 })
  engine.refuse = (part, values) => {
    if (values.includes('bad')) return new InvalidMessageError(`bad in ${part.partition}`)
    return undefined
  }
  const messages = ['x', 'bad', 'y'].map((value, index) => ({
    value,
    partition: index % 2,
    timestamp: 5,
  }))
  await assert.rejects(model.run(client.sendBatch('a', messages)), (error) => {
    assert.ok(error instanceof SendBatchError)
    assert.deepEqual(error.results[0], { partition: 0, offset: 0, timestamp: 5 })
    assert.ok('error' in (error.results[1] ?? {}))
    assert.deepEqual(error.results[2], { partition: 0, offset: 1, timestamp: 5 })
    assert.ok(error.cause instanceof InvalidMessageError)
    return true
  })
  assert.deepEqual([engine.values('a', 0), engine.values('a', 1)], [['x', 'y'], []])
  const bad = ['bad', 'bad'].map((value, partition) => ({ value, partition }))
  await assert.rejects(model.run(client.sendBatch('a', bad)), InvalidMessageError)
  const lost = [{ value: '1' }, { value: '2', partition: 2 }]
  await assert.rejects(model.run(client.sendBatch('a', lost)), UnknownPartitionError)
  await assert.rejects(model.run(client.sendBatch('nope', ['x'])), UnknownTopicError)
  const signal = AbortSignal.abort(new Error('no'))
  await assert.rejects(client.sendBatch('a', ['x'], { signal }), /no/)
  assert.equal(model.holds(), 0)
})

test('a topic that was deleted: an error; one that was made anew under the name: it goes there', async () => {
  const model = createModelClient({ batchBytes: 10 })
  const { client, engine } = model
  await client.createTopic('a', { partitions: 2 })
  await model.run(client.send('a', { value: '0', partition: 1 }))
  engine.topics.delete('a')
  await assert.rejects(model.run(client.send('a', 'x')), UnknownTopicError)
  await client.createTopic('a', { partitions: 2 })
  await model.run(client.send('a', { value: '1', partition: 1 }))
  assert.deepEqual(engine.values('a', 1), ['1'])

  // Behind the client's back, with much on its way.
  const sends: Promise<unknown>[] = []
  for (let index = 0; index < 20; index++) {
    sends.push(client.send('a', { value: `${index}`, partition: 1 }))
    sends.push(client.sendBatch('a', [{ value: `b${index}`, partition: 1 }]))
  }
  engine.topics.delete('a')
  await createModelTopic(engine, 'a', 2)
  await model.run(Promise.all(sends))
  const expected = Array.from({ length: 20 }, (_, index) => [`${index}`, `b${index}`]).flat()
  assert.deepEqual(engine.values('a', 1), expected)
})

test('close waits for what is on its way, and gives it up after closeTimeoutMs', async () => {
  const model = createModelClient()
  const { client, engine } = model
  await client.createTopic('a')
  const sends = ['0', '1'].map((value) => client.send('a', value))
  await model.run(client.close())
  assert.deepEqual(await Promise.all(sends.map((send) => send.then(() => true))), [true, true])
  assert.deepEqual(engine.values('a'), ['0', '1'])
  await assert.rejects(client.send('a', '2'), { code: 'CLOSED' })

  const other = createModelClient()
  await other.client.createTopic('a')
  await other.run(other.client.send('a', '0'))
  other.engine.isDown = true
  const lost = other.client.send('a', '1')
  const isRejected = assert.rejects(lost, { code: 'CLOSED' })
  const start = other.clock.monotonic()
  await other.run(other.client.close())
  await isRejected
  assert.equal(other.clock.monotonic() - start, 5000)
  assert.equal(other.holds(), 0)
})

test('without a broker nothing is lost for deliveryTimeoutMs, then each send is told', async () => {
  const model = createModelClient({ deliveryTimeoutMs: 2000 })
  const { client, engine, clock } = model
  engine.isDown = true
  const isGivenUp = assert.rejects(client.send('a', 'x'), DeliveryTimeoutError)
  await model.run(isGivenUp)
  const waiting = client.send('a', 'y')
  await clock.advance(1000)
  engine.isDown = false
  await createModelTopic(engine, 'a', 1)
  await model.run(waiting)
  assert.deepEqual(engine.values('a'), ['y'])
})

/** What happens while messages are on their way. */
type Step =
  | { readonly kind: 'send'; readonly partition: number; readonly size: number; isBad: boolean }
  | { readonly kind: 'batch'; readonly count: number }
  | { readonly kind: 'advance'; readonly ms: number }
  | { readonly kind: 'break'; readonly taken: number }
  | { readonly kind: 'full'; readonly isFull: boolean }

const step: fc.Arbitrary<Step> = fc.oneof(
  {
    weight: 8,
    arbitrary: fc.record({
      kind: fc.constant('send' as const),
      partition: fc.integer({ min: 0, max: 1 }),
      size: fc.integer({ min: 0, max: 60 }),
      isBad: fc.integer({ min: 0, max: 9 }).map((digit) => digit === 0),
    }),
  },
  {
    weight: 2,
    arbitrary: fc.record({
      kind: fc.constant('batch' as const),
      count: fc.integer({ min: 1, max: 6 }),
    }),
  },
  {
    weight: 3,
    arbitrary: fc.record({
      kind: fc.constant('advance' as const),
      ms: fc.integer({ min: 0, max: 8 }),
    }),
  },
  {
    weight: 2,
    arbitrary: fc.record({
      kind: fc.constant('break' as const),
      taken: fc.integer({ min: 0, max: 3 }),
    }),
  },
  {
    weight: 1,
    arbitrary: fc.record({ kind: fc.constant('full' as const), isFull: fc.boolean() }),
  },
)

test('whatever breaks: each acknowledged message is in the log once, in order, at its offset', async () => {
  await fc.assert(
    fc.asyncProperty(
      fc.array(step, { maxLength: 60 }),
      fc.array(fc.integer({ min: 0, max: 5 }), { minLength: 1, maxLength: 20 }),
      fc.constantFrom(20, 50, 120_000),
      async (steps, delays, deliveryTimeoutMs) => {
        const model = createModelClient({ batchBytes: 80, deliveryTimeoutMs })
        const { client, clock, engine } = model
        let delay = 0
        engine.delayMs = () => delays[delay++ % delays.length] ?? 0
        await client.createTopic('a', { partitions: 2 })
        let isFull = false
        engine.refuse = (_, values) => {
          if (isFull) return new DiskFullError('full')
          if (values.some((value) => value.startsWith('bad')))
            return new MessageTooLargeError('bad')
          return undefined
        }
        const values: string[] = []
        const sends: Promise<SendResult>[] = []
        let number = 0
        for (const each of steps) {
          if (each.kind === 'send') {
            const text = `${each.isBad ? 'bad' : 'm'}${number++}`.padEnd(each.size, '.')
            values.push(text)
            const sent = client.send('a', { value: text, partition: each.partition })
            // Looked at in the end.
            sent.catch(() => {})
            sends.push(sent)
          } else if (each.kind === 'batch') {
            const texts = Array.from({ length: each.count }, () => `m${number++}`)
            const messages = texts.map((value, index) => ({ value, partition: index % 2 }))
            const batch = client.sendBatch('a', messages)
            batch.catch(() => {})
            texts.forEach((text, index) => {
              values.push(text)
              const sent = batch.then((results) => results[index] as SendResult)
              sent.catch(() => {})
              sends.push(sent)
            })
          } else if (each.kind === 'advance') await clock.advance(each.ms)
          else if (each.kind === 'break') engine.break(each.taken)
          else if (each.kind === 'full') isFull = each.isFull
        }
        isFull = false
        const settled = await outcomes(model, sends)
        const logs = [engine.values('a', 0), engine.values('a', 1)]
        assert.equal(new Set(logs.flat()).size, logs.flat().length, 'nothing is there twice')
        const places: number[][] = [[], []]
        settled.forEach((outcome, index) => {
          const text = values[index] as string
          if (outcome.status === 'rejected') {
            // What is given up may be there or not; what is refused is not.
            const { reason } = outcome
            const isGivenUp =
              reason instanceof DeliveryTimeoutError || reason instanceof SendBatchError
            if (isGivenUp && deliveryTimeoutMs < 100) return
            assert.ok(text.startsWith('bad'), `${text}: ${reason}`)
            assert.ok(!logs.flat().includes(text))
            return
          }
          const { partition, offset } = outcome.value
          assert.equal(logs[partition]?.[offset], text)
          places[partition]?.push(offset)
        })
        for (const offsets of places) {
          assert.deepEqual(
            offsets,
            offsets.toSorted((one, other) => one - other),
            'the order of the calls',
          )
        }
        assert.equal(model.holds(), 0)
        await model.run(client.close())
      },
    ),
    { numRuns: 300 },
  )
})

async function createModelTopic(
  engine: ReturnType<typeof createModelClient>['engine'],
  name: string,
  partitions: number,
): Promise<void> {
  await engine.createTopic({
    name: { text: name, bytes: [] },
    partitions,
    config: new Map(),
  })
}
