/** Polls over brokers in memory: who hears what, and how few fetches and connections that takes. */
import assert from 'node:assert/strict'
import { type TestContext, test } from 'node:test'
import {
  ClosedError,
  ConnectionError,
  joinChunks,
  LogTruncatedError,
  type OffsetBounds,
  OffsetOutOfRangeError,
  type PollPart,
  type PollResult,
  RecordDecoder,
  UnknownTopicError,
} from '@kaska/protocol'
import { ManualClock } from '../../../../sim/manual-clock.ts'
import { FakeKafka } from '../../test/fake-kafka.ts'
import { Cluster } from './cluster.ts'
import { FetchLanes } from './fetch-lanes.ts'
import { KafkaPoller } from './kafka-poller.ts'

const context = { principal: null, clientId: 'test', address: 'in-process' }
const stepsMax = 200_000
/** Of the connections to a broker for fetches. */
const connectionsMax = 8

interface Harness {
  readonly cluster: Cluster
  readonly clock: ManualClock
  readonly kafka: FakeKafka
  poll(parts: readonly PollPart[], options?: PollOptions): Promise<PollResult>
  /** Runs until the promise settles. */
  run<T>(promise: Promise<T>): Promise<T>
}

interface PollOptions {
  readonly waitMs?: number
  readonly bytesMax?: number
  readonly signal?: AbortSignal
}

async function setUp(t: TestContext, nodes = 1): Promise<Harness> {
  const clock = new ManualClock()
  const kafka = new FakeKafka(clock, nodes)
  const bounds = (topic: string): Promise<OffsetBounds> =>
    Promise.resolve({ startOffset: topic.length - 22, endOffset: 1 })
  const cluster = new Cluster({
    dialer: kafka,
    bootstrap: kafka.bootstrap,
    clock,
    connectTimeoutMs: 1000,
  })
  const lanes = new FetchLanes(cluster, clock)
  const poller = new KafkaPoller({ cluster, lanes, clock, offsets: bounds })
  t.after(() => {
    cluster.close()
    lanes.close()
  })
  await clock.runUntil(cluster.control(), stepsMax)
  return {
    cluster,
    clock,
    kafka,
    run: (promise) => clock.runUntil(promise, stepsMax),
    poll: (parts, { waitMs = 60_000, bytesMax = 2 ** 20, signal } = {}) => {
      const who = signal === undefined ? context : { ...context, signal }
      const polled = poller.poll({ parts, waitMs, bytesMax }, who)
      // Those that nobody looks at end with the test.
      polled.catch(() => {})
      return polled
    },
  }
}

function at(topic: string, offset = 0, partition = 0): PollPart {
  return { topic, partition, offset }
}

function valuesOf({ batches }: PollResult): string[] {
  return batches.flatMap(({ records, recordCount }) => {
    const decoder = new RecordDecoder(joinChunks(records), recordCount)
    const values: string[] = []
    for (let record = decoder.next(); record !== undefined; record = decoder.next()) {
      values.push(new TextDecoder().decode(record.value ?? new Uint8Array()))
    }
    return values
  })
}

test('a thousand polls of one partition are one fetch; each gets the same views', async (t) => {
  const { clock, kafka, poll, run } = await setUp(t)
  const topic = kafka.create('orders')
  const waiting = Array.from({ length: 1000 }, () => poll([at(topic)]))
  await clock.advance(10_240)
  assert.equal(kafka.fetching(1), 1)
  // Two a second, of one part each.
  assert.ok(kafka.fetches.length <= 22, `${kafka.fetches.length} fetches`)
  assert.ok(kafka.fetches.every(({ parts }) => parts.length === 1))
  kafka.append(topic, 0, 'a', 'b')
  const results = await run(Promise.all(waiting))
  const views = new Set(results.map(({ batches }) => batches[0]?.records[0]))
  assert.equal(views.size, 1)
  assert.deepEqual(valuesOf(results[999] as PollResult), ['a', 'b'])
})

