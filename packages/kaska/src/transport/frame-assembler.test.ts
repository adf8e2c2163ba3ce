import assert from 'node:assert/strict'
import { test } from 'node:test'
import { joinChunks, ProtocolError, writeVarint } from '@kaska/protocol'
import fc from 'fast-check'
import { FrameAssembler, type LengthForm } from './frame-assembler.ts'

/** The bytes of the frames, one after the other. */
function bytesOf(frames: readonly Uint8Array[], form: LengthForm = 'varint'): Uint8Array {
  return joinChunks(frames.flatMap((frame) => [lengthOf(frame, form), frame]))
}

function lengthOf({ length }: Uint8Array, form: LengthForm): Uint8Array {
  const bytes = new Uint8Array(8)
  if (form === 'varint') return bytes.subarray(0, writeVarint(bytes, 0, length))
  new DataView(bytes.buffer).setInt32(0, length)
  return bytes.subarray(0, 4)
}

/** Cuts the bytes at the given places, which count round. */
function cut(bytes: Uint8Array, places: readonly number[]): Uint8Array[] {
  const ends = [...new Set(places.map((place) => place % (bytes.length + 1)))].sort((a, b) => a - b)
  return [...ends, bytes.length].map((end, index) => bytes.subarray(ends[index - 1] ?? 0, end))
}

test('any split of the bytes gives the same frames, and each chunk is let go once', () => {
  const frames = fc.array(fc.uint8Array({ maxLength: 300 }), { maxLength: 12 })
  fc.assert(
    fc.property(
      frames,
      fc.array(fc.nat(), { maxLength: 40 }),
      fc.boolean(),
      fc.constantFrom<LengthForm>('varint', 'int32'),
      (sent, places, late, form) => {
        const consumed: Uint8Array[] = []
        const assembler = new FrameAssembler(form, 1000, (chunk) => consumed.push(chunk))
        const chunks = cut(bytesOf(sent, form), places)
        const received: Uint8Array[] = []
        const take = () => {
          for (let frame = assembler.next(); frame; frame = assembler.next()) {
            for (const view of frame) assert.equal(view.buffer, chunks[0]?.buffer)
            received.push(joinChunks(frame))
          }
        }
        for (const chunk of chunks) {
          assembler.push(chunk)
          if (!late) take()
        }
        take()
        assert.deepEqual(received.map(String), sent.map(String))
        assert.equal(assembler.isPartial, false)
        assert.equal(assembler.frameCount, sent.length)
        assert.deepEqual(new Set(consumed), new Set(chunks))
      },
    ),
  )
})

test('what is missing is known as soon as the length is', () => {
  const assembler = new FrameAssembler('varint', 10_000)
  const bytes = bytesOf([new Uint8Array(1000)])
  assembler.push(bytes.subarray(0, 1))
  assert.equal(assembler.next(), undefined)
  assert.deepEqual([assembler.isPartial, assembler.missing], [true, 0])
  assembler.push(bytes.subarray(1, 100))
  assert.equal(assembler.next(), undefined)
  assert.deepEqual([assembler.frameLength, assembler.missing], [1000, 902])
})

test('a frame that is longer than allowed is refused as soon as its length is there', () => {
  const assembler = new FrameAssembler('varint', 1000)
  assembler.push(bytesOf([new Uint8Array(1001)]).subarray(0, 10))
  assert.throws(() => assembler.next(), ProtocolError)
  // What begins the frame is still to be seen: it tells the request's tag.
  assert.equal(assembler.rest()[0]?.length, 8)
})

test('a length longer than any integer is refused', () => {
  for (const byte of [0xff, 0x80]) {
    const assembler = new FrameAssembler('varint', 1000)
    assembler.push(new Uint8Array(9).fill(byte))
    assert.throws(() => assembler.next(), ProtocolError)
  }
})

test('a frame in single bytes is refused once its pieces cost more than it is worth', () => {
  const assembler = new FrameAssembler('varint', 1_000_000)
  const bytes = bytesOf([new Uint8Array(100_000)])
  const pushed = () => {
    for (let index = 0; index < bytes.length; index++) {
      assembler.push(bytes.slice(index, index + 1))
      if (assembler.next() !== undefined) return
    }
  }
  assert.throws(pushed, /too many pieces/)
})

test('a negative length is refused', () => {
  const assembler = new FrameAssembler('int32', 1000)
  assembler.push(Uint8Array.of(0xff, 0xff, 0xff, 0xff))
  assert.throws(() => assembler.next(), ProtocolError)
})
