/**
 * What no proper client sends: the connection gets a clear error or is closed, in bounded memory, and
 * the others do not notice.
 */
import assert from 'node:assert/strict'
import { type TestContext, test } from 'node:test'
import { type ChunkWriter, native, RecordsBuilder, writeVarint } from '@kaska/protocol'
import { SeededRandom } from '../../../sim/seeded-random.ts'
import { type NativeBroker, startNativeBroker } from './native-broker.ts'
import { dial, type RawClient, type RawFrame, sendPart } from './raw-client.ts'

const { operation } = native
const mebibyte = 1024 * 1024

interface Setting {
  readonly broker: NativeBroker
  readonly port: number
  /** A client that does nothing wrong, and its topic's number. */
  readonly good: RawClient
  readonly goodRef: number
}

/** Starts a broker and a good client, and looks after the test whether either has taken harm. */
async function withBroker(context: TestContext, limits = {}): Promise<Setting> {
  const broker = await startNativeBroker({ limits })
  const port = await broker.listen()
  const good = await dial(port)
  const goodRef = await good.createTopic('good')
  context.after(async () => {
    good.destroy()
    await broker.close()
  })
  return { broker, port, good, goodRef }
}

/** The others do not notice: the good client's messages come and go, and nothing is left behind. */
async function checkUnharmed({ broker, good, goodRef }: Setting): Promise<void> {
  const offset = await good.send(goodRef, [new Uint8Array(10)])
  assert.equal((await good.poll(goodRef, offset)).batches[0]?.baseOffset, offset)
  while (broker.native.counters.connections > 1) {
    await new Promise((resolve) => setImmediate(resolve))
  }
  assert.equal(broker.native.counters.internalErrors, 0, broker.reports.join('\n'))
  assert.equal(broker.native.counters.requestsInFlight, 0)
  assert(broker.budget.used < mebibyte, `${broker.budget.used} bytes are still in use`)
}

/** What the broker says before it closes the connection. */
async function refusal(client: RawClient): Promise<string> {
  await client.closed
  const frame = client.strays.find(({ status }) => native.isFailure(status))
  return frame === undefined ? '' : errorOf(frame).name
}

function errorOf({ reader, status }: RawFrame): Error {
  assert(native.isFailure(status), 'it is refused')
  return native.readErrorDetails(reader, status)
}

/** Bytes that end the connection, each with the error that is told first. */
const deadly: readonly (readonly [what: string, error: string, bytes: readonly number[]])[] = [
  ['an oversized length', 'ProtocolError', [0xff, 0xff, 0xff, 0xff, 0x7f, 1, 1]],
  ['the length -1 as others write it', 'ProtocolError', [...Array(9).fill(0xff), 1, 1, 1]],
  ['an overlong length', 'ProtocolError', [0x83, ...Array(9).fill(0x80), 0]],
  ['an empty frame', 'ProtocolError', [0]],
  ['a frame without a tag', 'ProtocolError', [1, 1]],
  ['the tag 0', 'ProtocolError', [2, 1, 0]],
  ['an operation that ends in the middle', 'ProtocolError', [2, 0x8b, 0x80]],
]

for (const [what, error, bytes] of deadly) {
  test(`${what} closes the connection with an error`, async (context) => {
    const setting = await withBroker(context)
    const client = await dial(setting.port)
    client.write(Uint8Array.from(bytes))
    assert.equal(await refusal(client), error)
    await checkUnharmed(setting)
  })
}

test('a preamble that is none, or of another version, is refused', async (context) => {
  const setting = await withBroker(context)
  for (const [text, error] of [
    ['GET / HTTP/1.1\r\n\r\n', ''],
    ['KAFKA', 'ProtocolError'],
    ['KSK\x02....', 'UnsupportedVersionError'],
  ] as const) {
    const client = await dial(setting.port, { preamble: false })
    client.write(new TextEncoder().encode(text))
    assert.equal(await refusal(client), error, text)
  }
  await checkUnharmed(setting)
})

