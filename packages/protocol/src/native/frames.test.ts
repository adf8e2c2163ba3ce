import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import fc from 'fast-check'
import { splitAt } from '../../test/split-bytes.ts'
import { ChunkReader, ChunkWriter, joinChunks } from '../bytes.ts'
import type { SendPartResult } from '../engine.ts'
import {
  errorTable,
  InternalError,
  InvalidTopicError,
  KaskaError,
  LogTruncatedError,
  OffsetOutOfRangeError,
  ProtocolError,
  UnsupportedVersionError,
} from '../errors.ts'
import { logAppendTimeBit } from '../record-batch.ts'
import { noTopicId, topicIdOf } from '../topic-id.ts'
import { topicNameOf } from '../topic-name.ts'
import * as native from './index.ts'

const offsetMax = Number.MAX_SAFE_INTEGER - 1
const varint = fc.oneof(fc.nat(200), fc.maxSafeNat())
const offset = fc.oneof(fc.nat(200), fc.nat(offsetMax))
const partition = fc.oneof(fc.constant(0), fc.nat(10_000))
const timestamp = fc.integer({ min: -(2 ** 52), max: 2 ** 52 - 1 })
const text = fc.string({ unit: 'binary', maxLength: 50 })
const bytes = fc.uint8Array({ maxLength: 60 })
const topicId = fc.uint8Array({ minLength: 16, maxLength: 16 }).map(topicIdOf)
const name = fc
  .string({ unit: 'binary', minLength: 1, maxLength: 40 })
  .filter((value) => !value.includes('\0'))
const cuts = fc.array(fc.nat(), { maxLength: 6 })
const error = fc.oneof(
  fc
    .tuple(fc.constantFrom(...errorTable.filter(({ wire }) => wire !== 0)), text)
    .filter(([entry]) => entry.errorName !== 'OffsetOutOfRangeError')
    .filter(([entry]) => entry.errorName !== 'LogTruncatedError')
    .map(([entry, message]) => {
      const create = entry as unknown as new (message: string) => KaskaError
      return new create(message)
    }),
  fc
    .tuple(text, varint, varint)
    .map(
      ([message, startOffset, endOffset]) =>
        new OffsetOutOfRangeError(message, { startOffset, endOffset }),
    ),
  fc
    .tuple(text, varint)
    .map(([message, endOffset]) => new LogTruncatedError(message, { endOffset })),
)

const recordCount = fc.oneof(fc.constant(1), fc.integer({ min: 1, max: 2 ** 31 - 1 }))

const sendPart: fc.Arbitrary<native.SendPartFrame> = fc
  .tuple(varint, partition, fc.integer({ min: -1 }), fc.nat(0x3f), timestamp, recordCount, bytes)
  .map(([ref, partition, baseSequence, attributes, baseTimestamp, recordCount, records]) => ({
    ref,
    partition,
    baseSequence,
    batch: {
      attributes,
      baseTimestamp,
      maxTimestamp: -1,
      recordCount,
      lastOffsetDelta: recordCount - 1,
      records: records.length === 0 ? [] : [records],
      recordsLength: records.length,
    },
  }))

const polledBatch = fc
  .tuple(sendPart, offset, fc.nat(2 ** 31 - 1), fc.oneof(fc.constant(0), fc.nat(1000)))
  .map(
    ([{ ref, partition, batch }, baseOffset, leaderEpoch, gap]): native.PolledBatchFrame => ({
      ref,
      partition,
      baseOffset,
      leaderEpoch,
      ...batch,
      maxTimestamp: batch.attributes & logAppendTimeBit ? batch.baseTimestamp : -1,
      recordCount: Math.min(batch.recordCount, 2 ** 31 - 1001),
      lastOffsetDelta: Math.min(batch.recordCount, 2 ** 31 - 1001) - 1 + gap,
    }),
  )

const sendResult: fc.Arbitrary<SendPartResult> = fc.oneof(
  fc.record(
    { baseOffset: offset, appendTimestamp: fc.option(timestamp, { nil: undefined }) },
    { noNullPrototype: true },
  ),
  error.map((failure) => ({ error: failure })),
)

