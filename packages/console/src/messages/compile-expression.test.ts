import assert from 'node:assert/strict'
import { test } from 'node:test'
import type { StoredMessage } from '@kaska/protocol'
import { compileExpression } from './compile-expression.ts'

const utf8 = (text: string) => new TextEncoder().encode(text)
const message: StoredMessage = {
  topic: 'orders',
  partition: 2,
  offset: 17,
  timestamp: 1000,
  key: utf8('eu-1'),
  value: utf8('{"id":12345678901234567890,"total":120.5,"tags":["new"]}'),
  headers: [
    ['trace', utf8('a')],
    ['trace', utf8('b')],
    ['none', null],
  ],
}

test('an expression sees all of a message', () => {
  const cases: readonly (readonly [string, boolean])[] = [
    ['value.total > 100', true],
    ['value.total > 1000', false],
    ['value.id === 12345678901234567890n', true],
    ['value.id === 12345678901234567891n', false],
    ["key.startsWith('eu-') && value.tags.includes('new')", true],
    ["headers.trace === 'b' && headers.none === null", true],
    ["headerList.filter(([name]) => name === 'trace').length === 2", true],
    ["topic === 'orders' && partition === 2 && offset === 17 && timestamp === 1000", true],
    ['bytes.length === text.length', true],
    ['message.value.total > 100 && message.key === key', true],
    ['/total/.test(text) // a comment', true],
    ['if (offset > 10) { return true }', true],
    ['const limit = 200; return value.total > limit', false],
    ["'text'", true],
  ]
  for (const [source, isFound] of cases) {
    assert.equal(compileExpression(source)(message), isFound, source)
  }
})

test('a value that is no JSON is its text, and one that is null is null', () => {
  const isText = compileExpression("value === 'plain' && text === value")
  assert.equal(isText({ ...message, value: utf8('plain') }), true)
  const isNull = compileExpression('value === null && text === null && bytes === null')
  assert.equal(isNull({ ...message, value: null }), true)
})

test('what is no expression is refused, and what fails throws', () => {
  for (const source of ['value.', 'const a = 1', '1 2', ')(']) {
    assert.throws(() => compileExpression(source), SyntaxError, source)
  }
  assert.throws(() => compileExpression('value.nobody.there')(message), TypeError)
})
