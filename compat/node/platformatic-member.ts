/** A group member on @platformatic/kafka: see group-member.ts. It commits each message once it has processed it. */
import process from 'node:process'
import { createInterface } from 'node:readline'
import { Consumer, stringDeserializer } from '@platformatic/kafka'
import { print } from './checks.ts'
import { tellOf } from './group-member.ts'

const [bootstrap = '', topic = '', groupId = '', instanceId = '', assignor = '', sessionMs = ''] =
  process.argv.slice(2)
const consumer = new Consumer({
  groupId,
  clientId: 'kaska-compat',
  bootstrapBrokers: [bootstrap],
  sessionTimeout: Number(sessionMs),
  // No shorter than the session.
  rebalanceTimeout: Math.max(10_000, Number(sessionMs)),
  heartbeatInterval: 300,
  maxWaitTime: 200,
  // Messages that wait in the client would be processed after their partition went to another member.
  highWaterMark: 1,
  deserializers: { value: stringDeserializer },
  retries: 100,
  retryDelay: 200,
  ...(instanceId === '' ? {} : { groupInstanceId: instanceId }),
  ...(assignor === '' ? {} : { protocols: [{ name: assignor, version: 1 }] }),
})

let assigned: readonly number[] = []
let joins = 0
const positions = new Map<number, bigint>()
consumer.on('consumer:group:join', ({ assignments }) => {
  const now = assignments?.find((assignment) => assignment.topic === topic)?.partitions ?? []
  for (const partition of positions.keys()) {
    if (!now.includes(partition)) positions.delete(partition)
  }
  assigned = now
  joins++
  print({ assigned })
})
createInterface({ input: process.stdin }).on('line', () => {
  void consumer.close(true).then(() => process.exit(0))
})
const stream = await consumer.consume({
  topics: [topic],
  mode: 'committed',
  fallbackMode: 'earliest',
  autocommit: false,
})
for await (const message of stream) {
  // The stream still gives what it had fetched before a rebalance, and fetches some of it again.
  const { partition, offset } = message
  if (!assigned.includes(partition) || offset < (positions.get(partition) ?? 0n)) continue
  positions.set(partition, offset + 1n)
  const joinsBefore = joins
  tellOf('got', message.value)
  await message.commit()
  // A commit that a rebalance has refused is sent once more after it, whoever has the partition then.
  tellOf(joins === joinsBefore ? 'committed' : 'unsure', message.value)
}
