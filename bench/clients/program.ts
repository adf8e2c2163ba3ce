/**
 * One client library under load, in a process of its own, as a program uses it: the library's own batching
 * call and its own way to consume, with its defaults, acknowledged by all, nothing compressed.
 *
 *     node --conditions=source bench/clients/program.ts LIBRARY LOAD PORT TOPIC BYTES COUNT
 *
 * Does a fifth of the load first, so that the code is compiled; then prints what the load took, as JSON. The
 * libraries other than ours are installed into this folder (bench/clients.ts does it) and have their types there.
 */
import process from 'node:process'
import { connect } from '@kaska/client'

/** What a library has to do; values are the same bytes for all. */
interface Driver {
  /** One call for each message; resolves when all are acknowledged. */
  sendEach(values: readonly Uint8Array[]): Promise<unknown>
  /** One call for all of them. */
  sendBatch(values: readonly Uint8Array[]): Promise<unknown>
  /** Reads so many messages from the topic's start, each with its value as bytes. */
  consume(count: number): Promise<void>
  close(): Promise<unknown>
}

const batchMessages = 100
const batchesAtOnce = 5
const sendsAtOnce = 1000

type Maker = (port: number, topic: string) => Promise<Driver>

const makers: Readonly<Record<string, Maker>> = { kaska, platformatic, kafkajs }

async function kaska(port: number, topic: string): Promise<Driver> {
  const client = await connect(`kaska://127.0.0.1:${port}`)
  return {
    sendEach: (values) => Promise.all(values.map((value) => client.send(topic, value))),
    sendBatch: (values) => client.sendBatch(topic, values),
    async consume(count) {
      await client.subscribe([topic])
      client.seek(topic, 0)
      let left = count
      for await (const { value } of client.messages()) {
        left -= value === null ? 0 : 1
        if (left === 0) break
      }
      client.unsubscribe()
    },
    close: () => client.close(),
  }
}

async function platformatic(port: number, topic: string): Promise<Driver> {
  const { Producer, Consumer } = await load('@platformatic/kafka')
  const base = { clientId: 'bench', bootstrapBrokers: [`127.0.0.1:${port}`] }
  const producer = new Producer(base)
  return {
    sendEach: (values) =>
      Promise.all(values.map((value) => producer.send({ messages: [{ topic, value }] }))),
    sendBatch: (values) => producer.send({ messages: values.map((value) => ({ topic, value })) }),
    async consume(count) {
      const consumer = new Consumer({ ...base, groupId: groupName() })
      const stream = await consumer.consume({ topics: [topic], mode: 'earliest' })
      await new Promise<void>((resolve, reject) => {
        let left = count
        stream.on('error', reject)
        stream.on('data', ({ value }: { value: Uint8Array | null }) => {
          left -= value === null ? 0 : 1
          if (left === 0) resolve()
        })
      })
      await consumer.close(true)
    },
    close: () => producer.close(),
  }
}

async function kafkajs(port: number, topic: string): Promise<Driver> {
  const { Kafka, logLevel } = await load('kafkajs')
  const kafka = new Kafka({
    clientId: 'bench',
    brokers: [`127.0.0.1:${port}`],
    logLevel: logLevel.NOTHING,
  })
  const producer = kafka.producer()
  await producer.connect()
  return {
    sendEach: (values) =>
      Promise.all(values.map((value) => producer.send({ topic, messages: [{ value }] }))),
    sendBatch: (values) => producer.send({ topic, messages: values.map((value) => ({ value })) }),
    async consume(count) {
      const consumer = kafka.consumer({ groupId: groupName() })
      await consumer.connect()
      await consumer.subscribe({ topics: [topic], fromBeginning: true })
      await new Promise<void>((resolve) => {
        let left = count
        // Its faster way: eachMessage takes a promise a message.
        void consumer.run({
          eachBatch: async ({ batch }: { batch: { messages: { value: Uint8Array }[] } }) => {
            for (const { value } of batch.messages) left -= value === null ? 0 : 1
            if (left <= 0) resolve()
          },
        })
      })
      await consumer.disconnect()
    },
    close: () => producer.disconnect(),
  }
}

/** A library that is installed on demand: its types are there only then. */
// biome-ignore lint/suspicious/noExplicitAny: see above.
async function load(name: string): Promise<any> {
  const module = (await import(name)) as Record<string, unknown>
  return module['default'] ?? module
}

let groups = 0
function groupName(): string {
  groups++
  return `bench-${process.pid}-${groups}`
}

const loads: Readonly<
  Record<string, (driver: Driver, values: Uint8Array[], count: number) => Promise<void>>
> = {
  async each(driver, values, count) {
    const some = Array.from({ length: sendsAtOnce }, (_, index) => values[index % batchMessages])
    for (let sent = 0; sent < count; sent += sendsAtOnce) {
      await driver.sendEach(some as Uint8Array[])
    }
  },
  async batches(driver, values, count) {
    for (let sent = 0; sent < count; sent += batchMessages * batchesAtOnce) {
      await Promise.all(Array.from({ length: batchesAtOnce }, () => driver.sendBatch(values)))
    }
  },
  consume: (driver, _values, count) => driver.consume(count),
}

const [library = '', loadName = '', port = '', topic = '', bytes = '', count = ''] =
  process.argv.slice(2)
const maker = makers[library]
const run = loads[loadName]
if (maker === undefined || run === undefined) throw new Error('see the head of this file')
const driver = await maker(Number(port), topic)
const value = Buffer.alloc(Number(bytes), 'abcdefghijklmnopqrstuvwxyz')
const values = Array.from({ length: batchMessages }, () => value)
await run(driver, values, Number(count) / 5)
const cpu = process.cpuUsage()
const started = performance.now()
await run(driver, values, Number(count))
const seconds = (performance.now() - started) / 1000
const { user, system } = process.cpuUsage(cpu)
console.log(JSON.stringify({ seconds, messages: Number(count), cpuSeconds: (user + system) / 1e6 }))
await driver.close()
process.exit(0)
