import assert from 'node:assert/strict'
import { test } from 'node:test'
import * as errors from './errors.ts'

const { errorTable, KaskaError, OffsetOutOfRangeError, ProtocolError, wireCode } = errors

type Create = new (message: string, more?: unknown) => errors.KaskaError

function create(entry: errors.KaskaErrorClass): errors.KaskaError {
  const more = entry.errorName === 'SendBatchError' ? [] : { startOffset: 1, endOffset: 2 }
  return new (entry as unknown as Create)('the text', more)
}

test('the table holds every error once, by name, code and number', () => {
  const exported = Object.values(errors).filter(
    (value) => typeof value === 'function' && Object.hasOwn(value, 'errorName'),
  )
  assert.deepEqual(
    new Set(exported.filter((value) => value !== KaskaError)),
    new Set<unknown>(errorTable),
  )
  const distinct = (values: readonly unknown[]) => assert.equal(new Set(values).size, values.length)
  distinct(errorTable.map(({ errorName }) => errorName))
  distinct(errorTable.map(({ code }) => code))
  distinct(errorTable.map(({ wire }) => wire).filter((wire) => wire !== 0))
})

test('the numbers on the wire stay as they are', () => {
  const numbers = errorTable.filter(({ wire }) => wire !== 0).map(({ wire, code }) => [wire, code])
  assert.deepEqual(numbers, [
    [2, 'PROTOCOL'],
    [3, 'UNSUPPORTED_VERSION'],
    [4, 'UNSUPPORTED_OPERATION'],
    [5, 'INVALID_TOPIC'],
    [6, 'TOPIC_EXISTS'],
    [7, 'UNKNOWN_TOPIC'],
    [8, 'UNKNOWN_PARTITION'],
    [9, 'OFFSET_OUT_OF_RANGE'],
    [10, 'MESSAGE_TOO_LARGE'],
    [11, 'INVALID_MESSAGE'],
    [12, 'DISK_FULL'],
    [13, 'PARTITION_OFFLINE'],
    [14, 'OUT_OF_ORDER_SEQUENCE'],
    [15, 'PRODUCER_FENCED'],
    [16, 'UNKNOWN_PRODUCER'],
    [17, 'LOG_TRUNCATED'],
    [18, 'INVALID_ARGUMENT'],
    [19, 'UNSUPPORTED_COMPRESSION'],
    [20, 'OVERLOADED'],
    [21, 'INTERNAL'],
    [22, 'NOT_AUTHORIZED'],
    [23, 'GROUP_ACTIVE'],
    [24, 'INVALID_TIMESTAMP'],
    [25, 'CONNECTION'],
  ])
})

test('an error has its class name, its code, and whether to try again', () => {
  for (const entry of errorTable) {
    const error = create(entry)
    assert.equal(error.name, entry.errorName)
    assert.equal((entry as unknown as { name: string }).name, entry.errorName)
    assert.equal(error.code, entry.code)
    assert.equal(error.retriable, entry.retriable)
    assert.equal(error.message, 'the text')
    assert.match(entry.meaning, /^[A-Z].*\.$/)
    assert.ok(error instanceof Error && error instanceof KaskaError)
    assert.ok(
      String(error.stack).startsWith('Error: the text') || error.stack?.includes('the text'),
    )
    for (const other of errorTable) {
      const expected = other === entry
      assert.equal(error instanceof (other as unknown as Create), expected, other.errorName)
    }
  }
})

test('instanceof holds across two copies of the module', async () => {
  const copy = (await import(`./errors.ts?copy=${'2'}`)) as typeof errors
  assert.notEqual(copy.ProtocolError, ProtocolError)
  assert.ok(new copy.ProtocolError('x') instanceof ProtocolError)
  assert.ok(new copy.ProtocolError('x') instanceof KaskaError)
  assert.ok(new ProtocolError('x') instanceof copy.KaskaError)
  assert.ok(!(new copy.ProtocolError('x') instanceof OffsetOutOfRangeError))
  assert.equal(wireCode(new copy.OffsetOutOfRangeError('x', { startOffset: 0, endOffset: 1 })), 9)
})

test('what is no error of ours is none', () => {
  for (const value of [undefined, null, 'KaskaError', 7, {}, new Error('x'), () => {}]) {
    assert.ok(!((value as unknown) instanceof KaskaError))
    assert.ok(!((value as unknown) instanceof ProtocolError))
    assert.equal(wireCode(value), errors.InternalError.wire)
  }
})

test('an error without a number travels as InternalError', () => {
  assert.equal(wireCode(new errors.ClosedError('x')), errors.InternalError.wire)
  assert.equal(wireCode(new errors.DiskFullError('x')), errors.DiskFullError.wire)
})

test('the cause is kept', () => {
  const cause = new Error('below')
  assert.equal(new ProtocolError('above', { cause }).cause, cause)
})
