import assert from 'node:assert/strict'
import { test } from 'node:test'
import fc from 'fast-check'
import { splitAt } from '../../test/split-bytes.ts'
import { ChunkReader, type Chunks, ChunkWriter, joinChunks } from '../bytes.ts'
import { ProtocolError } from '../errors.ts'
import { topicIdOf } from '../topic-id.ts'
import {
  ElementsEncoder,
  fetchRequest,
  messages,
  metadataRequest,
  metadataResponse,
  produceRequest,
  produceResponse,
} from './index.ts'
import {
  array,
  bytes,
  type Fields,
  int8,
  int32,
  list,
  type Message,
  message,
  string,
  struct,
} from './schema.ts'
import { inRange } from './versions.ts'

const utf8 = (text: string) => new TextEncoder().encode(text)
const cuts = fc.array(fc.nat(), { maxLength: 6 })

const texts = fc.oneof(
  fc.string({ maxLength: 10 }),
  fc.string({ unit: 'grapheme', maxLength: 80 }).filter((text) => text.isWellFormed()),
)
const byteArrays = fc.uint8Array({ maxLength: 20 })
const primitives: Readonly<Record<string, fc.Arbitrary<unknown>>> = {
  bool: fc.boolean(),
  int8: fc.integer({ min: -0x80, max: 0x7f }),
  int16: fc.integer({ min: -0x8000, max: 0x7fff }),
  int32: fc.integer(),
  int64: fc.oneof(fc.maxSafeInteger(), fc.constantFrom(-1, 0, 2 ** 63)),
  uuid: fc.uint8Array({ minLength: 16, maxLength: 16 }).map(topicIdOf),
  string: texts,
  bytes: byteArrays,
  records: byteArrays.map((value) => (value.length === 0 ? [] : [value])),
}

/** Values of the fields that the version has; the others have their defaults. */
function valuesOf(fields: Fields, version: number): fc.Arbitrary<Record<string, unknown>> {
  const values: Record<string, fc.Arbitrary<unknown>> = {}
  for (const [name, field] of Object.entries(fields)) {
    if (!inRange(field.versions, version)) {
      values[name] = fc.constant(field.default)
      continue
    }
    const element = field.type.name.replace(/^\[\]/, '')
    const one =
      field.type.fields === undefined ? primitives[element] : valuesOf(field.type.fields, version)
    assert.ok(one, `a type of ${element}`)
    const value = field.type.name.startsWith('[]') ? fc.array(one, { maxLength: 3 }) : one
    values[name] = inRange(field.nullable, version) ? fc.option(value, { freq: 4 }) : value
  }
  return fc.record(values)
}

const versionsOf = ({ versions: { min, max } }: Message<Fields>) =>
  Array.from({ length: max - min + 1 }, (_, index) => min + index)

const anyMessage = fc
  .constantFrom(...messages)
  .chain((one) =>
    fc.record({ one: fc.constant(one), version: fc.constantFrom(...versionsOf(one)) }),
  )

function encode<F extends Fields>(one: Message<F>, value: object, version: number): Chunks {
  const writer = new ChunkWriter()
  one.write(writer, value, version)
  return writer.finish()
}

/** The value and its bytes, joined where they are views, since a comparison sees how they are cut. */
function joined(value: unknown): unknown {
  if (value instanceof Uint8Array) return [...value]
  if (!Array.isArray(value)) {
    if (typeof value !== 'object' || value === null) return value
    return Object.fromEntries(Object.entries(value).map(([name, part]) => [name, joined(part)]))
  }
  if (value.length > 0 && value.every((part) => part instanceof Uint8Array)) {
    return [[...joinChunks(value)]]
  }
  return value.map(joined)
}

test('every message in every version reads as it was written, however its bytes are cut', () => {
  for (const one of messages) {
    for (const version of versionsOf(one)) {
      fc.assert(
        fc.property(valuesOf(one.fields, version), cuts, (value, at) => {
          const written = joinChunks(encode(one, value, version))
          const reader = new ChunkReader(splitAt(written, at))
          assert.deepEqual(joined(one.read(reader, version)), joined(value))
          assert.equal(reader.remaining, 0)
        }),
        { numRuns: 4 },
      )
    }
  }
})

test('what is left out is written as its default', () => {
  for (const one of messages) {
    for (const version of versionsOf(one)) {
      const again = one.read(new ChunkReader(encode(one, {}, version)), version)
      for (const [name, field] of Object.entries(one.fields)) {
        assert.deepEqual(again[name], field.default, `${one.name} ${version} ${name}`)
      }
    }
  }
})

test('any bytes whatever are a value or a ProtocolError', () => {
  fc.assert(
    fc.property(
      anyMessage,
      fc.uint8Array({ maxLength: 300 }),
      cuts,
      ({ one, version }, data, at) => {
        readsOrRefuses(one, version, splitAt(data, at))
      },
    ),
    { numRuns: 2000 },
  )
})

