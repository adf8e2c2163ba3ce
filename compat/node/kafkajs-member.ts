/** A group member on kafkajs: see group-member.ts. It commits each message once it has processed it. */
import process from 'node:process'
import { createInterface } from 'node:readline'
import kafkajs from 'kafkajs'
import { print } from './checks.ts'
import { tellOf } from './group-member.ts'

const [bootstrap = '', topic = '', groupId = '', , , sessionMs = ''] = process.argv.slice(2)
const kafka = new kafkajs.Kafka({
  brokers: [bootstrap],
  logLevel: kafkajs.logLevel.ERROR,
  retry: { initialRetryTime: 50, maxRetryTime: 1_000, retries: 30 },
})
const consumer = kafka.consumer({
  groupId,
  sessionTimeout: Number(sessionMs),
  rebalanceTimeout: 10_000,
  heartbeatInterval: 300,
  maxWaitTimeInMs: 200,
})

let isLeaving = false
createInterface({ input: process.stdin }).on('line', () => {
  isLeaving = true
  void consumer.disconnect().then(() => process.exit(0))
})
consumer.on('consumer.group_join', ({ payload }) => {
  print({ assigned: payload.memberAssignment[topic] ?? [] })
})
await consumer.connect()
await consumer.subscribe({ topic, fromBeginning: true })
await consumer.run({
  autoCommit: false,
  eachMessage: async ({ partition, message }) => {
    const value = message.value?.toString()
    tellOf('got', value)
    await consumer.commitOffsets([{ topic, partition, offset: String(Number(message.offset) + 1) }])
    // One that leaves does not say whether its commit was refused.
    tellOf(isLeaving ? 'unsure' : 'committed', value)
  },
})