/** Requests that are answered with an error; a ProtocolError also ends the connection. */
const refused: readonly (readonly [
  what: string,
  error: string,
  operationNumber: number,
  write: (writer: ChunkWriter) => void,
])[] = [
  ['an unknown operation', 'UnsupportedOperationError', 77, () => {}],
  ['fields that are missing', 'ProtocolError', operation.offsets, () => {}],
  [
    'invalid UTF-8 in a name',
    'InvalidTopicError',
    operation.deleteTopic,
    (w) => field(w, [0xc0, 0x80]),
  ],
  [
    'half a character in a name',
    'InvalidTopicError',
    operation.deleteTopic,
    (w) => field(w, [0xe2, 0x82]),
  ],
  [
    'a surrogate in a name',
    'InvalidTopicError',
    operation.deleteTopic,
    (w) => field(w, [0xed, 0xa0, 0x80]),
  ],
  ['a NUL in a name', 'InvalidTopicError', operation.deleteTopic, (w) => field(w, [65, 0, 66])],
  ['an empty name', 'InvalidTopicError', operation.deleteTopic, (w) => field(w, [])],
  [
    'a name of 65,535 bytes',
    'InvalidTopicError',
    operation.deleteTopic,
    (w) => field(w, Array(65_535).fill(65)),
  ],
  ['a name longer than its frame', 'ProtocolError', operation.deleteTopic, (w) => w.varint(1000)],
  ['invalid UTF-8 in a client id', 'ProtocolError', operation.identify, (w) => field(w, [0xff])],
  [
    'a list that cannot be so long',
    'ProtocolError',
    operation.resolve,
    (w) => w.varint(2 ** 53 - 1),
  ],
  [
    'a list that is longer than allowed',
    'InvalidArgumentError',
    operation.poll,
    (w) => {
      for (const value of [0, 1000, 100_001]) w.varint(value)
      w.copy(new Uint8Array(300_003))
    },
  ],
  [
    'a topic number that was not given',
    'ProtocolError',
    operation.offsets,
    (w) => {
      for (const value of [2, 0]) w.varint(value)
    },
  ],
  ['no partitions', 'InvalidArgumentError', operation.createTopic, (w) => createTopic(w, 0)],
  [
    'too many partitions',
    'InvalidArgumentError',
    operation.createTopic,
    (w) => createTopic(w, 2 ** 50),
  ],
  [
    'a setting that does not exist',
    'InvalidArgumentError',
    operation.createTopic,
    (w) => createTopic(w, 1, 'no.such'),
  ],
  [
    'an offset beyond the end',
    'OffsetOutOfRangeError',
    operation.messageSize,
    (w) => {
      for (const value of [1, 0, 2 ** 53 - 1]) w.varint(value)
    },
  ],
  [
    'a partition that there is not',
    'UnknownPartitionError',
    operation.offsets,
    (w) => {
      for (const value of [1, 2 ** 40]) w.varint(value)
    },
  ],
  [
    'a producer epoch that is too large',
    'ProtocolError',
    operation.initProducer,
    (w) => {
      for (const value of [5, 0x8000]) w.varint(value)
    },
  ],
]

function field(writer: ChunkWriter, bytes: readonly number[]): void {
  writer.varint(bytes.length)
  writer.copy(Uint8Array.from(bytes))
}

function createTopic(writer: ChunkWriter, partitions: number, setting?: string): void {
  writer.copy(new Uint8Array(16))
  writer.varint(partitions)
  writer.varint(setting === undefined ? 0 : 1)
  if (setting !== undefined) {
    writer.string(setting)
    writer.string('1')
  }
  writer.string('x')
}

