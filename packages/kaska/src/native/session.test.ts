import assert from 'node:assert/strict'
import { test } from 'node:test'
import {
  ClosedError,
  type Engine,
  emptyBytes,
  InvalidArgumentError,
  native,
  OverloadedError,
  type PollRequest,
  type PollResult,
  ProtocolError,
  type RequestContext,
  type SendPartResult,
  type SendRequest,
  UnsupportedOperationError,
  UnsupportedVersionError,
  wireCode,
} from '@kaska/protocol'
import { ManualClock } from '../../../../sim/manual-clock.ts'
import { deferred, fakeEngine, topicOf } from '../../test/fake-engine.ts'
import { dialMemory, preamble, RawClient, sendPart } from '../../test/raw-client.ts'
import { MemoryBudget } from '../log/memory-budget.ts'
import type { NativeLimits } from './native-limits.ts'
import { createNativeProtocol } from './native-protocol.ts'

const { operation } = native

/** A protocol over a fake engine, with all that a test looks at. */
function setUp(methods: Partial<Engine> = {}, limits: Partial<NativeLimits> = {}) {
  const clock = new ManualClock()
  const budget = new MemoryBudget(64 * 1024 * 1024)
  const reports: string[] = []
  const protocol = createNativeProtocol({
    engine: fakeEngine(methods),
    clock,
    budget,
    limits,
    identity: { software: 'kaska test', clusterId: 'cluster' },
    report: (line) => reports.push(line),
  })
  const dial = () => dialMemory((transport) => protocol.accept(transport))
  return { clock, budget, reports, protocol, dial }
}

/** All microtasks that are under way. */
const settle = () => new Promise((resolve) => setImmediate(resolve))

const nothing: PollResult = { batches: [], failures: [], release: () => {} }

function writePoll(ref: number, waitMs = 1000, bytesMax = 1000) {
  const parts = [{ ref, partition: 0, offset: 0 }]
  return (writer: Parameters<typeof native.writePollRequest>[0]) =>
    native.writePollRequest(writer, { waitMs, bytesMax, parts })
}

/** A poll's result with one batch of so many bytes, which counts its releases. */
function pollResult(bytes: number): PollResult & { releases: number } {
  const { batch } = sendPart(1, [new Uint8Array(bytes)])
  return {
    releases: 0,
    batches: [{ ...batch, topic: topicOf('x').id, partition: 0, baseOffset: 0, leaderEpoch: 1 }],
    failures: [],
    release() {
      this.releases++
    },
  }
}

test('identify tells who the broker is, and the engine who asks', async () => {
  const asked: RequestContext[] = []
  const { dial, protocol } = setUp({
    topicCount: (context) => {
      asked.push(context)
      return Promise.resolve(7)
    },
  })
  const { client } = dial()
  const reader = await client.call(operation.identify, (writer) => writer.string('me'))
  assert.deepEqual(native.readBrokerIdentity(reader), {
    software: 'kaska test',
    clusterId: 'cluster',
    frameBytesMax: protocol.limits.frameBytesMax,
    capabilities: { kind: 'native', retriesSurviveCrash: true },
  })
  assert.equal((await client.call(operation.topicCount)).varint(), 7)
  assert.deepEqual(asked, [{ principal: null, clientId: 'me', address: 'client' }])
})

test('what a broker cannot do is answered with an error, and the connection goes on', async () => {
  const { dial, protocol } = setUp()
  const { client } = dial()
  await assert.rejects(client.call(operation.authenticate), UnsupportedOperationError)
  await assert.rejects(client.call(999_999), UnsupportedOperationError)
  const long = 'x'.repeat(2000)
  const identify = client.call(operation.identify, (writer) => writer.string(long))
  await assert.rejects(identify, InvalidArgumentError)
  await client.call(operation.ping)
  assert.equal(protocol.counters.failures, 3)
})

test('requests take effect in their order, and answers overtake each other', async () => {
  const sends: SendRequest[] = []
  const answers = [deferred<SendPartResult[]>(), deferred<SendPartResult[]>()]
  const { dial } = setUp({
    send: (request) => {
      sends.push(request)
      return answers[sends.length - 1]?.promise as Promise<SendPartResult[]>
    },
  })
  const { client } = dial()
  const ref = await client.resolve('x')
  const first = client.send(ref, [new Uint8Array([1])])
  const second = client.send(ref, [new Uint8Array([2, 2])])
  await settle()
  assert.deepEqual(
    sends.map(({ parts }) => parts[0]?.batch.recordsLength),
    [
      sendPart(1, [new Uint8Array(1)]).batch.recordsLength,
      sendPart(1, [new Uint8Array(2)]).batch.recordsLength,
    ],
  )
  answers[1]?.resolve([{ baseOffset: 11, appendTimestamp: undefined }])
  assert.equal(await second, 11)
  answers[0]?.resolve([{ baseOffset: 10, appendTimestamp: undefined }])
  assert.equal(await first, 10)
})

