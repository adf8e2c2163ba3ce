/**
 * CreatePartitions (key 37), versions 0 to 3: gives topics more partitions, durable and usable when the
 * answer comes. The number is that of all partitions. Assignments may name this broker alone.
 */
import { kafka } from '@kaska/protocol'
import { partitionsMax } from '../config/broker-config.ts'
import { forEachAtOnce, repeated } from './at-once.ts'
import { handler, type KafkaContext } from './handler.ts'
import { Refusal, refusedRow } from './refusal.ts'
import { checkReplicas, findTopic } from './topics.ts'

const { errorCode } = kafka

type Wanted = kafka.CreatePartitionsRequest['topics'][number]
type Row = Partial<kafka.CreatePartitionsResponse['results'][number]>

export const createPartitions = handler({
  key: 37,
  versions: '0-3',
  request: kafka.createPartitionsRequest,
  response: kafka.createPartitionsResponse,
  handle: async (context, { topics, validateOnly }) => {
    const twice = repeated(topics.map(({ name }) => name))
    const once = topics.filter(({ name }) => !twice.has(name))
    const results = await forEachAtOnce(once, context.broker.clock, async (one): Promise<Row> => {
      try {
        await grow(context, one, validateOnly)
        return { name: one.name }
      } catch (error) {
        return { name: one.name, ...refusedRow(error) }
      }
    })
    for (const name of twice) {
      const errorMessage = 'the request names the topic more than once'
      results.push({ name, errorCode: errorCode.INVALID_REQUEST, errorMessage })
    }
    return { results }
  },
})

async function grow(
  context: KafkaContext,
  { name, count, assignments }: Wanted,
  validateOnly: boolean,
): Promise<void> {
  const topic = findTopic(context, { name, id: undefined })
  if (topic === undefined) {
    throw new Refusal(errorCode.UNKNOWN_TOPIC_OR_PARTITION, 'there is no topic with this name')
  }
  const { partitions } = topic
  if (count <= partitions || count > partitionsMax) {
    throw new Refusal(
      errorCode.INVALID_PARTITIONS,
      `the topic has ${partitions} partitions, and may have up to ${partitionsMax}: not ${count}`,
    )
  }
  if (assignments !== null) {
    const added = count - partitions
    if (assignments.length !== added) {
      throw new Refusal(
        errorCode.INVALID_REPLICA_ASSIGNMENT,
        `${added} partitions are added, ${assignments.length} are assigned`,
      )
    }
    for (const { brokerIds } of assignments) checkReplicas(context, brokerIds)
  }
  if (!validateOnly) await context.broker.store.growTopic(name, count, context.request)
}