/** Fields of a frame: how they are written and read, and values that they can carry. */
interface Fields<T> {
  readonly values: fc.Arbitrary<T>
  write(writer: ChunkWriter, value: T): void
  read(reader: ChunkReader): T
  /** Part of the field is left out at the end of a frame: what is added later stands behind it. */
  readonly more?: (value: T) => number[]
}

const fieldsByName = {
  identify: fields({ values: text, write: native.writeIdentify, read: native.readIdentify }),
  'answer to identify': fields({
    values: record({
      software: text,
      clusterId: text,
      frameBytesMax: varint,
      capabilities: record({
        kind: fc.constantFrom('native' as const, 'kafka' as const),
        retriesSurviveCrash: fc.boolean(),
      }),
    }),
    write: native.writeBrokerIdentity,
    read: native.readBrokerIdentity,
  }),
  'topic name': fields({
    values: name,
    write: (writer, value) => native.writeTopicName(writer, topicNameOf(value)),
    read: (reader) => native.readTopicName(reader).text,
  }),
  createTopic: fields({
    values: record({
      name,
      partitions: varint,
      config: fc.dictionary(text, text).map((settings) => Object.entries(settings)),
      id: fc.option(topicId, { nil: undefined }),
    }),
    write: (writer, { name, partitions, config, id }) => {
      const request = { name: topicNameOf(name), partitions, config: new Map(config) }
      native.writeCreateTopic(writer, id === undefined ? request : { ...request, id })
    },
    read: (reader) => {
      const { name, partitions, config, id } = native.readCreateTopic(reader)
      return { name: name.text, partitions, config: [...config], id }
    },
  }),
  'answer to createTopic': fields({
    values: record({ id: topicId, partitions: varint, name }),
    write: native.writeTopicInfo,
    read: native.readTopicInfo,
  }),
  'answer to listTopics': fields({
    values: record({
      next: fc.option(offset, { nil: undefined }),
      topics: fc.array(record({ id: topicId, partitions: varint, name })),
    }),
    write: native.writeTopicPage,
    read: (reader) => {
      const { next, topics } = native.readTopicPage(reader)
      return { next, topics: [...topics] }
    },
  }),
  resolve: fields({
    values: fc.array(name),
    write: (writer, names) => native.writeResolveRequest(writer, names.map(topicNameOf)),
    read: (reader) => native.readResolveRequest(reader).map(({ text }) => text),
  }),
  'answer to resolve': fields({
    values: fc.array(
      fc.option(record({ ref: varint.filter((ref) => ref > 0), id: topicId, partitions: varint }), {
        nil: undefined,
      }),
      { minLength: 3, maxLength: 3 },
    ),
    write: native.writeResolveResponse,
    read: (reader) => native.readResolveResponse(reader, 3),
  }),
  'settings of describeTopic': fields({
    values: fc.array(record({ name: text, value: text, isDefault: fc.boolean() })),
    write: native.writeConfigEntries,
    read: native.readConfigEntries,
  }),
  initProducer: fields({
    values: fc.option(record({ producerId: offset, producerEpoch: fc.nat(0x7fff) }), {
      nil: undefined,
    }),
    write: native.writeProducer,
    read: native.readProducer,
  }),
  send: fields({
    values: fc.array(sendPart, { maxLength: 4 }),
    write: native.writeSendRequest,
    read: native.readSendRequest,
  }),
  'answer to send': fields({
    values: fc.array(sendResult, { minLength: 2, maxLength: 2 }),
    write: (writer, results) => {
      const status = native.sendStatus(results)
      writer.varint(status)
      native.writeSendResponse(writer, results, status)
    },
    read: (reader) => {
      const status = reader.varint()
      if (status > native.statusDetailed) throw new ProtocolError('not a status of this answer')
      return native.readSendResponse(reader, 2, status, native.readErrorDetails)
    },
  }),
  poll: fields({
    values: record({
      waitMs: varint,
      bytesMax: varint,
      parts: fc.array(
        fc
          .tuple(varint, partition, offset, fc.option(varint, { nil: undefined }))
          .map(([ref, partition, offset, lastEpoch]) =>
            lastEpoch === undefined
              ? { ref, partition, offset }
              : { ref, partition, offset, lastEpoch },
          ),
      ),
    }),
    write: native.writePollRequest,
    read: (reader) => {
      const { waitMs, bytesMax, parts } = native.readPollRequest(reader)
      return { waitMs, bytesMax, parts: [...parts] }
    },
  }),
  'answer to poll': fields({
    values: record({
      batches: fc.array(polledBatch, { maxLength: 4 }),
      failures: fc.array(record({ ref: varint, partition, error }), { maxLength: 3 }),
    }),
    write: (writer, { batches, failures }) => {
      const polled = batches.map((batch) => ({ ...batch, topic: noTopicId }))
      const refs = new Map(polled.map((batch, index) => [batch, batches[index]?.ref]))
      native.writePollResponse(writer, polled, failures, (batch) => refs.get(batch as never) ?? 0)
    },
    read: native.readPollResponse,
    more: ({ failures }) => (failures.length === 0 ? [0] : []),
  }),
  partition: fields({
    values: record({ ref: varint, partition }),
    write: native.writePartition,
    read: native.readPartition,
  }),
  'answer to offsets': fields({
    values: record({ startOffset: offset, endOffset: offset }),
    write: native.writeOffsetBounds,
    read: native.readOffsetBounds,
  }),
  'optional offset': fields({
    values: fc.option(offset, { nil: undefined }),
    write: native.writeOptionalOffset,
    read: native.readOptionalOffset,
  }),
  'entries of commit': fields({
    values: fc.array(record({ ref: varint, partition, offset })),
    write: native.writeCommitEntries,
    read: native.readCommitEntries,
  }),
  error: fields({ values: error, write: native.writeError, read: native.readError }),
}