test('at most so many requests are in flight; the rest waits with the client', async () => {
  const waiting: (() => void)[] = []
  const { dial, budget } = setUp(
    { topicCount: () => new Promise((resolve) => waiting.push(() => resolve(1))) },
    { requestsInFlightMax: 3 },
  )
  const { client, near } = dial()
  const asked = Array.from({ length: 10 }, () => client.ask(operation.topicCount))
  await settle()
  assert.equal(waiting.length, 3)
  assert(near.unsentBytes > 0, 'the transport is paused')
  for (let index = 0; index < 10; index++) {
    waiting[index]?.()
    await settle()
    assert.equal(waiting.length, Math.min(10, index + 4))
  }
  await Promise.all(asked)
  assert.equal(budget.used, 0)
})

test('a connection whose answers are not read takes no further request until they are', async () => {
  const polls: PollRequest[] = []
  const result = pollResult(5000)
  const { dial } = setUp(
    {
      poll: (request) => {
        polls.push(request)
        return Promise.resolve(result)
      },
    },
    { unsentBytesMax: 1000 },
  )
  const { client, near } = dial()
  const ref = await client.resolve('x')
  near.pause()
  const answers = [client.ask(operation.poll, writePoll(ref, 0))]
  await settle()
  for (let count = 0; count < 2; count++) {
    answers.push(client.ask(operation.poll, writePoll(ref, 0)))
    await settle()
  }
  assert.equal(polls.length, 1)
  assert.equal(result.releases, 0)
  near.resume()
  await Promise.all(answers)
  assert.equal(polls.length, 3)
  await settle()
  assert.equal(result.releases, 3)
})

test('a mistake of ours is reported and answered; it ends neither session nor broker', async () => {
  const { dial, reports, protocol } = setUp({
    topicCount: () => Promise.reject(new TypeError('a bug')),
    listTopics: () => {
      throw new RangeError('another bug')
    },
  })
  const { client } = dial()
  for (const number of [operation.topicCount, operation.listTopics]) {
    const { status, reader } = await client.ask(number, (writer) => writer.varint(0))
    const error = native.readErrorDetails(reader, status)
    assert.equal(error.name, 'InternalError')
    assert.doesNotMatch(error.message, /bug/)
  }
  await client.call(operation.ping)
  assert.match(reports.join(), /TypeError: a bug.*RangeError: another bug/s)
  assert.equal(protocol.counters.internalErrors, 2)
})

test('fields that contradict the protocol are answered, then the connection ends', async () => {
  const { dial, protocol, budget } = setUp()
  const bad = dial()
  const good = dial()
  const number = bad.client.call(operation.offsets, (writer) => {
    writer.varint(5)
    writer.varint(0)
  })
  await assert.rejects(number, ProtocolError)
  await bad.client.closed
  await good.client.call(operation.ping)
  assert.equal(protocol.counters.refused, 1)
  assert.equal(protocol.counters.connections, 1)
  assert.equal(budget.used, 0)
})

test('a frame that is too long is refused with its tag', async () => {
  const { dial } = setUp({}, { frameBytesMax: 100 })
  const { client } = dial()
  const answer = client.answer(42)
  client.post(operation.resolve, (writer) => writer.copy(new Uint8Array(200)), 42)
  const { status, reader } = await answer
  assert(native.readErrorDetails(reader, status) instanceof ProtocolError)
  await client.closed
})

test('another version is answered with those spoken; other bytes are refused', async () => {
  for (const [bytes, code] of [
    [[0x4b, 0x53, 0x4b, 9], wireCode(new UnsupportedVersionError(''))],
    [[0x4b, 0x53, 0x4c, 1], wireCode(new ProtocolError(''))],
  ] as const) {
    const { protocol } = setUp()
    const chunks: Uint8Array[] = []
    let isEnded = false
    const receiver = protocol.accept({
      remoteAddress: 'test',
      unsentBytes: 0,
      write: (views) => chunks.push(...views),
      pause: () => {},
      resume: () => {},
      end: () => {
        isEnded = true
      },
      destroy: () => {},
    })
    for (const byte of bytes) receiver.received(new Uint8Array([byte]))
    assert(isEnded)
    const client = new RawClient({ write: () => {}, destroy: () => {} })
    for (const chunk of chunks) client.received(chunk)
    assert.deepEqual(
      client.strays.map(({ tag, status }) => [tag, status]),
      [[0, code]],
    )
  }
})