test('who comes while others wait hears at once of what is there, and soon of what comes', async (t) => {
  const { clock, kafka, poll, run } = await setUp(t)
  const topics = Array.from({ length: 300 }, (_, index) => kafka.create(`topic-${index}`))
  const full = kafka.create('full')
  kafka.append(full, 0, 'there')
  // They come one by one, so that all lanes are taken.
  for (const topic of topics) {
    void poll([at(topic)])
    await clock.advance(1)
  }
  const start = clock.monotonic()
  assert.deepEqual(valuesOf(await run(poll([at(full)]))), ['there'])
  assert.ok(clock.monotonic() - start <= 2, `${clock.monotonic() - start} ms`)
  // Whenever the message comes, and others still do.
  const delays: number[] = []
  for (let pauseMs = 0; pauseMs < 60; pauseMs += 3) {
    const late = kafka.create(`late-${pauseMs}`)
    const waiting = poll([at(late)])
    for (let ms = 0; ms < pauseMs; ms++) {
      void poll([at(kafka.create(`other-${pauseMs}-${ms}`))])
      await clock.advance(1)
    }
    kafka.append(late, 0, 'new')
    const sent = clock.monotonic()
    await run(waiting)
    delays.push(clock.monotonic() - sent)
  }
  assert.ok(Math.max(...delays) <= 30, `${delays} ms`)
  t.diagnostic(`a message took ${delays.map((ms) => ms.toFixed(0)).join(', ')} ms`)
  assert.ok(kafka.fetching(1) <= connectionsMax)
  // When it is quiet again, few fetches tell all of it.
  await clock.advance(1_000)
  const before = kafka.fetches.length
  await clock.advance(10_240)
  const rate = (kafka.fetches.length - before) / 10.24
  assert.ok(rate <= 20, `${rate} fetches a second`)
})

test('what is busy does not make the broker look at what is quiet', async (t) => {
  const { clock, kafka, poll, run } = await setUp(t)
  const quiet = Array.from({ length: 50 }, (_, index) => kafka.create(`quiet-${index}`))
  const busy = kafka.create('busy')
  const waiting = quiet.map((topic) => poll([at(topic)]))
  await clock.advance(100)
  const before = kafka.fetches.length
  for (let offset = 0; offset < 200; offset++) {
    const polled = poll([at(busy, offset)])
    await clock.advance(1)
    kafka.append(busy, 0, `${offset}`)
    assert.deepEqual(valuesOf(await run(polled)), [`${offset}`])
  }
  const parts = kafka.fetches.slice(before).reduce((sum, fetch) => sum + fetch.parts.length, 0)
  assert.ok(parts <= 200 * 2 + 2 * quiet.length, `${parts} parts were asked for`)
  for (const topic of quiet) kafka.append(topic, 0, 'at last')
  for (const result of await run(Promise.all(waiting))) {
    assert.deepEqual(valuesOf(result), ['at last'])
  }
})

test('different offsets of a partition never go in one fetch, and all are served', async (t) => {
  const { kafka, poll, run } = await setUp(t)
  const topic = kafka.create('orders')
  for (let offset = 0; offset < 40; offset++) kafka.append(topic, 0, `${offset}`)
  const polls = Array.from({ length: 40 }, (_, offset) => poll([at(topic, offset)]))
  for (const [offset, result] of (await run(Promise.all(polls))).entries()) {
    assert.deepEqual(valuesOf(result)[0], `${offset}`)
  }
  // That the fake broker was never asked for two offsets at once, it checks itself.
  assert.ok(kafka.fetching(1) <= connectionsMax)
})

test('a poll that does not wait asks anew, whatever waits already', async (t) => {
  const { clock, kafka, poll, run } = await setUp(t)
  const topic = kafka.create('orders')
  const waiting = poll([at(topic)])
  await clock.advance(100)
  const before = kafka.fetches.length
  assert.deepEqual(valuesOf(await run(poll([at(topic)], { waitMs: 0 }))), [])
  assert.deepEqual(
    kafka.fetches.slice(before).map(({ waitMs }) => waitMs),
    [0],
  )
  kafka.append(topic, 0, 'a')
  assert.deepEqual(valuesOf(await run(poll([at(topic)], { waitMs: 0 }))), ['a'])
  assert.deepEqual(valuesOf(await run(waiting)), ['a'])
})

