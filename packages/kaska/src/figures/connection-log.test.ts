import assert from 'node:assert/strict'
import { test } from 'node:test'
import { ManualClock } from '../../../../sim/manual-clock.ts'
import { ConnectionLog, type ConnectionOptions } from './connection-log.ts'
import { RequestFigures } from './request-figures.ts'

const one: ConnectionOptions = {
  protocol: 'kafka',
  address: '10.0.0.1:1234',
  isTls: true,
  bytes: { bytesIn: 1, bytesOut: 2 },
}

function createLog() {
  return { log: new ConnectionLog(new ManualClock()), requests: new RequestFigures() }
}

test('connections are found while they last, and counted by protocol', () => {
  const { log } = createLog()
  const first = log.open(one)
  const second = log.open({ ...one, protocol: 'native', software: 'tool 1' })
  assert.deepEqual([...log.from(0)], [first, second])
  assert.deepEqual([...log.from(second.id)], [second])
  assert.deepEqual(log.count, { native: 1, kafka: 1, http: 0, websocket: 0 })
  assert.equal(second.software, 'tool 1')
  log.close(first)
  log.close(first)
  assert.deepEqual(log.count, { native: 1, kafka: 0, http: 0, websocket: 0 })
  assert.equal(log.opened.kafka, 1)
})

test('requests are counted for their connection and for their operation', () => {
  const { log, requests } = createLog()
  const connection = log.open(one)
  const fetch = requests.of('kafka', 'Fetch')
  assert.equal([...connection.operations].length, 0)
  connection.answered(fetch, 10, 15, undefined)
  connection.answered(fetch, 20, 21, 'UNKNOWN_TOPIC_ID')
  log.open(one).answered(fetch, 30, 30, undefined)
  assert.deepEqual([...connection.operations], [[fetch, { count: 2, failures: 1 }]])
  assert.deepEqual([fetch.requests, fetch.failures, fetch.latency.count], [3, 1, 3])
  assert.equal(connection.lastRequest, 20)
  assert.equal(connection.lastError?.text, 'Fetch: UNKNOWN_TOPIC_ID')
  assert.deepEqual(requests.totals(), { requests: 3, failures: 1 })
  assert.equal(requests.of('kafka', 'Fetch'), fetch)
  requests.of('kafka', 'Produce')
  assert.deepEqual([...requests], [fetch])
})

test('what is kept is bounded, whatever peers say', () => {
  const { log } = createLog()
  for (let index = 0; index < 250; index++) {
    const connection = log.open(one)
    connection.clientId = 'x'.repeat(100_000)
    connection.software = '\u{1F600}'.repeat(100_000)
    connection.refused(`${index} ${'y'.repeat(100_000)}`)
    log.close(connection)
  }
  assert.equal(log.notes.length, 100)
  assert.match(log.notes[0]?.text ?? '', /^249 /)
  assert(JSON.stringify(log.notes).length < 100 * 1000)
  assert.equal(log.refused.kafka, 250)
  assert.equal([...log.from(0)].length, 0)
})
