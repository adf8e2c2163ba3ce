import assert from 'node:assert/strict'
import { test } from 'node:test'
import {
  ClosedError,
  ConnectionError,
  InvalidArgumentError,
  OverloadedError,
} from '@kaska/protocol'
import { ManualClock } from '../../../sim/manual-clock.ts'
import { EngineRequests } from './engine-requests.ts'

function create() {
  const clock = new ManualClock()
  let holds = 0
  const keepAlive = {
    hold: () => {
      holds++
    },
    release: () => {
      holds--
    },
  }
  const requests = new EngineRequests({
    host: { clock, keepAlive },
    context: { principal: null, clientId: 'c', address: 'here' },
    requestTimeoutMs: 1000,
    deliveryTimeoutMs: 5000,
  })
  /** Fails so often, then answers with the number of the try. */
  const failing = (failures: number, error: () => Error) => {
    let tries = 0
    return () => (tries++ < failures ? Promise.reject(error()) : Promise.resolve(tries))
  }
  return { clock, requests, failing, holds: () => holds }
}

test('made again after a lost connection and while memory is short, not after other errors', async () => {
  const { clock, requests, failing, holds } = create()
  const lost = requests.make(
    undefined,
    failing(3, () => new ConnectionError('lost')),
  )
  assert.equal(holds(), 1)
  assert.equal(await clock.runUntil(lost, 1000), 4)
  const full = requests.make(
    undefined,
    failing(2, () => new OverloadedError('full')),
  )
  assert.equal(await clock.runUntil(full, 1000), 3)
  const wrong = failing(1, () => new InvalidArgumentError('wrong'))
  await assert.rejects(requests.make(undefined, wrong), InvalidArgumentError)
  assert.equal(holds(), 0)
})

test('a send is waited for longer than another request', async () => {
  const { clock, requests, failing } = create()
  const never = failing(Number.POSITIVE_INFINITY, () => new ConnectionError('lost'))
  await assert.rejects(clock.runUntil(requests.make(undefined, never), 10_000), ConnectionError)
  assert.ok(clock.monotonic() <= 1000)
  const before = clock.monotonic()
  await assert.rejects(clock.runUntil(requests.makeForSend(never), 10_000), ConnectionError)
  assert.ok(clock.monotonic() - before > 4000)
})

test('what is asked ends when the client begins to close, what sends need when it is done', async () => {
  const { clock, requests, failing } = create()
  const never = failing(Number.POSITIVE_INFINITY, () => new ConnectionError('lost'))
  const asked = requests.make(undefined, never)
  const needed = requests.makeForSend(never)
  await clock.advance(100)
  const closed = new ClosedError('closed')
  requests.close(closed)
  await assert.rejects(asked, closed)
  await assert.rejects(requests.make(undefined, never), ClosedError)
  assert.throws(() => requests.checkOpen(), ClosedError)
  let isOver = false
  const outcome = assert.rejects(needed, closed).then(() => {
    isOver = true
  })
  await clock.advance(100)
  assert.equal(isOver, false)
  requests.end(closed)
  await outcome
})

test('an aborted wait rejects with the reason', async () => {
  const { clock, requests, failing, holds } = create()
  const never = failing(Number.POSITIVE_INFINITY, () => new ConnectionError('lost'))
  const controller = new AbortController()
  const asked = requests.make(controller.signal, never)
  await clock.advance(50)
  const reason = new Error('enough')
  controller.abort(reason)
  await assert.rejects(asked, reason)
  await assert.rejects(requests.make(controller.signal, never), reason)
  assert.equal(holds(), 0)
})