test('requests that make no sense are answered with what is wrong', async (context) => {
  const setting = await withBroker(context)
  for (const [what, name, operationNumber, write] of refused) {
    const client = await dial(setting.port)
    await client.resolve('good')
    assert.equal(errorOf(await client.ask(operationNumber, write)).name, name, what)
    if (name === 'ProtocolError') await client.closed
    else await client.call(operation.ping)
    client.destroy()
  }
  await checkUnharmed(setting)
})

/** Batches whose counts and lengths are wrong. */
test('a batch that contradicts itself is refused, and nothing of it is stored', async (context) => {
  const setting = await withBroker(context)
  const { good, goodRef, port } = setting
  const sound = sendPart(goodRef, [new Uint8Array(50), new Uint8Array(60)])
  const { batch } = sound
  const records = Uint8Array.from(Buffer.concat(batch.records))
  const changed = (place: number, byte: number) => {
    const bytes = records.slice()
    bytes[place] = byte
    return { ...batch, records: [bytes] }
  }
  const builder = new RecordsBuilder()
  builder.append({ key: null, value: null, headers: [], timestamp: 0 })
  const wrong: readonly (readonly [what: string, batch: typeof batch])[] = [
    ['more records than there are', { ...batch, recordCount: 3 }],
    ['fewer records than there are', { ...batch, recordCount: 1 }],
    ['no records', { ...batch, recordCount: 0 }],
    ['a count beyond all bounds', { ...batch, recordCount: 2 ** 53 - 1 }],
    ['a record that is longer than the batch', changed(0, 0x7f)],
    ['a record of negative length', changed(0, 1)],
    ['a record that is shorter than its fields', changed(0, 10)],
    ['a wrong offset in the batch', changed(3 + 0, 8)],
    ['a value longer than its record', changed(5, 0x7e)],
    ['a control batch', { ...batch, attributes: 0x20 }],
    ['a transaction', { ...batch, attributes: 0x10 }],
    ['a compression that there is not', { ...batch, attributes: 7 }],
    ['bytes that no codec expands', { ...batch, attributes: 1 }],
    [
      'trailing bytes',
      { ...batch, records: [records, new Uint8Array(9)], recordsLength: batch.recordsLength + 9 },
    ],
    ['nothing at all', { ...batch, records: [], recordsLength: 0 }],
  ]
  for (const [what, bad] of wrong) {
    const client = await dial(port)
    const ref = await client.resolve('good')
    const answer = await client.ask(operation.send, (writer) =>
      native.writeSendRequest(writer, [{ ...sound, ref, batch: bad }]),
    )
    if (native.isFailure(answer.status)) {
      errorOf(answer)
    } else {
      const [result] = native.readSendResponse(
        answer.reader,
        1,
        answer.status,
        native.readErrorDetails,
      )
      assert.match(`${result?.error?.name}`, /Invalid|Unsupported/, what)
    }
    client.destroy()
  }
  assert.equal(await good.send(goodRef, [new Uint8Array(1)]), 0, 'nothing was stored')
  await checkUnharmed(setting)
})

test('half a frame and then silence, and a frame in drops, close the connection', async (context) => {
  const setting = await withBroker(context, { stallMs: 200 })
  const [silent, preambleOnly, drops] = [
    await dial(setting.port),
    await dial(setting.port, { preamble: false }),
    await dial(setting.port),
  ]
  const frame = Buffer.concat(
    native.encodeRequest(operation.send, 1, (w) => w.view(new Uint8Array(10 * mebibyte))),
  )
  silent.write(frame.subarray(0, 5 * mebibyte))
  preambleOnly.write(new Uint8Array([0x4b, 0x53]))
  drops.write(frame.subarray(0, 10))
  const timer = setInterval(() => drops.write(frame.subarray(10, 11)), 20)
  const errors = await Promise.all([silent, preambleOnly, drops].map(refusal))
  clearInterval(timer)
  // Nothing was wrong with what came: the same may be sent again.
  assert.deepEqual(errors, ['OverloadedError', 'OverloadedError', 'OverloadedError'])
  assert.equal(setting.broker.native.counters.stalled, 3)
  await checkUnharmed(setting)
})

