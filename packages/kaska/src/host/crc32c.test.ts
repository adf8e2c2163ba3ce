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