test('a poll that ends without a message was answered for', async (t) => {
  const { clock, kafka, poll, run } = await setUp(t)
  const topic = kafka.create('orders')
  const start = clock.monotonic()
  assert.deepEqual(valuesOf(await run(poll([at(topic)], { waitMs: 5 }))), [])
  assert.ok(clock.monotonic() - start >= 5)
  // The first waits longer at the broker than the poll does: it was asked again, not to wait.
  assert.equal(kafka.fetches.at(-1)?.waitMs, 0)
  kafka.silence(1)
  const silent = assert.rejects(poll([at(topic)], { waitMs: 5 }), ConnectionError)
  await run(silent)
})

test('an aborted poll is asked for no more', async (t) => {
  const { clock, kafka, poll, run } = await setUp(t)
  const [left, kept] = [kafka.create('left'), kafka.create('kept')]
  const aborting = new AbortController()
  const polls = Array.from({ length: 10 }, () => poll([at(left)], { signal: aborting.signal }))
  const staying = poll([at(kept)])
  await clock.advance(100)
  const reason = new Error('enough')
  aborting.abort(reason)
  for (const aborted of polls) await run(assert.rejects(aborted, reason))
  await clock.advance(600)
  const before = kafka.fetches.length
  await clock.advance(2000)
  for (const { parts } of kafka.fetches.slice(before)) assert.deepEqual(parts, ['kept/0@0'])
  kafka.append(left, 0, 'nobody hears')
  kafka.append(kept, 0, 'heard')
  assert.deepEqual(valuesOf(await run(staying)), ['heard'])
})

test('what is wrong with a part reaches who asked for it, and nobody else', async (t) => {
  const { clock, kafka, poll, run } = await setUp(t)
  const [good, bad, gone] = [kafka.create('good'), kafka.create('bad'), kafka.create('gone')]
  kafka.append(bad, 0, 'a')
  const goodPolls = Array.from({ length: 20 }, () => poll([at(good)]))
  const gonePoll = poll([at(gone)])
  const badPoll = poll([at(bad, 7)])
  const outOfRange = (await run(badPoll)).failures[0]?.error
  assert.ok(outOfRange instanceof OffsetOutOfRangeError)
  assert.deepEqual([outOfRange.startOffset, outOfRange.endOffset], [0, 1])
  await clock.advance(700)
  kafka.delete(gone)
  const { failures } = await run(gonePoll)
  assert.ok(failures[0]?.error instanceof UnknownTopicError)
  kafka.append(good, 0, 'fine')
  for (const result of await run(Promise.all(goodPolls))) {
    assert.deepEqual([valuesOf(result), result.failures], [['fine'], []])
  }
})

test('a part whose leader changes is found there; the others of its fetch go on', async (t) => {
  const { clock, kafka, poll, run } = await setUp(t, 2)
  const [moving, staying] = [kafka.create('moving'), kafka.create('staying')]
  const moved = poll([at(moving)])
  const stayed = poll([at(staying)])
  await clock.advance(100)
  kafka.lead(moving, 0, -1)
  await clock.advance(1500)
  kafka.lead(moving, 0, 2)
  await clock.advance(500)
  kafka.append(moving, 0, 'there')
  assert.deepEqual(valuesOf(await run(moved)), ['there'])
  assert.equal(kafka.fetches.at(-1)?.node, 2)
  kafka.append(staying, 0, 'here')
  assert.deepEqual(valuesOf(await run(stayed)), ['here'])
})

