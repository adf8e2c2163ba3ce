import assert from 'node:assert/strict'
import { test } from 'node:test'
import { BudgetExceededError, ManualClock } from './manual-clock.ts'
import { SeededRandom } from './seeded-random.ts'

test('events run in the order of their times, equal ones in the order of the calls', async () => {
  const clock = new ManualClock()
  const random = new SeededRandom(1)
  const expected: [number, number][] = []
  const seen: [number, number][] = []
  for (let number = 0; number < 500; number++) {
    const delay = random.between(0, 50)
    expected.push([delay, number])
    clock.after(delay, () => seen.push([clock.monotonic(), number]))
  }
  expected.sort(([left], [right]) => left - right)
  await clock.advance(20)
  assert.equal(clock.monotonic(), 20)
  assert.deepEqual(
    seen,
    expected.filter(([at]) => at <= 20),
  )
  while (await clock.step());
  assert.deepEqual(seen, expected)
})

test('what an event sets going by promises is over before the next one', async () => {
  const clock = new ManualClock()
  const seen: string[] = []
  clock.after(1, () => {
    void (async () => {
      for (let count = 0; count < 100; count++) await undefined
      seen.push('first')
    })()
  })
  clock.after(1, () => seen.push('second'))
  await clock.advance(1)
  assert.deepEqual(seen, ['first', 'second'])
})

test('a cancelled timer does not fire, and the wall time jumps without the monotonic', async () => {
  const clock = new ManualClock()
  let fired = false
  const timer = clock.after(5, () => {
    fired = true
  })
  const before = clock.now()
  clock.jump(-3600_000)
  timer.cancel()
  await clock.advance(10)
  assert.equal(fired, false)
  assert.equal(clock.now(), before - 3600_000 + 10)
  assert.equal(clock.monotonic(), 10)
})

test('a spin, and a wait for what never comes, are found', async () => {
  const clock = new ManualClock()
  await assert.rejects(clock.runUntil(new Promise(() => {}), 10), BudgetExceededError)
  const spin = (async () => {
    for (;;) await clock.yield()
  })()
  await assert.rejects(clock.runUntil(spin, 1000), /1000 steps were not enough/)
})

test('a seed and a name give the same numbers, others give others', () => {
  const numbers = (random: SeededRandom) => Array.from({ length: 8 }, () => random.u32())
  assert.deepEqual(numbers(new SeededRandom(5).fork('a')), numbers(new SeededRandom(5).fork('a')))
  assert.notDeepEqual(
    numbers(new SeededRandom(5).fork('a')),
    numbers(new SeededRandom(5).fork('b')),
  )
  assert.notDeepEqual(numbers(new SeededRandom(5)), numbers(new SeededRandom(6)))
  const random = new SeededRandom(7)
  random.fork('a').u32()
  const other = new SeededRandom(7)
  assert.equal(random.u32(), other.u32())
  const counts = [0, 0, 0, 0]
  for (let count = 0; count < 4000; count++) {
    const index = random.between(0, 3)
    counts[index] = (counts[index] ?? 0) + 1
  }
  for (const count of counts) assert.ok(count > 850 && count < 1150, `${counts}`)
})