for (const [title, codec] of Object.entries(fieldsByName)) {
  describe(title, () => {
    const { values, write, read, more } = codec as unknown as Fields<unknown>

    test('any value goes round, in any split, whatever follows', () => {
      fc.assert(
        fc.property(values, cuts, bytes, (value, at, added) => {
          const writer = new ChunkWriter()
          write(writer, value)
          const written = joinChunks(writer.finish())
          const reader = new ChunkReader(splitAt(written, at))
          assert.deepEqual(plain(read(reader)), plain(value))
          assert.equal(reader.remaining, 0, 'all of it was read')

          const later = joinChunks([written, Uint8Array.from(more?.(value) ?? []), added])
          assert.deepEqual(plain(read(new ChunkReader(splitAt(later, at)))), plain(value))
        }),
      )
    })

    test('any bytes give a value or a typed error', () => {
      const small = fc.array(fc.nat(20), { maxLength: 60 }).map((list) => Uint8Array.from(list))
      fc.assert(
        fc.property(fc.oneof(bytes, small), cuts, (input, at) => readOrRefuse(read, input, at)),
        { numRuns: 500 },
      )
    })

    test('a changed byte or a cut gives a value or a typed error', () => {
      const changes = fc.tuple(fc.nat(), fc.nat(255), fc.boolean())
      fc.assert(
        fc.property(values, changes, cuts, (value, [at, byte, cut], pieces) => {
          const writer = new ChunkWriter()
          write(writer, value)
          const changed = joinChunks(writer.finish()).slice()
          const position = at % (changed.length + 1)
          if (position < changed.length) changed[position] = byte
          readOrRefuse(read, cut ? changed.subarray(0, position) : changed, pieces)
        }),
        { numRuns: 300 },
      )
    })
  })
}