test('a waiting poll ends with its connection', async () => {
  const signals: (AbortSignal | undefined)[] = []
  const result = deferred<PollResult>()
  const { dial, protocol, budget } = setUp({
    poll: (_request, { signal }) => {
      signals.push(signal)
      return result.promise
    },
  })
  const { client } = dial()
  client.post(operation.poll, writePoll(await client.resolve('x')))
  await settle()
  client.destroy()
  await client.closed
  await settle()
  assert(signals[0]?.reason instanceof ClosedError)
  assert.equal(protocol.counters.connections, 0)
  // The engine was quicker than the signal: what it found is given back all the same.
  const late = pollResult(10)
  result.resolve(late)
  await settle()
  assert.equal(late.releases, 1)
  assert.equal(budget.used, 0)
  assert.equal(protocol.counters.requestsInFlight, 0)
})

test('what a poll found is given back once, also when the client dies before it has it all', async () => {
  const result = pollResult(5000)
  const { dial } = setUp({ poll: () => Promise.resolve(result) })
  const { client, near } = dial()
  const ref = await client.resolve('x')
  near.pause()
  client.post(operation.poll, writePoll(ref))
  await settle()
  assert.equal(result.releases, 0)
  client.destroy()
  await settle()
  assert.equal(result.releases, 1)
})

test('cancel ends the wait of one poll, which is answered with nothing', async () => {
  const { dial } = setUp({
    poll: (_request, { signal }) =>
      new Promise((_resolve, reject) => {
        signal?.addEventListener('abort', () => reject(signal.reason))
      }),
  })
  const { client } = dial()
  const ref = await client.resolve('x')
  const [one, two] = [77, 78].map((tag) => {
    const answer = client.answer(tag)
    client.post(operation.poll, writePoll(ref), tag)
    return answer
  })
  await client.call(operation.cancel, (writer) => writer.varint(77))
  const frame = await one
  assert.equal(frame?.status, native.statusOk)
  assert.deepEqual(native.readPollResponse(frame.reader), { batches: [], failures: [] })
  await client.call(operation.cancel, (writer) => writer.varint(1234))
  await client.call(operation.cancel, (writer) => writer.varint(78))
  await two
})

test('a poll is cut down to what one may wait and take', async () => {
  const polls: PollRequest[] = []
  const { dial } = setUp(
    {
      poll: (request) => {
        polls.push(request)
        return Promise.resolve(nothing)
      },
    },
    { pollBytesMax: 500, pollWaitMsMax: 50 },
  )
  const { client } = dial()
  await client.poll(await client.resolve('x'), 0, 1_000_000, 1_000_000)
  assert.deepEqual(
    polls.map(({ waitMs, bytesMax }) => [waitMs, bytesMax]),
    [[50, 500]],
  )
})

test('the polls of a connection share what one may bring', async () => {
  const polls: PollRequest[] = []
  const results = [deferred<PollResult>(), deferred<PollResult>(), deferred<PollResult>()]
  const { dial } = setUp(
    {
      poll: (request) => {
        polls.push(request)
        return results[polls.length - 1]?.promise ?? Promise.resolve(nothing)
      },
    },
    { pollBytesMax: 500 },
  )
  const { client, near } = dial()
  const ref = await client.resolve('x')
  const asked = [400, 400, 400].map((bytesMax) =>
    client.ask(operation.poll, writePoll(ref, 1, bytesMax)),
  )
  await settle()
  near.pause()
  results[0]?.resolve(pollResult(300))
  await settle()
  asked.push(client.ask(operation.poll, writePoll(ref, 1, 400)))
  await settle()
  near.resume()
  for (const result of results) result.resolve(nothing)
  await Promise.all(asked)
  asked.push(client.ask(operation.poll, writePoll(ref, 1, 400)))
  await asked.at(-1)
  const wishes = polls.map(({ bytesMax }) => bytesMax)
  assert.deepEqual(wishes.slice(0, 3), [400, 100, 1])
  assert(wishes[3] && wishes[3] > 1 && wishes[3] < 100, 'what it has not taken counts')
  assert.equal(wishes[4], 400)
})

