/**
 * A process for durability-start.test.ts: makes many topics in a directory, writes to some of them, says
 * so, and waits to be killed.
 *
 *     node written-topics.ts DIRECTORY TOPICS WRITTEN
 */
import process from 'node:process'
import { topicNameOf } from '@kaska/protocol'
import { createBroker } from '../src/broker.ts'
import { batchOf, context } from './batches.ts'

const [data = '', topics = '', written = ''] = process.argv.slice(2)
const broker = await createBroker({ data, sync: 'os' })
const ids: string[] = []
for (let created = 0; created < Number(topics); ) {
  const count = Math.min(1000, Number(topics) - created)
  const names = Array.from({ length: count }, (_, index) => `topic-${created + index}`)
  const create = (name: string) =>
    broker.engine.createTopic(
      { name: topicNameOf(name), partitions: 1, config: new Map() },
      context,
    )
  for (const { id } of await Promise.all(names.map(create))) ids.push(id)
  created += count
}
const step = Math.floor(ids.length / Number(written))
for (let index = 0; index < Number(written); index++) {
  const topic = ids[index * step] ?? ''
  const part = { topic, partition: 0, baseSequence: -1, batch: batchOf([`message of ${topic}`]) }
  const [result] = await broker.engine.send({ producer: undefined, parts: [part] }, context)
  if (result?.error !== undefined) throw result.error
}
process.stdout.write('written\n')
setInterval(() => {}, 1000)
