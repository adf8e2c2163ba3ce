import assert from 'node:assert/strict'
import { test } from 'node:test'
import fc from 'fast-check'
import { ChunkReader, ChunkWriter, joinChunks } from '../bytes.ts'
import { ProtocolError } from '../errors.ts'
import { apis } from './apis.ts'
import {
  type RequestHeader,
  readRequestHeader,
  readResponseHeader,
  writeRequestHeader,
  writeResponseHeader,
} from './headers.ts'

const anyVersion = fc
  .constantFrom(...apis.values())
  .chain(({ key, versions: { min, max } }) =>
    fc.record({ apiKey: fc.constant(key), apiVersion: fc.integer({ min, max }) }),
  )

const written = (write: (writer: ChunkWriter) => void) => {
  const writer = new ChunkWriter()
  write(writer)
  return joinChunks(writer.finish())
}

test('the headers of every version read as they were written', () => {
  fc.assert(
    fc.property(
      anyVersion,
      fc.integer(),
      fc.option(fc.string({ maxLength: 20 })),
      (version, correlationId, clientId) => {
        const header: RequestHeader = { ...version, correlationId, clientId }
        const request = new ChunkReader([written((writer) => writeRequestHeader(writer, header))])
        assert.deepEqual(readRequestHeader(request), header)
        assert.equal(request.remaining, 0)
        const answer = new ChunkReader([written((writer) => writeResponseHeader(writer, header))])
        assert.equal(readResponseHeader(answer, header), correlationId)
        assert.equal(answer.remaining, 0)
      },
    ),
  )
})

test('tags are in the headers of flexible versions, but never in the answer of ApiVersions', () => {
  const bytesOf = (apiKey: number, apiVersion: number) => {
    const header = { apiKey, apiVersion, correlationId: 1, clientId: null }
    return [
      written((writer) => writeRequestHeader(writer, header)).length,
      written((writer) => writeResponseHeader(writer, header)).length,
    ]
  }
  assert.deepEqual(bytesOf(0, 8), [10, 4])
  assert.deepEqual(bytesOf(0, 9), [11, 5])
  assert.deepEqual(bytesOf(18, 2), [10, 4])
  assert.deepEqual(bytesOf(18, 3), [11, 4])
  assert.deepEqual(bytesOf(47, 0), [10, 4], 'OffsetDelete has no flexible version')
})

test('a newer version of a known API, with tags that nobody knows, leaves the reader behind them', () => {
  const reader = new ChunkReader([
    Uint8Array.from([0, 18, 0, 99, 0, 0, 0, 7, 0, 2, 104, 105, 1, 50, 3, 1, 2, 3, 42]),
  ])
  const header = { apiKey: 18, apiVersion: 99, correlationId: 7, clientId: 'hi' }
  assert.deepEqual(readRequestHeader(reader), header)
  assert.equal(reader.u8(), 42)
})

test('an API that is not known has a header without tags', () => {
  const reader = new ChunkReader([Uint8Array.from([3, 231, 0, 0, 0, 0, 0, 1, 255, 255, 42])])
  const header = { apiKey: 999, apiVersion: 0, correlationId: 1, clientId: null }
  assert.deepEqual(readRequestHeader(reader), header)
  assert.equal(reader.u8(), 42)
})

test('a header that is cut or damaged is a ProtocolError', () => {
  const whole = Uint8Array.from([0, 3, 0, 9, 0, 0, 0, 7, 0, 2, 104, 105, 1, 5, 2, 1, 2])
  for (let length = 0; length < whole.length; length++) {
    const reader = new ChunkReader([whole.subarray(0, length)])
    assert.throws(() => readRequestHeader(reader), ProtocolError)
  }
  const negative = Uint8Array.from([0, 3, 0, 1, 0, 0, 0, 7, 255, 254])
  assert.throws(() => readRequestHeader(new ChunkReader([negative])), ProtocolError)
  const noText = Uint8Array.from([0, 3, 0, 1, 0, 0, 0, 7, 0, 1, 255])
  assert.throws(() => readRequestHeader(new ChunkReader([noText])), ProtocolError)
})
