import assert from 'node:assert/strict'
import { test } from 'node:test'
import { ManualClock } from '../../../../sim/manual-clock.ts'
import { TokenGate } from './token-gate.ts'

function wrongTwenty(gate: TokenGate, address: string): void {
  for (let n = 0; n < 20; n++) {
    assert.equal(gate.isShut(address), false)
    gate.wasWrong(address)
  }
}

test('who is wrong too often waits, and others do not', () => {
  let now = 0
  const gate = new TokenGate({ monotonic: () => now })
  wrongTwenty(gate, '10.0.0.1:1000')
  assert.equal(gate.isShut('10.0.0.1:2000'), true)
  assert.equal(gate.isShut('10.0.0.2:1000'), false)
  now += 999
  assert.equal(gate.isShut('10.0.0.1:1000'), true)
  now += 1
  assert.equal(gate.isShut('10.0.0.1:1000'), false, 'once a second')
  gate.wasWrong('10.0.0.1:1000')
  assert.equal(gate.isShut('10.0.0.1:1000'), true)
  now += 20_000
  wrongTwenty(gate, '10.0.0.1:1000')
})

test('addresses of one network of IPv6 count together', () => {
  const gate = new TokenGate(new ManualClock())
  wrongTwenty(gate, '[2001:db8::1]:1000')
  assert.equal(gate.isShut('[2001:db8:0:0:ffff::2]:1000'), true)
  assert.equal(gate.isShut('[2001:db8:0:1::1]:1000'), false)
})

test('it remembers a bounded number of addresses', () => {
  const gate = new TokenGate(new ManualClock())
  wrongTwenty(gate, '10.0.0.1:1')
  for (let n = 0; n < 10_000; n++) gate.wasWrong(`10.1.${n >> 8}.${n & 255}:1`)
  assert.equal(gate.isShut('10.0.0.1:1'), false)
})
