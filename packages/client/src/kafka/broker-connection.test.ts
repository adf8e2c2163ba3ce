import assert from 'node:assert/strict'
import { test } from 'node:test'
import { type Chunks, ChunkWriter, ConnectionError, kafka } from '@kaska/protocol'
import { drainMicrotasks, ManualClock } from '../../../../sim/manual-clock.ts'
import { BrokerConnection } from './broker-connection.ts'
import type { KafkaCall, KafkaLink } from './kafka-link.ts'

const address = { host: 'broker', port: 9092 }

/** A link on which a test answers, one request after the other. */
class ScriptedLink implements KafkaLink {
  isClosed = false
  readonly #waiting: { call: KafkaCall; answer: PromiseWithResolvers<Chunks> }[] = []

  request(call: KafkaCall): Promise<Chunks> {
    const answer = Promise.withResolvers<Chunks>()
    this.#waiting.push({ call, answer })
    return answer.promise
  }

  close(): void {
    this.isClosed = true
    for (const { answer } of this.#waiting.splice(0)) answer.reject(new Error('closed'))
  }

  answer(): void {
    const first = this.#waiting.shift()
    assert(first !== undefined)
    const { version, key } = first.call
    const writer = new ChunkWriter()
    if (key === kafka.metadataRequest.key) {
      kafka.metadataResponse.write(writer, { brokers: [], topics: [] }, version)
    } else {
      const { max: maxVersion } = kafka.metadataRequest.versions
      const apiKeys = [{ apiKey: kafka.metadataRequest.key, minVersion: 0, maxVersion }]
      kafka.apiVersionsResponse.write(writer, { apiKeys }, version)
    }
    first.answer.resolve(writer.finish())
  }
}

async function open() {
  const clock = new ManualClock()
  const link = new ScriptedLink()
  const dialer = { dial: () => Promise.resolve(link) }
  const opening = BrokerConnection.open(dialer, address, clock, new AbortController().signal)
  await drainMicrotasks()
  link.answer()
  const connection = await opening
  const ask = (waitMs: number) => {
    const input = { topics: [] }
    const options = { waitMs }
    return connection.request(kafka.metadataRequest, kafka.metadataResponse, input, options)
  }
  return { ask, clock, connection, link }
}

test('what is asked behind a request that takes its time is not taken for unanswered', async () => {
  const { ask, clock, link } = await open()
  const slow = ask(30_000)
  const behind = [ask(0), ask(0)]
  await clock.advance(35_000)
  link.answer()
  await slow
  await clock.advance(9_000)
  link.answer()
  await behind[0]
  await clock.advance(9_000)
  link.answer()
  await behind[1]
  assert.equal(link.isClosed, false)
})

test('a broker that is silent for ten seconds is given up, with all that it was asked', async () => {
  const { ask, clock, connection } = await open()
  const asked = [ask(0), ask(30_000)]
  const rejected = asked.map((one) => assert.rejects(one, /is silent/))
  await clock.advance(9_999)
  assert.equal(connection.isClosed, false)
  await clock.advance(1)
  await Promise.all(rejected)
  await assert.rejects(ask(0), ConnectionError)
})

test('one that is given up before it has told its versions is closed', async () => {
  const link = new ScriptedLink()
  const attempt = new AbortController()
  const dialer = { dial: () => Promise.resolve(link) }
  const opening = BrokerConnection.open(dialer, address, new ManualClock(), attempt.signal)
  await drainMicrotasks()
  attempt.abort()
  assert.equal(link.isClosed, true)
  await assert.rejects(opening, ConnectionError)
})
