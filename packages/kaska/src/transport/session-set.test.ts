import assert from 'node:assert/strict'
import { test } from 'node:test'
import { ManualClock } from '../../../../sim/manual-clock.ts'
import { SessionSet } from './session-set.ts'

function create() {
  const clock = new ManualClock()
  const sessions = new SessionSet<FakeSession>(clock, { stallMs: 400, closeMs: 1000 })
  class FakeSession {
    readonly checks: number[] = []
    isEnding = false
    /** Does it take all the time that it has to end? */
    isSlow = false
    isDestroyed = false

    check(now: number): void {
      this.checks.push(now)
    }

    end(): void {
      this.isEnding = true
      if (!this.isSlow) sessions.remove(this)
    }

    destroy(): void {
      this.isDestroyed = true
      sessions.remove(this)
    }
  }
  return { clock, sessions, FakeSession }
}

test('all are looked at four times within stallMs, by a timer that runs while there are any', async () => {
  const { clock, sessions, FakeSession } = create()
  const [one, other] = [new FakeSession(), new FakeSession()]
  sessions.add(one)
  await clock.advance(250)
  sessions.add(other)
  await clock.advance(100)
  assert.deepEqual(one.checks, [100, 200, 300])
  assert.deepEqual(other.checks, [300])
  sessions.remove(one)
  sessions.remove(other)
  await clock.advance(1000)
  assert.equal(other.checks.length, 1)
  sessions.add(other)
  await clock.advance(100)
  assert.equal(other.checks.length, 2)
})

test('what has come by the time of a look is taken before it', async () => {
  const { clock, sessions, FakeSession } = create()
  const seen: string[] = []
  class Listening extends FakeSession {
    override check(): void {
      seen.push('look')
    }
  }
  sessions.add(new Listening())
  // Later than the timer: as bytes are that came while the process got no core.
  clock.after(100, () => seen.push('bytes'))
  await clock.advance(100)
  assert.deepEqual(seen, ['bytes', 'look'])
})

test('closing waits for what is under way, but not for ever, and lets nobody in', async () => {
  const { clock, sessions, FakeSession } = create()
  const [quick, slow, late] = [new FakeSession(), new FakeSession(), new FakeSession()]
  slow.isSlow = true
  sessions.add(quick)
  sessions.add(slow)
  const closed = sessions.close()
  assert.ok(quick.isEnding && slow.isEnding)
  assert.equal(sessions.count, 1)
  sessions.add(late)
  assert.ok(late.isDestroyed)
  await clock.advance(999)
  assert.equal(slow.isDestroyed, false)
  await clock.advance(1)
  assert.ok(slow.isDestroyed)
  await closed
  await sessions.close()
})