test('a broker that dies holds up its own parts alone', async (t) => {
  const { clock, kafka, poll, run } = await setUp(t, 2)
  const topic = kafka.create('both', [1, 2])
  const polls = Array.from({ length: 20 }, () => poll([at(topic, 0, 0), at(topic, 0, 1)]))
  const lost = assert.rejects(poll([at(topic, 0, 1)], { waitMs: 100 }), ConnectionError)
  await clock.advance(50)
  kafka.kill(2)
  await clock.advance(300)
  kafka.append(topic, 0, 'from the first')
  for (const result of await run(Promise.all(polls))) {
    assert.deepEqual(valuesOf(result), ['from the first'])
  }
  await run(lost)
})

test('a broker that is silent holds up its own parts alone', async (t) => {
  const { clock, kafka, poll, run } = await setUp(t, 2)
  const topic = kafka.create('both', [1, 2])
  const parts = [at(topic, 0, 0), at(topic, 0, 1)]
  // So that there are connections, on which it is silent.
  await run(poll(parts, { waitMs: 0 }))
  await run(poll(parts, { waitMs: 10 }))
  kafka.silence(2)
  kafka.append(topic, 0, 'there')
  const start = clock.monotonic()
  assert.deepEqual(valuesOf(await run(poll(parts))), ['there'])
  assert.deepEqual(valuesOf(await run(poll(parts, { waitMs: 0 }))), ['there'])
  const next = poll([at(topic, 1, 0), at(topic, 0, 1)])
  await clock.advance(2_500)
  kafka.append(topic, 0, 'new')
  assert.deepEqual(valuesOf(await run(next)), ['new'])
  assert.ok(clock.monotonic() - start < 8_000, `${clock.monotonic() - start} ms`)
})

test('who has read what another log has in the place of is told so, however long that log is', async (t) => {
  const { kafka, poll, run } = await setUp(t)
  const topic = kafka.create('orders')
  kafka.lead(topic, 0, 1)
  kafka.append(topic, 0, 'a', 'b')
  const [batch] = (await run(poll([at(topic)]))).batches
  assert.equal(batch?.leaderEpoch, 1)
  for (const lost of [['x'], ['x', 'y', 'z']]) {
    // A replica leads that did not take part in epoch 1.
    kafka.log(topic, 0).replace(lost, 0)
    kafka.lead(topic, 0, 1)
    kafka.lead(topic, 0, 1)
    const { failures } = await run(poll([{ ...at(topic, 2), lastEpoch: 1 }]))
    const error = failures[0]?.error
    assert.ok(error instanceof LogTruncatedError)
    // What it has read last is not there.
    assert.equal(error.endOffset, 1)
  }
})

test('what is there on all brokers is told together', async (t) => {
  const { clock, kafka, poll, run } = await setUp(t, 3)
  kafka.latencyMs = 1
  const topic = kafka.create('all', [1, 2, 3])
  for (const partition of [0, 1, 2]) kafka.append(topic, partition, `${partition}`)
  const parts = [2, 0, 1].map((partition) => at(topic, 0, partition))
  assert.deepEqual(valuesOf(await run(poll(parts))), ['2', '0', '1'])
  // At the ends it waits everywhere, and hears from any.
  const ends = parts.map((part) => ({ ...part, offset: 1 }))
  const waiting = poll(ends)
  await clock.advance(100)
  kafka.append(topic, 1, 'next')
  assert.deepEqual(valuesOf(await run(waiting)), ['next'])
})

test('busy partitions share an answer with quiet ones, whoever asks for them', async (t) => {
  const { kafka, poll, run } = await setUp(t)
  const big = new Uint8Array(1000)
  const busy = Array.from({ length: 20 }, (_, index) => kafka.create(`busy-${index}`))
  for (const topic of busy) for (let count = 0; count < 50; count++) kafka.append(topic, 0, big)
  const quiet = kafka.create('quiet')
  kafka.append(quiet, 0, 'small')
  const polls = [...busy, quiet].map((topic) => poll([at(topic)], { waitMs: 0, bytesMax: 3000 }))
  const results = await run(Promise.all(polls))
  for (const { batches } of results.slice(0, -1)) {
    assert.ok(batches.length >= 1 && batches.length <= 3, `${batches.length} batches`)
  }
  assert.deepEqual(valuesOf(results.at(-1) as PollResult), ['small'])
})

