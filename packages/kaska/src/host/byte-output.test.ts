import assert from 'node:assert/strict'
import { Writable } from 'node:stream'
import { test } from 'node:test'
import fc from 'fast-check'
import { BrokenPipeError, ByteOutput } from './byte-output.ts'

/** Gathers what is written, by write. */
class Sink extends Writable {
  readonly chunks: Buffer[] = []
  failure: NodeJS.ErrnoException | undefined
  override _writev(chunks: { chunk: Buffer }[], done: (error?: Error | null) => void): void {
    if (this.failure === undefined)
      this.chunks.push(Buffer.concat(chunks.map(({ chunk }) => chunk)))
    done(this.failure)
  }
  override _write(chunk: Buffer, _encoding: string, done: (error?: Error | null) => void): void {
    this._writev([{ chunk }], done)
  }
}

test('pieces of any size leave as they are, in order, one write for each send', async () => {
  const piece = fc.oneof(
    fc.string({ unit: 'binary', maxLength: 50 }).filter((text) => text.isWellFormed()),
    fc.constantFrom('x'.repeat(2000), 'é'.repeat(40_000)),
    fc.uint8Array({ maxLength: 100 }),
    fc.constantFrom(...[4095, 4096, 70_000].map((length) => new Uint8Array(length).fill(length))),
  )
  await fc.assert(
    fc.asyncProperty(
      fc.array(fc.array(piece, { maxLength: 30 }), { maxLength: 4 }),
      async (sends) => {
        const sink = new Sink()
        const output = new ByteOutput(sink)
        const expected: Buffer[] = []
        for (const pieces of sends) {
          const buffers = pieces.map((piece) => Buffer.from(piece as string))
          for (const piece of pieces) {
            if (typeof piece === 'string') output.text(piece)
            else output.bytes(piece)
          }
          const whole = Buffer.concat(buffers)
          assert.equal(output.pendingBytes, whole.length)
          await output.send()
          assert.equal(output.pendingBytes, 0)
          if (whole.length > 0) expected.push(whole)
        }
        assert.deepEqual(sink.chunks, expected)
      },
    ),
    { numRuns: 50 },
  )
})

test('a large piece is not copied', async () => {
  const sink = new Sink()
  const output = new ByteOutput(sink)
  const large = new Uint8Array(10_000)
  let written: Uint8Array | undefined
  sink._write = (chunk, _encoding, done) => {
    written = chunk
    done()
  }
  output.bytes(large)
  await output.send()
  assert.equal(written?.buffer, large.buffer)
})

test('when the reader has gone every send says so', async () => {
  const sink = new Sink()
  const output = new ByteOutput(sink)
  sink.failure = Object.assign(new Error('write EPIPE'), { code: 'EPIPE' })
  output.text('a')
  await assert.rejects(output.send(), BrokenPipeError)
  assert.ok(output.broken.aborted)
  assert.ok(output.broken.reason instanceof BrokenPipeError)
  output.text('b')
  await assert.rejects(output.send(), BrokenPipeError)
})

test('another failure is one of the command', async () => {
  const sink = new Sink()
  const output = new ByteOutput(sink)
  sink.failure = Object.assign(new Error('ENOSPC: no space left on device'), { code: 'ENOSPC' })
  output.text('a')
  await assert.rejects(output.send(), /standard output cannot be written: ENOSPC/)
})
