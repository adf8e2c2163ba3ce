/** A group member on @platformatic/kafka: see group-member.ts. It commits each message once it has processed it. */
import process from 'node:process'
import { createInterface } from 'node:readline'
import { Consumer, stringDeserializer } from '@platformatic/kafka'
import { print } from './checks.ts'

const [bootstrap = '', topic = '', groupId = '', instanceId = '', assignor = ''] =
  process.argv.slice(2)
const consumer = new Consumer({
  groupId,
  clientId: 'kaska-compat',
  bootstrapBrokers: [bootstrap],
  sessionTimeout: 6_000,
  rebalanceTimeout: 10_000,
  heartbeatInterval: 300,
  maxWaitTime: 200,
  // Messages that wait in the client would be processed after their partition went to another member.
  highWaterMark: 1,
  deserializers: { value: stringDeserializer },
  retries: 30,
  retryDelay: 200,
  ...(instanceId === '' ? {} : { groupInstanceId: instanceId }),
  ...(assignor === '' ? {} : { protocols: [{ name: assignor, version: 1 }] }),
})

let assigned: readonly number[] = []
const positions = new Map<number, bigint>()
consumer.on('consumer:group:join', ({ assignments }) => {
  const now = assignments?.find((assignment) => assignment.topic === topic)?.partitions ?? []
  for (const partition of positions.keys()) {
    if (!now.includes(partition)) positions.delete(partition)
  }
  assigned = now
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
  print({ got: message.value })
  await message.commit()
  print({ committed: message.value })
}