test('who found no room in an answer is asked for first in the next one', async (t) => {
  const { kafka, poll, run } = await setUp(t)
  const big = new Uint8Array(3_000_000)
  const topics = Array.from({ length: 10 }, (_, index) => kafka.create(`big-${index}`))
  for (const topic of topics) kafka.append(topic, 0, big)
  for (const waitMs of [0, 1000]) {
    const before = kafka.fetches.length
    const polls = topics.map((topic) => poll([at(topic)], { waitMs, bytesMax: 4_000_000 }))
    for (const { batches } of await run(Promise.all(polls))) assert.equal(batches.length, 1)
    const fetches = kafka.fetches.slice(before)
    assert.deepEqual(
      fetches.map(({ parts }) => parts.length),
      [10, 8, 6, 4, 2],
    )
    for (const { maxBytes } of fetches) assert.ok(maxBytes <= 8 * 2 ** 20)
  }
})

test('polls of many partitions at once ask in the order in which they came', async (t) => {
  const { kafka, poll, run } = await setUp(t)
  const first = kafka.create('first', [1, 1])
  const second = kafka.create('second', [1, 1])
  const polls = [
    poll([at(first, 0, 1), at(second, 0, 0)], { waitMs: 0 }),
    poll([at(first, 0, 0), at(second, 0, 0), at(first, 0, 1)], { waitMs: 0 }),
  ]
  await run(Promise.all(polls))
  assert.deepEqual(
    kafka.fetches.map(({ parts }) => parts),
    [['first/1@0', 'second/0@0', 'first/0@0']],
  )
})

test('a connection that was not used for minutes is not relied upon', async (t) => {
  const { clock, kafka, poll, run } = await setUp(t)
  const topic = kafka.create('orders')
  await run(poll([at(topic)], { waitMs: 0 }))
  await clock.advance(60_000)
  await run(poll([at(topic)], { waitMs: 0 }))
  await clock.advance(600_000)
  await run(poll([at(topic)], { waitMs: 0 }))
  const [first, second, third] = kafka.fetches.map(({ connection }) => connection)
  assert.equal(first, second)
  assert.notEqual(second, third)
  assert.equal(kafka.fetching(1), 1)
})

test('the end of the cluster ends polls of all kinds at once', async (t) => {
  const { cluster, clock, kafka, poll, run } = await setUp(t, 2)
  const [waited, silent, leaderless] = [
    kafka.create('waited'),
    kafka.create('silent', [2]),
    kafka.create('leaderless', [-1]),
  ]
  const polls = [poll([at(waited)]), poll([at(leaderless)]), poll([])]
  await clock.advance(100)
  kafka.silence(2)
  polls.push(poll([at(silent)], { waitMs: 0 }))
  await clock.advance(10)
  cluster.close()
  const start = clock.monotonic()
  for (const one of polls) await run(assert.rejects(one, ClosedError))
  await run(assert.rejects(poll([at(waited)]), ClosedError))
  assert.equal(clock.monotonic(), start)
})

test('a broker that answers with nothing at once is not asked without a pause', async (t) => {
  const { clock, kafka, poll, run } = await setUp(t)
  const topics = ['a', 'b', 'c'].map((name) => kafka.create(name))
  const waiting = topics.map((topic) => poll([at(topic)]))
  await clock.advance(100)
  kafka.isThrottling = true
  await clock.advance(1000)
  const before = kafka.fetches.length
  await clock.advance(1000)
  const count = kafka.fetches.length - before
  assert.ok(count >= 40 && count <= 60, `${count} fetches`)
  kafka.isThrottling = false
  for (const topic of topics) kafka.append(topic, 0, 'at last')
  for (const result of await run(Promise.all(waiting))) {
    assert.deepEqual(valuesOf(result), ['at last'])
  }
})