test('a message that is damaged somewhere is a value or a ProtocolError', () => {
  const damaged = anyMessage.chain(({ one, version }) =>
    fc.record({
      one: fc.constant(one),
      version: fc.constant(version),
      value: valuesOf(one.fields, version),
      position: fc.nat(),
      byte: fc.nat({ max: 255 }),
    }),
  )
  fc.assert(
    fc.property(damaged, ({ one, version, value, position, byte }) => {
      const data = joinChunks(encode(one, value, version)).slice()
      if (data.length > 0) data[position % data.length] = byte
      readsOrRefuses(one, version, [data])
    }),
    { numRuns: 2000 },
  )
})

test('a message that ends too early is a ProtocolError, wherever it ends', () => {
  const whole = joinChunks(
    encode(
      produceRequest,
      {
        transactionalId: 'mine',
        topicData: [{ name: 'orders', partitionData: [{ index: 1, records: [utf8('batch')] }] }],
      },
      9,
    ),
  )
  for (let length = 0; length < whole.length; length++) {
    const reader = new ChunkReader([whole.subarray(0, length)])
    assert.throws(() => produceRequest.read(reader, 9), ProtocolError)
  }
})

test('the bytes of a flexible message, one by one', () => {
  const small = message({
    name: 'Small',
    key: 0,
    versions: '0-1',
    flexible: '1+',
    fields: {
      name: string(),
      count: int32({ tag: 3, tagged: '1+', default: -1 }),
      pairs: array('Pair', { one: int8() }, { nullable: '0+' }),
      note: string({ nullable: '0+', default: null, tag: 0, tagged: '1+', versions: '1+' }),
    },
  })
  const value = { name: 'ab', count: 5, pairs: [{ one: 7 }], note: 'x' }
  const bytesOf = (version: number, input: object) => [...joinChunks(encode(small, input, version))]
  assert.deepEqual(bytesOf(0, value), [0, 2, 97, 98, 0, 0, 0, 5, 0, 0, 0, 1, 7])
  assert.deepEqual(
    bytesOf(1, value),
    // name, pairs (with their tags), 2 tags: 0 of 2 bytes, 3 of 4 bytes
    [3, 97, 98, 2, 7, 0, 2, 0, 2, 2, 120, 3, 4, 0, 0, 0, 5],
  )
  assert.deepEqual(bytesOf(1, { name: 'ab', pairs: null }), [3, 97, 98, 0, 0])
  assert.deepEqual(bytesOf(0, { pairs: null }), [0, 0, 255, 255, 255, 255, 255, 255, 255, 255])
})

test('an unknown tag is skipped; a known one of another length is refused', () => {
  const tagged = message({
    name: 'Tagged',
    key: 0,
    versions: '0',
    flexible: '0+',
    fields: { count: int32({ tag: 1, tagged: '0+' }) },
  })
  const read = (...data: number[]) => tagged.read(new ChunkReader([Uint8Array.from(data)]), 0)
  assert.deepEqual(read(2, 0, 3, 9, 9, 9, 1, 4, 0, 0, 0, 8), { count: 8 })
  assert.throws(() => read(1, 1, 5, 0, 0, 0, 8, 0), ProtocolError)
  assert.throws(() => read(1, 1, 3, 0, 0, 0), ProtocolError)
  assert.throws(() => read(1, 0, 3, 0, 0), ProtocolError)
})

test('records and bytes are views of what was read, and leave as the views that they are', () => {
  const batch = utf8('a batch of records')
  const chunks = encode(
    produceRequest,
    { topicData: [{ name: 'orders', partitionData: [{ records: [batch] }] }] },
    8,
  )
  assert.equal(chunks.filter((chunk) => chunk === batch).length, 1)
  const data = joinChunks(chunks)
  const request = produceRequest.read(new ChunkReader([data]), 8)
  const records = request.topicData[0]?.partitionData[0]?.records
  assert.equal(records?.length, 1)
  assert.equal(records?.[0]?.buffer, data.buffer)
  assert.deepEqual(records?.[0], batch)
})

test('an array cannot claim more elements than its bytes can hold', () => {
  const wide = message({
    name: 'Wide',
    key: 0,
    versions: '0',
    fields: { rows: array('Row', { id: int32(), name: string() }) },
  })
  // 3 rows of at least 6 bytes each.
  const bytesOf = (length: number) => [new Uint8Array(length).fill(3, 3, 4)]
  assert.equal(wide.read(new ChunkReader(bytesOf(4 + 18)), 0).rows.length, 3)
  assert.throws(
    () => wide.read(new ChunkReader(bytesOf(4 + 17)), 0),
    (error) => error instanceof ProtocolError && /claims 3 elements/.test(error.message),
  )
})

test('the arrays of a message share a budget of elements', () => {
  const topics = Array.from({ length: 10 }, () => ({
    name: '',
    partitionData: Array.from({ length: 10 }, () => ({})),
  }))
  const data = encode(produceRequest, { topicData: topics }, 9)
  assert.equal(produceRequest.read(new ChunkReader(data), 9, 110).topicData.length, 10)
  assert.throws(() => produceRequest.read(new ChunkReader(data), 9, 109), ProtocolError)
})

