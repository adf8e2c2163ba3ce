import assert from 'node:assert/strict'
import { test } from 'node:test'
import fc from 'fast-check'
import { CommandError } from './failure.ts'
import { LineSplitter } from './line-splitter.ts'

function split(chunks: readonly Uint8Array[], lineBytesMax = 1 << 20): Uint8Array[] {
  const splitter = new LineSplitter(lineBytesMax)
  const lines = chunks.flatMap((chunk) => [...splitter.push(chunk)])
  lines.push(...splitter.finish())
  assert.equal(splitter.lines, lines.length)
  return lines
}

const text = (lines: readonly Uint8Array[]) => lines.map((line) => Buffer.from(line).toString())

test('each line is one, empty ones and a last one without newline included', () => {
  assert.deepEqual(text(split([Buffer.from('a\n\nb')])), ['a', '', 'b'])
  assert.deepEqual(text(split([Buffer.from('a\n')])), ['a'])
  assert.deepEqual(text(split([Buffer.from('\n')])), [''])
  assert.deepEqual(text(split([])), [])
  assert.deepEqual(text(split([Buffer.from('a\r\nb\0c')])), ['a\r', 'b\0c'])
})

test('any bytes in any chunks give the same lines', () => {
  const byte = fc.oneof(fc.constant(0x0a), fc.integer({ min: 0, max: 255 }))
  const chunk = fc.array(byte, { maxLength: 20 }).map((bytes) => Uint8Array.from(bytes))
  fc.assert(
    fc.property(fc.array(chunk, { maxLength: 10 }), (chunks) => {
      const lines = split(chunks)
      const whole = Buffer.concat(chunks).toString('latin1')
      const expected = whole.split('\n')
      if (expected.at(-1) === '') expected.pop()
      assert.deepEqual(
        lines.map((line) => Buffer.from(line).toString('latin1')),
        expected,
      )
    }),
  )
})

test('a line within one chunk is a view of it', () => {
  const chunk = Uint8Array.from(Buffer.from('abc\ndef\n'))
  for (const line of split([chunk])) assert.equal(line.buffer, chunk.buffer)
})

test('a line that is too long is an error, and is not gathered', () => {
  const splitter = new LineSplitter(10)
  assert.deepEqual([...splitter.push(Buffer.from('123456789\n12345'))].length, 1)
  assert.throws(() => [...splitter.push(Buffer.from('678901'))], CommandError)
  assert.throws(
    () => [...new LineSplitter(2).push(Buffer.from('ok\nnot\n'))],
    /line 2 is longer than 2 bytes/,
  )
})
