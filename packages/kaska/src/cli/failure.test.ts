import assert from 'node:assert/strict'
import { test } from 'node:test'
import { ConnectionError, UnknownTopicError } from '@kaska/protocol'
import { CommandError, exitCodeOf, failureLine, oneLine, UsageError } from './failure.ts'

test('a failure is one line that says what happened and what to do', () => {
  assert.equal(failureLine(new CommandError('it broke.', 'mend it')), 'kaska: it broke; mend it')
  assert.equal(failureLine(new CommandError('it broke')), 'kaska: it broke')
  assert.match(failureLine(new UnknownTopicError('no topic x')), /^kaska: no topic x; see `kaska /)
  assert.equal(failureLine('text'), 'kaska: text')
})

test('a text that brings its advice is left as it is', () => {
  assert.equal(failureLine(new ConnectionError('no: do this')), 'kaska: no: do this')
  assert.equal(failureLine(new UnknownTopicError('no; do this')), 'kaska: no; do this')
})

test('exit codes: 2 for what was not understood, else 1', () => {
  assert.equal(exitCodeOf(new UsageError('what?')), 2)
  assert.equal(exitCodeOf(new CommandError('no')), 1)
  assert.equal(exitCodeOf(new Error('no')), 1)
})

test('control characters of other people never reach the terminal', () => {
  assert.equal(oneLine('a\nb\x1b[31m\t\u2028\x9b'), 'a\\nb\\x1b[31m\\t\\u2028\\x9b')
  assert.equal(oneLine('größe 🚀'), 'größe 🚀')
})