test('a topic number belongs to one topic id, and is never given again', async () => {
  let generation = 0
  const { dial } = setUp({
    resolve: (names) =>
      Promise.resolve(
        names.map(({ text }) => (text === 'none' ? undefined : topicOf(text + generation))),
      ),
  })
  const { client } = dial()
  assert.equal(await client.resolve('a'), 1)
  assert.equal(await client.resolve('b'), 2)
  assert.equal(await client.resolve('a'), 1)
  await assert.rejects(client.resolve('none'))
  generation++
  assert.equal(await client.resolve('a'), 3)
})

test('more numbers than the limit are refused', async () => {
  const { dial } = setUp({}, { refsMax: 2 })
  const { client } = dial()
  await client.resolve('a')
  await client.resolve('b')
  await assert.rejects(client.resolve('c'), InvalidArgumentError)
  assert.equal(await client.resolve('a'), 1)
})

test('a connection goes on as the producer that it names, at once', async () => {
  const sends: SendRequest[] = []
  const { dial } = setUp({
    initProducer: () => Promise.resolve({ producerId: 5, producerEpoch: 0 }),
    send: (request) => {
      sends.push(request)
      return Promise.resolve([{ baseOffset: 0, appendTimestamp: undefined }])
    },
  })
  const { client } = dial()
  const ref = await client.resolve('x')
  const part = { ...sendPart(ref, [emptyBytes]), baseSequence: 3 }
  const send = () =>
    client.call(operation.send, (writer) => native.writeSendRequest(writer, [part]))
  await assert.rejects(send(), InvalidArgumentError)
  const given = await client.call(operation.initProducer, (writer) =>
    native.writeProducer(writer, undefined),
  )
  assert.deepEqual(native.readProducer(given), { producerId: 5, producerEpoch: 0 })
  await send()
  client.post(operation.initProducer, (writer) =>
    native.writeProducer(writer, { producerId: 9, producerEpoch: 2 }),
  )
  await send()
  assert.deepEqual(
    sends.map(({ producer }) => producer),
    [
      { producerId: 5, producerEpoch: 0 },
      { producerId: 9, producerEpoch: 2 },
    ],
  )
})

test('lists are bounded, and paid for before they are read', async () => {
  const { dial, budget } = setUp({}, { partsMax: 100 })
  const { client } = dial()
  const ask = (count: number, bytes: number) =>
    client.call(operation.commit, (writer) => {
      writer.string('group')
      writer.varint(count)
      writer.copy(new Uint8Array(bytes))
    })
  await assert.rejects(ask(101, 303), InvalidArgumentError)
  await assert.rejects(ask(50, 40), ProtocolError)
  const { client: other } = dial()
  // All but what is kept for small requests: a list of a hundred is none.
  assert(budget.tryReserve(budget.total - 4 * 1024 * 1024))
  const commit = other.call(operation.commit, (writer) => {
    writer.string('group')
    writer.varint(100)
    writer.copy(new Uint8Array(300))
  })
  await assert.rejects(commit, OverloadedError)
  await other.call(operation.ping)
})

test('the end of a connection gives back all that it held of the budget', async () => {
  const { dial, budget } = setUp({ topicCount: () => new Promise(() => {}) })
  for (const bytes of [1, 100, 70_000, 300_000]) {
    const { client } = dial()
    await client.resolve('x')
    client.post(operation.topicCount, (writer) => writer.copy(new Uint8Array(bytes)))
    client.write(new Uint8Array([0x80, 0x80, 0x40, 1, 2, 3]))
    await settle()
    assert(budget.used >= bytes)
    client.destroy()
    await client.closed
  }
  await settle()
  // The requests that the engine never answers hold theirs.
  assert(budget.used < 2 * 370_101, `${budget.used} bytes`)
})

