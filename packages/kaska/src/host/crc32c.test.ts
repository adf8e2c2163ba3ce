import assert from 'node:assert/strict'
import { test } from 'node:test'
import { crc32c } from '@kaska/protocol'
import { loadCrc32c } from './crc32c.ts'

test('the CRC is the same whether native code counts it or not, in one piece or in several', () => {
  const fast = loadCrc32c()
  const bytes = Uint8Array.from({ length: 5000 }, (_, index) => (index * 7919) >>> 3)
  for (const length of [0, 1, 63, 64, 65, 1000, 5000]) {
    const whole = crc32c(bytes.subarray(0, length), 0)
    assert.equal(fast(bytes.subarray(0, length), 0), whole, `${length} bytes`)
    const middle = length >>> 1
    const before = fast(bytes.subarray(0, middle), 0)
    assert.equal(fast(bytes.subarray(middle, length), before), whole, `${length} bytes in two`)
  }
  assert.equal(fast(new TextEncoder().encode('123456789'), 0), 0xe3069283)
})

test('the fastest package that is there and counts right is taken', () => {
  const asked: string[] = []
  const loading = (answers: Record<string, unknown>) => (name: string) => {
    asked.push(name)
    if (!(name in answers)) throw new Error(`no ${name}`)
    return answers[name]
  }
  const right = { crc32c: (bytes: Uint8Array, previous = 0) => crc32c(bytes, previous) }
  const wrong = { crc32c: () => 7 }
  let calls = 0
  const counted = {
    crc32c: (bytes: Uint8Array, previous = 0) => ++calls && crc32c(bytes, previous),
  }
  const bytes = new Uint8Array(100)
  const first = 'aws-crt/dist/native/checksums'
  const second = '@node-rs/crc32'
  for (const answers of [
    { [first]: counted, [second]: wrong },
    { [first]: wrong, [second]: counted },
    { [second]: counted },
  ]) {
    const fast = loadCrc32c(loading(answers))
    const before = calls
    assert.equal(fast(bytes, 0), crc32c(bytes, 0))
    assert.equal(calls, before + 1)
  }
  assert.equal(loadCrc32c(loading({ [first]: {}, [second]: wrong })), crc32c)
  assert.equal(loadCrc32c(loading({})), crc32c)
  asked.length = 0
  loadCrc32c(loading({ [first]: right, [second]: right }))
  assert.deepEqual(asked, [first])
})
