/**
 * DeleteTopics (key 20), versions 0 to 6: by name, and from version 6 on by name or by id. Answered when
 * the deletion is durable. Where `delete.topic.enable` forbids it every topic is refused.
 */
import { kafka, noTopicId, topicNameOf } from '@kaska/protocol'
import { forEachAtOnce, repeated } from './at-once.ts'
import { handler, type KafkaContext } from './handler.ts'
import { Refusal, refusedRow } from './refusal.ts'
import { findTopic } from './topics.ts'

const { errorCode } = kafka

/** What a request names. */
interface Wanted {
  readonly name: string | null
  readonly topicId: string
}

type Row = Partial<kafka.DeleteTopicsResponse['responses'][number]>

export const deleteTopics = handler({
  key: 20,
  versions: '0-6',
  request: kafka.deleteTopicsRequest,
  response: kafka.deleteTopicsResponse,
  handle: async (context, { topics, topicNames }, version) => {
    const wanted: readonly Wanted[] =
      version >= 6 ? topics : topicNames.map((name) => ({ name, topicId: noTopicId }))
    const keys = wanted.map((one) => keyOf(context, one))
    const twice = repeated(keys)
    const once = [...new Map(wanted.map((one, index) => [keys[index], one])).values()]
    const responses = await forEachAtOnce(once, context.broker.clock, async (one): Promise<Row> => {
      try {
        check(one)
        if (twice.has(keyOf(context, one))) {
          throw new Refusal(errorCode.INVALID_REQUEST, 'the request names the topic more than once')
        }
        return await remove(context, one, version)
      } catch (error) {
        return { ...one, ...refusedRow(error) }
      }
    })
    return { responses }
  },
})

/** Throws Refusal where it names a topic by both its name and its id, or by neither. */
function check({ name, topicId }: Wanted): void {
  if ((name === null) !== (topicId === noTopicId)) return
  const which = name === null ? 'neither a name nor an id' : 'a name and an id'
  throw new Refusal(errorCode.INVALID_REQUEST, `a topic to delete has ${which}`)
}

async function remove(context: KafkaContext, wanted: Wanted, version: number): Promise<Row> {
  const { store, config } = context.broker
  if (!config.deleteTopics) {
    const code = version < 3 ? errorCode.INVALID_REQUEST : errorCode.TOPIC_DELETION_DISABLED
    throw new Refusal(code, 'delete.topic.enable is false')
  }
  const topic = topicOf(context, wanted)
  if (topic === undefined) {
    throw wanted.name === null
      ? new Refusal(errorCode.UNKNOWN_TOPIC_ID, 'there is no topic with this id')
      : new Refusal(errorCode.UNKNOWN_TOPIC_OR_PARTITION, 'there is no topic with this name')
  }
  const { name, id } = topic
  await store.deleteTopic(topicNameOf(name), context.request)
  return { name, topicId: id }
}

function topicOf(context: KafkaContext, { name, topicId }: Wanted) {
  return findTopic(context, { name: name ?? '', id: name === null ? topicId : undefined })
}

/** The same for each way in which a request may name one topic. */
function keyOf(context: KafkaContext, wanted: Wanted): string {
  const { name, topicId } = wanted
  const isOneOf = (name === null) !== (topicId === noTopicId)
  const topic = isOneOf ? topicOf(context, wanted) : undefined
  return topic === undefined ? `${topicId} ${name}` : topic.id
}