describe('frames', () => {
  test('a request: length, operation, tag, fields', () => {
    const chunks = native.encodeRequest(native.operation.messageSize, 300, (writer) =>
      writer.varint(7),
    )
    assert.equal(chunks.length, 1)
    assert.deepEqual([...joinChunks(chunks)], [4, 13, 0xac, 0x02, 7])
    const reader = new ChunkReader(chunks)
    assert.equal(reader.varint(), reader.remaining)
    assert.deepEqual(native.decodeRequestHead(reader), { operation: 13, tag: 300 })
    assert.equal(reader.varint(), 7)
  })

  test('a request without fields, and one whose tag is that of a notice', () => {
    assert.deepEqual([...joinChunks(native.encodeRequest(native.operation.ping, 1))], [2, 1, 1])
    const notice = new ChunkReader([Uint8Array.of(1, 0)])
    assert.throws(() => native.decodeRequestHead(notice), ProtocolError)
  })

  test('a response, a notice, the magic', () => {
    const response = native.encodeResponse(5, (writer) => writer.string('ok'))
    assert.deepEqual([...joinChunks(response)], [5, 5, 0, 2, 0x6f, 0x6b])
    const detailed = native.encodeResponse(5, undefined, native.statusDetailed)
    assert.deepEqual([...joinChunks(detailed)], [2, 5, 1])
    assert.deepEqual([...joinChunks(native.encodeNotice(native.operation.ping))], [2, 0, 1])
    assert.deepEqual([...native.magic], [...new TextEncoder().encode('KSK')])
    assert.ok(!native.isFailure(0) && !native.isFailure(1) && native.isFailure(2))
  })

  test('any frame: the length counts what follows it, and large fields are views', () => {
    const parts = fc.array(fc.uint8Array({ maxLength: 3000 }), { maxLength: 5 })
    fc.assert(
      fc.property(fc.nat(1000), varint, parts, fc.boolean(), (operation, tag, views, number) => {
        const chunks = native.encodeRequest(operation, tag, (writer) => {
          for (const view of views) {
            if (number) writer.varint(view.length)
            writer.view(view)
          }
        })
        const reader = new ChunkReader(chunks)
        const length = reader.varint()
        assert.equal(length, reader.remaining)
        assert.equal(reader.varint(), operation)
        assert.equal(reader.varint(), tag)
        for (const view of views) {
          if (number) assert.equal(reader.varint(), view.length)
          assert.deepEqual(reader.bytes(view.length), view)
          if (view.length > 0) assert.ok(chunks.includes(view), 'by identity')
        }
        assert.equal(reader.remaining, 0)
      }),
    )
  })

  test('a failure: the error of that class, with its text and its bounds', () => {
    fc.assert(
      fc.property(error, (failure) => {
        const reader = new ChunkReader(native.encodeFailure(9, failure))
        assert.equal(reader.varint(), reader.remaining)
        const head = native.decodeResponseHead(reader)
        assert.equal(head.tag, 9)
        assert.ok(native.isFailure(head.status))
        const decoded = native.readErrorDetails(reader, head.status)
        assert.deepEqual(plain(decoded), plain(failure))
        assert.equal(reader.remaining, 0)
      }),
    )
  })

  test("the text of a bug, which may hold anything, stays in the broker's log", () => {
    const reader = new ChunkReader(native.encodeFailure(9, new TypeError('secret')))
    reader.varint()
    const head = native.decodeResponseHead(reader)
    const decoded = native.readErrorDetails(reader, head.status)
    assert.ok(decoded instanceof InternalError)
    assert.doesNotMatch(decoded.message, /secret/)
  })

  test('an error of a later version is an InternalError that names its number', () => {
    const writer = new ChunkWriter()
    writer.varint(999)
    writer.string('from the future')
    writer.varint(1)
    writer.varint(4)
    const decoded = native.readError(new ChunkReader(writer.finish()))
    assert.ok(decoded instanceof InternalError)
    assert.equal(decoded.message, 'error 999: from the future')
  })

  test('an unknown version is answered with those spoken', () => {
    const reader = new ChunkReader(native.encodeVersionRefusal([1, 2]))
    assert.equal(reader.varint(), reader.remaining)
    assert.deepEqual(native.decodeResponseHead(reader), { tag: 0, status: 3 })
    const decoded = native.readErrorDetails(reader, 3)
    assert.ok(decoded instanceof UnsupportedVersionError)
    assert.match(decoded.message, /version 1, 2/)
    assert.equal(reader.remaining, 0)
  })

  test('a list that claims more than there is builds nothing', () => {
    const writer = new ChunkWriter()
    writer.varint(2 ** 40)
    const chunks = writer.finish()
    for (const read of [
      native.readSendRequest,
      native.readCommitEntries,
      native.readPollResponse,
    ]) {
      assert.throws(() => read(new ChunkReader(chunks)), /claims 1099511627776 entries in 0 bytes/)
    }
  })

  test('operations have numbers of their own, which stay as they are', () => {
    assert.deepEqual(native.operation, {
      ping: 1,
      authenticate: 2,
      identify: 3,
      createTopic: 4,
      deleteTopic: 5,
      listTopics: 6,
      topicCount: 7,
      resolve: 8,
      describeTopic: 9,
      initProducer: 10,
      send: 11,
      poll: 12,
      messageSize: 13,
      offsets: 14,
      offsetAt: 15,
      commit: 16,
      committed: 17,
      cancel: 18,
    })
  })
})