test('null is refused where a version has none, in reading and in writing', () => {
  const read = (version: number, ...data: number[]) =>
    metadataRequest.read(new ChunkReader([Uint8Array.from(data)]), version)
  assert.equal(read(1, 255, 255, 255, 255).topics, null)
  assert.throws(() => read(0, 255, 255, 255, 255), ProtocolError)
  assert.throws(() => encode(metadataRequest, { topics: null }, 0), TypeError)
  assert.throws(() => encode(metadataRequest, { topics: [{ name: null }] }, 9), TypeError)
  assert.equal(encode(metadataRequest, { topics: [{ name: null }] }, 12).length, 1)
})

test('a struct may be null where it is nullable, and its tags are its own', () => {
  const nested = message({
    name: 'Nested',
    key: 0,
    versions: '0',
    flexible: '0+',
    fields: { cursor: struct('Cursor', { at: int8() }, { nullable: '0+', default: null }) },
  })
  for (const cursor of [null, { at: -5 }]) {
    assert.deepEqual(nested.read(new ChunkReader(encode(nested, { cursor }, 0)), 0), { cursor })
  }
  assert.deepEqual([...joinChunks(encode(nested, { cursor: { at: 5 } }, 0))], [1, 5, 0, 0])
  assert.deepEqual([...joinChunks(encode(nested, {}, 0))], [255, 0])
})

test('a tagged struct that has its defaults is left out', () => {
  const partition = (currentLeader: object) => ({
    responses: [{ name: 'orders', partitionResponses: [{ currentLeader }] }],
  })
  const none = joinChunks(encode(produceResponse, partition({}), 10))
  const defaults = { leaderId: -1, leaderEpoch: -1 }
  assert.deepEqual(joinChunks(encode(produceResponse, partition(defaults), 10)), none)
  const other = joinChunks(encode(produceResponse, partition({ leaderId: 3 }), 10))
  assert.equal(other.length, none.length + 11)
})

test('a version that a message does not have is a mistake of who asks', () => {
  assert.throws(() => produceRequest.read(new ChunkReader([]), 2), RangeError)
  assert.throws(() => encode(produceRequest, {}, 99), RangeError)
})

test('a string that is too long for Kafka is not written', () => {
  const texts = message({ name: 'Texts', key: 0, versions: '0', fields: { all: list(string()) } })
  assert.equal(encode(texts, { all: ['x'.repeat(0x7fff)] }, 0).length > 0, true)
  assert.throws(() => encode(texts, { all: ['x'.repeat(0x8000)] }, 0), RangeError)
})

test('elements that were encoded one by one are the same bytes in their place', () => {
  const rows = [
    { name: 'a', partitions: [{ partitionIndex: 0 }, { partitionIndex: 1, isrNodes: [1, 2] }] },
    { name: 'b'.repeat(5000), errorCode: 3 },
  ]
  const { min, max } = metadataResponse.versions
  for (let version = min; version <= max; version++) {
    for (const count of [0, 1, 2]) {
      const topics = rows.slice(0, count)
      const encoder = new ElementsEncoder(metadataResponse, 'topics', version)
      for (const row of topics) encoder.add(row)
      assert.deepEqual(
        joinChunks(
          encode(metadataResponse, { topics: encoder.finish(), controllerId: 7 }, version),
        ),
        joinChunks(encode(metadataResponse, { topics, controllerId: 7 }, version)),
      )
    }
  }
})

test('what was absent cannot be changed for everybody', () => {
  const one = message({
    name: 'Two',
    key: 0,
    versions: '0-1',
    fields: { names: list(string(), { versions: '1+' }), data: bytes() },
  })
  const { names } = one.read(new ChunkReader([new Uint8Array(4)]), 0)
  assert.throws(() => names.push('mine'), TypeError)
})

function readsOrRefuses(one: Message<Fields>, version: number, chunks: Chunks): void {
  try {
    one.read(new ChunkReader(chunks), version)
  } catch (error) {
    if (!(error instanceof ProtocolError)) throw error
  }
}

test('a message that is read in steps is what it is when it is read at once', () => {
  const topics = Array.from({ length: 50 }, (_, index) => ({
    topic: `topic ${index}`,
    partitions: Array.from({ length: index % 4 }, (__, partition) => ({
      partition,
      fetchOffset: index,
      partitionMaxBytes: 1,
    })),
  }))
  const forgottenTopicsData = [{ topic: 'old', partitions: [1, 2, 3] }]
  for (const version of [4, 11, 12, 18]) {
    const writer = new ChunkWriter()
    fetchRequest.write(writer, { topics, forgottenTopicsData, clusterId: 'c' }, version)
    const bytes = joinChunks(writer.finish())
    const steps = fetchRequest.readSteps(new ChunkReader([bytes]), version)
    let count = 0
    let step = steps.next()
    for (; step.done !== true; step = steps.next()) count++
    assert.deepEqual(step.value, fetchRequest.read(new ChunkReader([bytes]), version))
    assert.ok(count > 100)
    const cut = fetchRequest.readSteps(new ChunkReader([bytes.subarray(0, -1)]), version)
    assert.throws(() => [...cut], ProtocolError)
  }
})
