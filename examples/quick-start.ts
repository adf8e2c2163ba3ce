/**
 * The five minutes: a topic, a few messages, and everything that they can be asked.
 *
 *     npm start                                              (in another terminal: the broker)
 *     npx node --conditions=source examples/quick-start.ts
 */
import { env } from 'node:process'
import { connect } from '@kaska/client'

await using client = await connect(env['KASKA_URL'] ?? 'kaska://127.0.0.1:9092')

const topic = `greetings-${Date.now()}`
await client.createTopic(topic)

// Subscribing starts at the end: only what is sent from now on is seen.
await client.send(topic, 'nobody sees this one')
await client.subscribe([topic])

await client.send(topic, 'hello')
await client.send(topic, { key: 'k', value: 'world', headers: { from: 'quick-start' } })
await client.sendBatch(topic, ['one', 'two', 'three'])

const decoder = new TextDecoder()
for (let count = 0; count < 5; count++) {
  const message = await client.poll({ timeoutMs: 5000 })
  if (message === undefined) throw new Error('the messages did not arrive')
  console.log(`${message.offset}: ${decoder.decode(message.value ?? undefined)}`)
}

// Seek back: a log forgets nothing when it is read.
client.seek(topic, 0)
const first = await client.poll({ timeoutMs: 5000 })
console.log(`again ${first?.offset}: ${decoder.decode(first?.value ?? undefined)}`)

await client.commit('quick-start', topic, client.position(topic))
console.log('committed', await client.committed('quick-start', topic))
console.log('end', await client.endOffset(topic))
await client.deleteTopic(topic)