describe('overhead (contract 13)', () => {
  const now = 1_800_000_000_000
  const one = { attributes: 0, baseTimestamp: now, maxTimestamp: -1, recordCount: 1 }
  const value = new Uint8Array(100)
  // length, attributes, timestamp delta, offset delta, key, value's length (2 bytes), headers
  const record = Uint8Array.of(0xd8, 0x01, 0, 0, 0, 1, 0xc8, 0x01, ...value, 0)
  const batch = { ...one, lastOffsetDelta: 0, records: [record], recordsLength: record.length }

  test('a small message costs at most 28 bytes to send, and to receive', () => {
    const part = { ref: 100, partition: 0, baseSequence: 2 ** 27, batch }
    const request = native.encodeRequest(native.operation.send, 100, (writer) =>
      native.writeSendRequest(writer, [part]),
    )
    const sent = joinChunks(request).length - value.length
    assert.ok(sent <= 28, `${sent} bytes to send`)
    const polled = { ...batch, topic: noTopicId, partition: 0, baseOffset: 2 ** 27, leaderEpoch: 9 }
    const answer = native.encodeResponse(100, (writer) =>
      native.writePollResponse(writer, [polled], [], () => 100),
    )
    const received = joinChunks(answer).length - value.length
    assert.ok(received <= 28, `${received} bytes to receive`)
  })
})

function fields<T>(codec: Fields<T>): Fields<T> {
  return codec
}

/** `fc.record` with ordinary objects, which `deepEqual` compares with ours. */
function record<T>(model: { [Key in keyof T]: fc.Arbitrary<T[Key]> }): fc.Arbitrary<T> {
  return fc.record(model, { noNullPrototype: true }) as fc.Arbitrary<T>
}

/** Errors as what the wire carries of them, lists of views as their bytes. */
function plain(value: unknown): unknown {
  if (value instanceof KaskaError) {
    const { name, code, message } = value
    const bounds =
      value instanceof OffsetOutOfRangeError
        ? [value.startOffset, value.endOffset]
        : value instanceof LogTruncatedError
          ? [value.endOffset]
          : []
    return { name, code, message, bounds }
  }
  if (value instanceof Uint8Array) return [...value]
  if (Array.isArray(value)) {
    const views = value.length > 0 && value.every((item) => item instanceof Uint8Array)
    return views ? [...joinChunks(value)] : value.map(plain)
  }
  if (typeof value !== 'object' || value === null) return value
  return Object.fromEntries(Object.entries(value).map(([key, item]) => [key, plain(item)]))
}

function readOrRefuse(
  read: (reader: ChunkReader) => unknown,
  input: Uint8Array,
  at: readonly number[],
): void {
  const outcome = (chunks: readonly Uint8Array[]): unknown => {
    try {
      return plain(read(new ChunkReader(chunks)))
    } catch (refusal) {
      const typed = refusal instanceof ProtocolError || refusal instanceof InvalidTopicError
      assert.ok(typed, String(refusal))
      return refusal.code
    }
  }
  assert.deepEqual(outcome(splitAt(input, at)), outcome([input]), 'the split does not matter')
}
