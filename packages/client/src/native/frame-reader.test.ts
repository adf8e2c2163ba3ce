import assert from 'node:assert/strict'
import { test } from 'node:test'
import { type Chunks, joinChunks, ProtocolError, writeVarint } from '@kaska/protocol'
import fc from 'fast-check'
import { FrameReader, headBytes } from './frame-reader.ts'

/** Frames of these sizes, each with its length before it, and bytes that tell the place. */
function encode(sizes: readonly number[]): { bytes: Uint8Array; frames: Uint8Array[] } {
  const frames = sizes.map((size, index) =>
    Uint8Array.from({ length: size }, (_, place) => (index * 31 + place) & 255),
  )
  const parts: Uint8Array[] = []
  for (const frame of frames) {
    const length = new Uint8Array(8)
    parts.push(length.subarray(0, writeVarint(length, 0, frame.length)), frame)
  }
  return { bytes: new Uint8Array(Buffer.concat(parts)), frames }
}

interface Reading {
  readonly reader: FrameReader
  readonly frames: Uint8Array[]
  readonly views: Chunks[]
}

function createReading(frameBytesMax = 1 << 20): Reading {
  const frames: Uint8Array[] = []
  const views: Chunks[] = []
  const reader = new FrameReader({
    frameBytesMax,
    frame: (chunks, length) => {
      const bytes = new Uint8Array(joinChunks(chunks))
      assert.equal(bytes.length, length)
      frames.push(bytes)
      views.push(chunks)
    },
  })
  return { reader, frames, views }
}

const sizes = fc.array(
  fc.oneof(fc.integer({ min: 2, max: 20 }), fc.integer({ min: 100, max: 4_000 })),
  { maxLength: 12 },
)
const reads = fc.array(fc.oneof(fc.integer({ min: 1, max: 20 }), fc.constant(10_000)), {
  minLength: 1,
  maxLength: 30,
})

test('the frames are the same however the bytes arrive, in buffers that the reader gives', () => {
  fc.assert(
    fc.property(sizes, reads, (frameSizes, readSizes) => {
      const { bytes, frames } = encode(frameSizes)
      const reading = createReading()
      let position = 0
      for (let turn = 0; position < bytes.length; turn++) {
        const buffer = reading.reader.buffer()
        assert.ok(buffer.length > 0)
        const size = Math.min(readSizes[turn % readSizes.length] ?? 1, buffer.length)
        const part = bytes.subarray(position, position + size)
        buffer.set(part)
        position += part.length
        reading.reader.filled(part.length)
      }
      assert.deepEqual(reading.frames, frames)
    }),
  )
})

test('the frames are the same however the bytes arrive, in chunks', () => {
  fc.assert(
    fc.property(sizes, reads, (frameSizes, readSizes) => {
      const { bytes, frames } = encode(frameSizes)
      const reading = createReading()
      let position = 0
      for (let turn = 0; position < bytes.length; turn++) {
        const size = readSizes[turn % readSizes.length] ?? 1
        const chunk = bytes.subarray(position, position + size)
        position += chunk.length
        reading.reader.received(chunk)
      }
      const views = reading.views.flat()
      assert.ok(
        views.every((view) => view.buffer === bytes.buffer),
        'no copy',
      )
      assert.deepEqual(reading.frames, frames)
    }),
  )
})

test('all but the first bytes of a frame land in one buffer of its size, and stay there', () => {
  const { bytes } = encode([5, 100_000, 3, 70])
  const reading = createReading()
  const given: { buffer: Uint8Array; from: number; length: number }[] = []
  let position = 0
  while (position < bytes.length) {
    const buffer = reading.reader.buffer()
    const part = bytes.subarray(position, position + Math.min(buffer.length, 65_536))
    buffer.set(part)
    given.push({ buffer, from: position, length: part.length })
    position += part.length
    reading.reader.filled(part.length)
  }
  // Where each byte of the large frame landed: the reused buffer has none beyond its first bytes.
  const start = 1 + 5 + 3
  const body = reading.views[1]?.[0] as Uint8Array
  assert.equal(body.buffer.byteLength, 100_000)
  for (const { buffer, from, length } of given) {
    const isSmall = buffer.buffer.byteLength === headBytes
    if (isSmall && from < start + 100_000) assert.ok(from + length <= start + headBytes)
    if (!isSmall && from < start + 100_000) assert.equal(buffer.buffer, body.buffer)
  }
})

test('a length that is none, or is too large, is refused before anything is made for it', () => {
  for (const bad of [
    [0],
    [1],
    [0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0x7f],
    [0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x00],
    [0xff, 0xff, 0xff, 0xff, 0x7f],
  ]) {
    const chunked = createReading(1000)
    assert.throws(() => chunked.reader.received(Uint8Array.from(bad)), ProtocolError)
    const filled = createReading(1000)
    filled.reader.buffer().set(bad)
    assert.throws(() => filled.reader.filled(bad.length), ProtocolError)
  }
})
