import assert from 'node:assert/strict'
import { test } from 'node:test'
import { chunksLength, joinChunks } from './bytes.ts'
import { RecordDecoder } from './record-batch.ts'
import { inlineBytesMax, RecordsBuilder } from './record-encoder.ts'

const utf8 = (text: string) => new TextEncoder().encode(text)

test('a value or key of 1 KiB or more leaves as the view that came (contract 11)', () => {
  assert.ok(inlineBytesMax <= 1024, 'larger values are never copied')
  const builder = new RecordsBuilder()
  const large = [1024, 1025, 70_000].map((length) => new Uint8Array(length).fill(length))
  for (const bytes of large) {
    builder.append({ key: bytes, value: null, headers: [], timestamp: 0 })
    builder.append({ key: null, value: bytes, headers: [[utf8('h'), bytes]], timestamp: 0 })
  }
  const chunks = builder.finish()
  for (const bytes of large) {
    assert.equal(chunks.filter((chunk) => chunk === bytes).length, 3, `${bytes.length} bytes`)
  }
})

test('its length is that of its views, after every record', () => {
  const builder = new RecordsBuilder()
  const sizes = [0, 1, 63, 64, 511, 512, 1023, 1024, 8191, 8192, 100_000]
  for (const size of sizes) {
    for (const keySize of [0, 1024]) {
      builder.append({
        key: new Uint8Array(keySize),
        value: new Uint8Array(size),
        headers: [[utf8('a'), null]],
        timestamp: size,
      })
    }
  }
  const { length, recordCount } = builder
  const chunks = builder.finish()
  assert.equal(chunksLength(chunks), length)
  const decoder = new RecordDecoder(joinChunks(chunks), recordCount)
  for (const size of sizes) {
    for (const keySize of [0, 1024]) {
      const record = decoder.next()
      assert.equal(record?.value?.length, size)
      assert.equal(record?.key?.length, keySize)
    }
  }
})

test('what is encoded does not move while more is appended', () => {
  const builder = new RecordsBuilder()
  const value = new Uint8Array(500).fill(7)
  for (let index = 0; index < 1000; index++) {
    builder.append({ key: null, value, headers: [], timestamp: index })
  }
  const chunks = builder.finish()
  // Small values share buffers: there are few chunks, none smaller than a record but the first.
  assert.ok(chunks.length < 40, `${chunks.length} chunks`)
  const decoder = new RecordDecoder(joinChunks(chunks), 1000)
  for (let index = 0; index < 1000; index++) assert.deepEqual(decoder.next()?.value, value)
})
