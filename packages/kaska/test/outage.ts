/**
 * Two clients, one that sends without a pause and one that polls, while something happens to what stands behind
 * their URL; and the proof: no acknowledged message is lost, repeated or out of order, and no send fails.
 */
import assert from 'node:assert/strict'
import type { TestContext } from 'node:test'
import { setTimeout as delay } from 'node:timers/promises'
import { type Client, ConnectionError, connect, type SendResult } from '@kaska/client'
import { textOf } from './client-modes.ts'

const partitions = 6
const keys = 20

/** `happen` resolves when everything has happened and is well again. */
export async function throughOutage(
  t: TestContext,
  url: string,
  topic: string,
  happen: () => Promise<void>,
): Promise<void> {
  await using producer = await connect(url)
  await using consumer = await connect(url)
  await producer.createTopic(topic, { partitions })
  await consumer.subscribe([topic])
  const writer = new Writer(producer, topic)
  const reader = new Reader(consumer)
  const run = async (): Promise<Sent[]> => {
    try {
      await happen()
    } finally {
      writer.stop()
    }
    const sent = await writing
    reader.stopAt(sent.length)
    return sent
  }
  const writing = writer.run()
  writing.catch(() => {})
  const reading = reader.run()
  reading.catch(() => writer.stop())
  const [sent] = await Promise.all([run(), reading])

  t.diagnostic(`${sent.length} messages`)

  // Each is where it was said to be, and nothing else is anywhere.
  assert.equal(reader.places.size, sent.length)
  for (const { value, partition, offset } of sent) {
    assert.equal(reader.places.get(value), `${partition}:${offset}`)
  }
  assertInOrder(reader.values)

  await consumer.commit('reader', topic, 7, 2)
  assert.equal(await producer.committed('reader', topic, 2), 7)
  await using late = await connect(url)
  const ends = await Promise.all(
    Array.from({ length: partitions }, (_, partition) => late.endOffset(topic, partition)),
  )
  assert.equal(
    ends.reduce((sum, end) => sum + end, 0),
    sent.length,
  )
}

/** Who polls while nobody is there is told so, and polls again. */
function outOfReach(error: unknown): undefined {
  if (!(error instanceof ConnectionError)) throw error
}

/** The messages of a key have numbers that go up by one. */
function assertInOrder(values: readonly string[]): void {
  const next = new Map<string, number>()
  for (const value of values) {
    const [key = '', number] = value.split('/')
    assert.equal(Number(number), next.get(key) ?? 0, `${value} is out of order`)
    next.set(key, Number(number) + 1)
  }
  assert.equal(next.size, keys)
}

interface Sent extends SendResult {
  readonly value: string
}

/** Sends without a pause, some hundred messages at a time. */
class Writer {
  readonly #client: Client
  readonly #topic: string
  #isStopped = false

  constructor(client: Client, topic: string) {
    this.#client = client
    this.#topic = topic
  }

  stop(): void {
    this.#isStopped = true
  }

  async run(): Promise<Sent[]> {
    const sends: Promise<Sent>[] = []
    for (let round = 0; !this.#isStopped; round++) {
      for (let key = 0; key < keys; key++) sends.push(this.#send(`key-${key}`, round))
      // It does not wait for answers: those under way when a broker dies are many.
      await delay(1)
    }
    return await Promise.all(sends)
  }

  async #send(key: string, number: number): Promise<Sent> {
    const value = `${key}/${number}`
    return { value, ...(await this.#client.send(this.#topic, { key, value })) }
  }
}

/** Reads until it has seen as many as there are, and then for what may come beyond. */
class Reader {
  readonly values: string[] = []
  /** Where each was: `partition:offset`. */
  readonly places = new Map<string, string>()
  readonly #client: Client
  #wanted = Number.POSITIVE_INFINITY

  constructor(client: Client) {
    this.#client = client
  }

  stopAt(count: number): void {
    this.#wanted = count
  }

  async run(): Promise<void> {
    for (;;) {
      const message = await this.#client.poll({ timeoutMs: 500 }).catch(outOfReach)
      if (message === undefined) {
        if (this.values.length >= this.#wanted) return
        continue
      }
      const value = textOf(message)
      assert.ok(!this.places.has(value), `${value} came twice`)
      this.places.set(value, `${message.partition}:${message.offset}`)
      this.values.push(value)
    }
  }
}
