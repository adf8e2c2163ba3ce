import assert from 'node:assert/strict'
import { test } from 'node:test'
import fc from 'fast-check'
import { Fifo } from './fifo.ts'

test('a queue equals an array', () => {
  const step = fc.oneof(
    fc.record({ kind: fc.constant('push' as const), count: fc.integer({ min: 1, max: 2000 }) }),
    fc.record({ kind: fc.constant('shift' as const), count: fc.integer({ min: 1, max: 2500 }) }),
    fc.record({ kind: fc.constant('remove' as const), count: fc.integer({ min: 0, max: 5000 }) }),
    fc.record({ kind: fc.constant('clear' as const), count: fc.constant(0) }),
  )
  fc.assert(
    fc.property(fc.array(step, { maxLength: 20 }), (steps) => {
      const fifo = new Fifo<number>()
      let model: number[] = []
      let number = 0
      for (const { kind, count } of steps) {
        if (kind === 'clear') {
          fifo.clear()
          model = []
        } else if (kind === 'remove') {
          fifo.remove(count)
          model = model.filter((item) => item !== count)
        } else {
          for (let index = 0; index < count; index++) {
            if (kind === 'push') {
              fifo.push(number)
              model.push(number++)
            } else {
              assert.equal(fifo.shift(), model.shift())
            }
          }
        }
        assert.equal(fifo.length, model.length)
        assert.equal(fifo.peek(), model[0])
        assert.equal(fifo.last(), model.at(-1))
      }
      assert.deepEqual([...fifo], model)
    }),
  )
})
