import assert from 'node:assert/strict'
import { test } from 'node:test'
import { ManualClock } from '../../../../sim/manual-clock.ts'
import { MemoryBudget } from '../log/memory-budget.ts'
import { FetchPart } from './fetch-session.ts'
import { FetchSessions } from './fetch-sessions.ts'

const minute = 60_000

function setUp(slotsMax: number) {
  const clock = new ManualClock()
  const budget = new MemoryBudget(16 * 1024 * 1024)
  const sessions = new FetchSessions({ slotsMax, clock, budget })
  const connection = new AbortController()
  const made = { usesIds: false, owner: connection.signal }
  const create = (size: number) => sessions.create(partsOf(size), made)
  const resume = (sessionId: number, sessionEpoch = 1) =>
    sessions.resume({ sessionId, sessionEpoch }, made)
  return { clock, budget, sessions, connection, create, resume }
}

function partsOf(count: number, topic = 'x'): FetchPart[] {
  return Array.from({ length: count }, (_, partition) => {
    const wanted = { currentLeaderEpoch: -1, fetchOffset: 0, lastFetchedEpoch: -1 }
    return new FetchPart(topic, {
      ...wanted,
      partition,
      partitionMaxBytes: 1,
      logStartOffset: -1,
      replicaDirectoryId: '',
      highWatermark: 0,
    })
  })
}

test('a full cache gives the place of what was not used for two minutes', async () => {
  const { clock, sessions, create, resume } = setUp(2)
  const [a, b] = [create(5), create(5)]
  assert.ok(a && b)
  assert.equal(create(100), undefined, 'all are young')
  await clock.advance(minute)
  assert.equal(resume(a.id), a)
  await clock.advance(minute + 1)
  const c = create(1)
  assert.ok(c, 'in the place of b')
  assert.deepEqual([a.isClosed, b.isClosed, sessions.count], [false, true, 2])
  assert.equal(resume(b.id), 70)
})

test('of those that are in use, an old one gives way to a larger one', async () => {
  const { clock, create, resume } = setUp(2)
  const [a, b] = [create(5), create(3)]
  assert.ok(a && b)
  for (let round = 0; round < 3; round++) {
    await clock.advance(minute)
    for (const { id } of [a, b]) resume(id)
  }
  assert.equal(create(3), undefined, 'not larger than the smallest')
  assert.ok(create(4))
  assert.deepEqual([a.isClosed, b.isClosed], [false, true])
})

test('sessions have an eighth of the memory, and give back what they took', () => {
  const { budget, sessions, connection, create } = setUp(1000)
  assert.equal(create(5000), undefined)
  let count = 0
  while (create(300) !== undefined) count++
  assert.ok(count > 5 && budget.used <= budget.total / 8)
  // A name that nothing is called may be long.
  const named = partsOf(1, 'x'.repeat(30_000))
  const before = budget.used
  const [part] = named
  assert.ok(part)
  const session = sessions.create(named, { usesIds: false, owner: connection.signal })
  if (session !== undefined) assert.ok(budget.used > before + 60_000)
  connection.abort()
  assert.deepEqual([sessions.count, budget.used], [0, 0])
  assert.equal(create(1), undefined, 'the connection has ended')
})

test('what a session grew by is given back with it', () => {
  const { budget, sessions, create } = setUp(10)
  const session = create(3)
  assert.ok(session)
  const [first, second] = partsOf(2, 'y')
  assert.ok(first && second)
  for (const part of [first, second]) {
    assert.ok(sessions.tryGrow(session, part))
    session.add(part)
  }
  assert.equal(session.forget('y', 0), first)
  sessions.shrink(session, first)
  assert.equal(session.size, 4)
  sessions.remove(session)
  assert.equal(budget.used, 0)
})

test('epochs begin again behind the last one', () => {
  const { create, resume } = setUp(1)
  const session = create(1)
  assert.ok(session)
  session.epoch = 0x7fffffff
  session.nextEpoch()
  assert.equal(resume(session.id, 1), session)
})
