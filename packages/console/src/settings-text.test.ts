import assert from 'node:assert/strict'
import { test } from 'node:test'
import { meaningOf, retentionText, settingsOf } from './settings-text.ts'

test('settings are read line by line', () => {
  assert.deepEqual(settingsOf('\n a.b = 1=2 \n\nc=\n'), { 'a.b': '1=2', c: '' })
  assert.throws(() => settingsOf('a.b'), /'a.b' is not name=value/)
  assert.throws(() => settingsOf('=1'), /'=1' is not name=value/)
  assert.deepEqual(Object.keys(settingsOf('__proto__=1')), ['__proto__'])
})

test('times and sizes have meanings', () => {
  assert.equal(meaningOf('retention.ms', '604800000'), '7 d')
  assert.equal(meaningOf('retention.ms', '-1'), 'no limit')
  assert.equal(meaningOf('segment.bytes', '1073741824'), '1.0 GiB')
  assert.equal(meaningOf('message.timestamp.after.max.ms', '9223372036854775807'), 'no limit')
  assert.equal(meaningOf('cleanup.policy', 'delete'), undefined)
  assert.equal(meaningOf('retention.ms', 'soon'), undefined)
})

test('retention is a time, a size, both or neither', () => {
  assert.equal(retentionText(null, null), 'for ever')
  assert.equal(retentionText(undefined, undefined), '–')
  assert.equal(retentionText(3 * 86_400_000, null), '3 d')
  assert.equal(retentionText(3 * 86_400_000, 1024), '3 d, 1.0 KiB')
})
