import assert from 'node:assert/strict'
import { test } from 'node:test'
import { UsageError } from './failure.ts'
import { type OffsetRange, parseOffsetRange, parseTimestamp, resolvePlace } from './offset-range.ts'

const now = Date.parse('2026-06-15T12:00:00Z')
const start = { kind: 'start', count: 0 } as const
const end = { kind: 'end', count: 0 } as const
const offset = (offset: number) => ({ kind: 'offset', offset }) as const
const at = (text: string) => ({ kind: 'timestamp', timestamp: Date.parse(text) }) as const

test('places and ranges', () => {
  const cases: readonly [string, OffsetRange][] = [
    ['start', { from: start, to: undefined }],
    ['beginning', { from: start, to: undefined }],
    ['end', { from: end, to: undefined }],
    ['0', { from: offset(0), to: undefined }],
    ['17', { from: offset(17), to: undefined }],
    ['-5', { from: { kind: 'end', count: 5 }, to: undefined }],
    ['+5', { from: { kind: 'start', count: 5 }, to: undefined }],
    ['3:7', { from: offset(3), to: offset(7) }],
    ['3:', { from: offset(3), to: undefined }],
    [':7', { from: start, to: offset(7) }],
    [':end', { from: start, to: end }],
    ['-10:-5', { from: { kind: 'end', count: 10 }, to: { kind: 'end', count: 5 } }],
    ['start:end', { from: start, to: end }],
    ['@1000', { from: { kind: 'timestamp', timestamp: 1000 }, to: undefined }],
    ['@1000:@2000', { from: at('1970-01-01T00:00:01Z'), to: at('1970-01-01T00:00:02Z') }],
    ['@2026-01-31T10:00', { from: at('2026-01-31T10:00Z'), to: undefined }],
    [
      '@2026-01-31T10:00:30+02:00:@2026-02-01',
      { from: at('2026-01-31T08:00:30Z'), to: at('2026-02-01T00:00Z') },
    ],
    ['@-1h:end', { from: at('2026-06-15T11:00Z'), to: end }],
  ]
  for (const [text, range] of cases) assert.deepEqual(parseOffsetRange(text, now), range, text)
})

test('what is no place is a mistake of the user', () => {
  const texts = ['', ':', 'x', '1.5', '1:x', '@', '@x', '--1', '99999999999999999', '1:2:3', '@-']
  for (const text of texts) {
    assert.throws(() => parseOffsetRange(text, now), UsageError, text)
  }
})

test('times', () => {
  const iso = (text: string) => {
    const timestamp = parseTimestamp(text, now)
    return timestamp === undefined ? undefined : new Date(timestamp).toISOString()
  }
  assert.equal(iso('1000'), '1970-01-01T00:00:01.000Z')
  assert.equal(iso('2026-01-31'), '2026-01-31T00:00:00.000Z')
  assert.equal(iso('2026-01-31T12:30'), '2026-01-31T12:30:00.000Z')
  assert.equal(iso('2026-01-31T12:30:05.25Z'), '2026-01-31T12:30:05.250Z')
  assert.equal(iso('-1d2h3m4s'), '2026-06-14T09:56:56.000Z')
  assert.equal(iso('-90m'), '2026-06-15T10:30:00.000Z')
  for (const text of ['', '-', '-1', '2026', '2026-13-01', '2026-1-1', 'yesterday', '-5w']) {
    assert.equal(parseTimestamp(text, now), text === '2026' ? 2026 : undefined, text)
  }
})

test('a place in a partition', async () => {
  const partition = {
    startOffset: 10,
    endOffset: 20,
    offsetAt: async (timestamp: number) => (timestamp < 100 ? 15 : undefined),
  }
  const resolve = (text: string) => resolvePlace(parseOffsetRange(text, now).from, partition)
  assert.equal(await resolve('start'), 10)
  assert.equal(await resolve('end'), 20)
  assert.equal(await resolve('-3'), 17)
  assert.equal(await resolve('-300'), 10)
  assert.equal(await resolve('+3'), 13)
  assert.equal(await resolve('+300'), 20)
  assert.equal(await resolve('@50'), 15)
  assert.equal(await resolve('@5000'), 20)
  assert.equal(await resolve('5'), 5)
  assert.equal(await resolve('50'), 50)
})
