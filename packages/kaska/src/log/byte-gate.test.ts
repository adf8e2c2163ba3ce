import assert from 'node:assert/strict'
import { test } from 'node:test'
import { ByteGate } from './byte-gate.ts'

test('what does not fit waits in order, and more than all enters alone', async () => {
  const gate = new ByteGate(100)
  assert(gate.tryEnter(60))
  assert(!gate.tryEnter(50))
  const entered: string[] = []
  const first = gate.enter(500).then(() => entered.push('first'))
  const second = gate.enter(10).then(() => entered.push('second'))
  assert(!gate.tryEnter(1), 'nobody overtakes')
  assert.equal(gate.waiting, 2)
  gate.leave(60)
  await first
  assert.deepEqual(entered, ['first'])
  gate.leave(500)
  await second
  gate.leave(10)
  assert.deepEqual([gate.free, gate.waiting], [100, 0])
})

test('who gives up makes room for those behind', async () => {
  const gate = new ByteGate(100)
  assert(gate.tryEnter(60))
  const controller = new AbortController()
  const given = assert.rejects(gate.enter(50, controller.signal), /enough/)
  const next = gate.enter(40)
  controller.abort(new Error('enough'))
  await given
  await next
  await assert.rejects(gate.enter(1, controller.signal), /enough/)
  gate.leave(100)
  assert.equal(gate.free, 100)
})