test('a truncated frame ends with its connection, and takes no effect', async (context) => {
  const setting = await withBroker(context)
  const { good, goodRef, port } = setting
  const frame = Buffer.concat(
    native.encodeRequest(operation.send, 1, (w) =>
      native.writeSendRequest(w, [sendPart(1, [new Uint8Array(100_000)])]),
    ),
  )
  for (const length of [1, 5, 100, 50_000, frame.length - 1]) {
    const client = await dial(port)
    await client.resolve('good')
    client.write(frame.subarray(0, length))
    await good.call(operation.ping)
    client.destroy()
  }
  assert.equal(await good.send(goodRef, [new Uint8Array(1)]), 0)
  await checkUnharmed(setting)
})

test('random bytes, and sound frames with random bytes changed, harm nobody', async (context) => {
  const setting = await withBroker(context, { stallMs: 200, closeMs: 50 })
  const { port } = setting
  const random = new SeededRandom(11)
  const byte = () => random.bytes(1)[0] as number
  const sound = [
    native.encodeRequest(operation.identify, 1, (w) => w.string('somebody')),
    native.encodeRequest(operation.resolve, 2, (w) => {
      w.varint(1)
      w.string('good')
    }),
    native.encodeRequest(operation.send, 3, (w) =>
      native.writeSendRequest(w, [sendPart(1, [new Uint8Array(30)])]),
    ),
    native.encodeRequest(operation.poll, 4, (w) =>
      native.writePollRequest(w, {
        waitMs: 10,
        bytesMax: 1000,
        parts: [{ ref: 1, partition: 0, offset: 0 }],
      }),
    ),
    native.encodeRequest(operation.commit, 5, (w) => {
      w.string('group')
      native.writeCommitEntries(w, [{ ref: 1, partition: 0, offset: 1 }])
    }),
    native.encodeRequest(operation.listTopics, 6, (w) => w.varint(0)),
  ].flat()
  const bytes = Uint8Array.from(Buffer.concat(sound))
  const clients: RawClient[] = []
  for (let round = 0; round < 300; round++) {
    const client = await dial(port)
    clients.push(client)
    if (round % 3 === 0) {
      client.write(random.bytes(1 + byte() * 4))
      continue
    }
    const changed = bytes.slice()
    for (let count = 0; count < 1 + (round % 4); count++) {
      changed[Math.floor((byte() / 256) * changed.length)] = byte()
    }
    client.write(changed)
  }
  await setting.good.call(operation.ping)
  // Those that took it for a whole conversation are still there.
  for (const client of clients) client.destroy()
  await Promise.all(clients.map((client) => client.closed))
  while (setting.broker.native.counters.connections > 1) {
    await new Promise((resolve) => setImmediate(resolve))
  }
  assert.equal(setting.broker.native.counters.internalErrors, 0, setting.broker.reports.join('\n'))
})

test('lengths that lie at every place of a frame harm nobody', async (context) => {
  const setting = await withBroker(context, { stallMs: 200, closeMs: 50 })
  const frame = Uint8Array.from(
    Buffer.concat(
      native.encodeRequest(operation.createTopic, 1, (w) => createTopic(w, 1, 'max.message.bytes')),
    ),
  )
  const huge = new Uint8Array(8)
  const hugeLength = writeVarint(huge, 0, 2 ** 53 - 1)
  const clients: RawClient[] = []
  for (let place = 1; place < frame.length; place++) {
    const client = await dial(setting.port)
    clients.push(client)
    const length = frame.length - 2 + hugeLength
    client.write(
      new Uint8Array([length]),
      frame.subarray(1, place),
      huge.subarray(0, hugeLength),
      frame.subarray(place + 1),
    )
    client.post(operation.ping)
  }
  await setting.good.call(operation.ping)
  for (const client of clients) client.destroy()
  await Promise.all(clients.map((client) => client.closed))
  await checkUnharmed(setting)
})
