import assert from 'node:assert/strict'
import { test } from 'node:test'
import type { StoredMessage } from '@kaska/protocol'
import { UsageError } from './failure.ts'
import { compileFormat } from './message-format.ts'

const message: StoredMessage = {
  topic: 'orders',
  partition: 3,
  offset: 17,
  timestamp: 1_790_000_000_000,
  key: Buffer.from('k'),
  value: Uint8Array.from([0xff, 0x00, 0x0a]),
  headers: [
    ['a', Buffer.from('1')],
    ['a', null],
  ],
}

function render(format: string, changes: Partial<StoredMessage> = {}, nullText?: string): Buffer {
  const pieces: Buffer[] = []
  compileFormat(format, nullText)(
    { ...message, ...changes },
    {
      bytes: (bytes) => pieces.push(Buffer.from(bytes)),
      text: (text) => pieces.push(Buffer.from(text)),
    },
  )
  return Buffer.concat(pieces)
}

test('every field of a format', () => {
  assert.equal(render('%t %p %o %T').toString(), 'orders 3 17 1790000000000')
  assert.equal(render('%k/%K/%S/%V').toString(), 'k/1/3/3')
  assert.equal(render('%h').toString(), 'a=1,a=')
  assert.equal(render('100%%\\n').toString(), '100%\n')
  assert.equal(render('é%t\\x41').toString(), 'éordersA')
})

test('a value comes out byte for byte', () => {
  const expected = Buffer.from([0xff, 0x00, 0x0a])
  assert.deepEqual(render('%v'), expected)
  assert.deepEqual(render('%s'), expected)
})

test('a null is nothing of -1 bytes, or the text given for it', () => {
  assert.equal(render('[%k|%v|%K|%S]', { key: null, value: null }).toString(), '[||-1|-1]')
  assert.equal(
    render('%k %v %h', { key: null, value: null }, 'NULL').toString(),
    'NULL NULL a=1,a=NULL',
  )
  assert.equal(render('[%v|%S]', { value: new Uint8Array(0) }, 'NULL').toString(), '[|0]')
})

test('a field that there is not is a mistake of the user', () => {
  for (const format of ['%q', 'x%', '\\q']) {
    assert.throws(() => compileFormat(format), UsageError, format)
  }
})