test('a frame, an answer and the preamble have to make progress', async () => {
  const result = pollResult(5000)
  const { dial, clock, protocol, reports } = setUp({ poll: () => Promise.resolve(result) })
  const { stallMs } = protocol.limits
  // Half of a frame, and then silence.
  const half = dial()
  half.client.write(new Uint8Array([100, 1]))
  // A single byte now and then is no progress for a long frame.
  const drip = dial()
  drip.client.write(new Uint8Array([0x80, 0x80, 4, operation.ping, 1]))
  // A part of the preamble; the pair's own client sends all of it.
  const late = protocol.accept(half.far)
  late.received(preamble.subarray(0, 2))
  // An answer that is not read.
  const stuck = dial()
  const ref = await stuck.client.resolve('x')
  stuck.near.pause()
  stuck.client.post(operation.poll, writePoll(ref))
  // One that does nothing wrong.
  const idle = dial()
  await idle.client.call(operation.ping)
  for (let ms = 0; ms < 2 * stallMs; ms += 500) {
    await clock.advance(500)
    drip.client.write(new Uint8Array(1))
  }
  await Promise.all([half.client.closed, drip.client.closed, stuck.client.closed])
  assert.equal(result.releases, 1)
  assert.equal(protocol.counters.stalled, 4)
  assert.match(reports.join('\n'), /no progress/)
  await idle.client.call(operation.ping)
  // The drip was told, with the tag of its request.
  assert.equal(drip.client.strays[0]?.tag, 1)
})

test('a long frame may take its time while it goes on', async () => {
  const { dial, clock, protocol } = setUp()
  const { client } = dial()
  const length = 1_000_000
  const frame = native.encodeRequest(operation.ping, 5, (w) => w.view(new Uint8Array(length)))
  const answer = client.answer(5)
  client.write(frame[0] as Uint8Array)
  for (let sent = 0; sent < length; sent += 20_000) {
    await clock.advance(protocol.limits.stallMs - 1)
    client.write(new Uint8Array(20_000))
  }
  assert.equal((await answer).status, native.statusOk)
})

test('a silent connection is pinged, and closed when it stays silent', async () => {
  const { dial, clock, protocol } = setUp()
  const { idleMs, pingMs, stallMs } = protocol.limits
  const [dead, alive] = [dial().client, dial().client]
  await clock.advance(idleMs + stallMs)
  for (const client of [dead, alive]) {
    const { tag, status } = await client.stray()
    assert.deepEqual([tag, status], [native.noticeTag, operation.ping])
  }
  await alive.call(operation.ping)
  await clock.advance(pingMs)
  assert.deepEqual([dead.isClosed, alive.isClosed], [true, false])
})

test('a request waits for memory, the others go on, and it is given up in the end', async () => {
  const { dial, clock, budget, protocol, reports } = setUp()
  const large = dial().client
  const small = dial().client
  const blocked = budget.total - 8 * 1024 * 1024
  assert(budget.tryReserve(blocked))
  const bytes = new Uint8Array(10 * 1024 * 1024)
  const answer = large.ask(operation.ping, (writer) => writer.view(bytes))
  await settle()
  await small.call(operation.ping)
  budget.release(blocked)
  assert.equal((await answer).status, native.statusOk)
  await settle()
  assert.equal(budget.used, 0)

  assert(budget.tryReserve(blocked))
  const refused = large.ask(operation.ping, (writer) => writer.view(bytes))
  await clock.advance(4 * protocol.limits.stallMs)
  const { status, reader } = await refused
  assert.equal(native.readErrorDetails(reader, status).name, 'OverloadedError')
  await large.closed
  assert.match(reports.join(), /no memory free/)
  assert.equal(budget.used, blocked)
})

test('closing the protocol answers what is under way, and ends every session', async () => {
  const sent = deferred<SendPartResult[]>()
  const { dial, protocol, budget } = setUp({
    send: () => sent.promise,
    poll: (_request, { signal }) =>
      new Promise((_resolve, reject) => {
        signal?.addEventListener('abort', () => reject(signal.reason))
      }),
  })
  const { client } = dial()
  const ref = await client.resolve('x')
  const send = client.send(ref, [emptyBytes])
  const poll = client.ask(operation.poll, writePoll(ref))
  await settle()
  const closed = protocol.close()
  assert.equal((await poll).status, native.statusOk)
  sent.resolve([{ baseOffset: 4, appendTimestamp: undefined }])
  assert.equal(await send, 4)
  await Promise.all([closed, client.closed])
  assert.equal(protocol.counters.connections, 0)
  const { client: late } = dial()
  await late.closed
  await settle()
  assert.equal(budget.used, 0)
})

test('closing the protocol does not wait for ever', async () => {
  const { dial, protocol, clock } = setUp({ topicCount: () => new Promise(() => {}) })
  const { client } = dial()
  client.post(operation.topicCount)
  await settle()
  const closed = protocol.close()
  await clock.advance(protocol.limits.closeMs)
  await Promise.all([closed, client.closed])
})
