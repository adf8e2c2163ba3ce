/**
 * Topics on native connections, where they are known by numbers which the broker gives anew on each:
 * a topic's name is resolved again on a connection that has no number for it yet, and if it has another
 * id by then, the topic is gone. So an id can be used only once its name was seen.
 */
import {
  native,
  ProtocolError,
  type TopicId,
  type TopicInfo,
  type TopicName,
  UnknownTopicError,
} from '@kaska/protocol'
import type { NativeConnection } from './native-connection.ts'

/** Names of one `resolve` frame. */
const resolveBytesMax = 1 << 20

export class NativeTopics {
  readonly #names = new Map<TopicId, TopicName>()

  /** The topic with this id was seen under this name. */
  note(id: TopicId, name: TopicName): void {
    this.#names.set(id, name)
  }

  /** Makes sure that the broker's numbers for these topics are known, or that they are gone. */
  async prepare(
    connection: NativeConnection,
    parts: readonly { readonly topic: TopicId }[],
    signal: AbortSignal | undefined,
  ): Promise<void> {
    let names: TopicName[] | undefined
    for (const { topic } of parts) {
      if (connection.refs.has(topic) || connection.goneTopics.has(topic)) continue
      const name = this.#names.get(topic)
      if (name === undefined) {
        connection.goneTopics.add(topic)
        continue
      }
      names ??= []
      names.push(name)
    }
    if (names === undefined) return
    await this.resolve(connection, names, signal)
    for (const { topic } of parts) {
      if (!connection.refs.has(topic)) connection.goneTopics.add(topic)
    }
  }

  /** What the names stand for; their numbers on the connection are known then. */
  async resolve(
    connection: NativeConnection,
    names: readonly TopicName[],
    signal: AbortSignal | undefined,
  ): Promise<(TopicInfo | undefined)[]> {
    const answers = await Promise.all(
      slicesOf(names).map((slice) =>
        connection.request(
          native.operation.resolve,
          (writer) => native.writeResolveRequest(writer, slice),
          (reader) => {
            const resolved = native.readResolveResponse(reader, slice.length)
            // Known before anything else of this connection's answers is read.
            return resolved.map((topic, index) => {
              if (topic === undefined) return undefined
              const name = slice[index] as TopicName
              connection.refs.set(topic.id, topic.ref)
              connection.goneTopics.delete(topic.id)
              connection.topics.set(topic.ref, topic.id)
              this.#names.set(topic.id, name)
              return { name: name.text, id: topic.id, partitions: topic.partitions }
            })
          },
          signal,
        ),
      ),
    )
    return answers.flat()
  }

  /** Throws UnknownTopicError for a topic that is gone. */
  refuseGone(connection: NativeConnection, topic: TopicId): void {
    if (connection.goneTopics.has(topic)) throw this.gone(topic)
  }

  /** What a call for a topic that is gone is answered with. */
  gone(topic: TopicId): UnknownTopicError {
    const name = this.#names.get(topic)
    return new UnknownTopicError(
      name === undefined
        ? `no topic with the id ${topic} was seen on this connection`
        : `the topic '${name.text}' was deleted`,
    )
  }
}

/** The broker's number for a topic that is prepared, and not gone. */
export function refOf(connection: NativeConnection, topic: TopicId): number {
  return connection.refs.get(topic) as number
}

/** The topic with the number. Throws ProtocolError: the broker speaks of a topic that nobody asked for. */
export function topicOf(connection: NativeConnection, ref: number): TopicId {
  const topic = connection.topics.get(ref)
  if (topic === undefined) throw new ProtocolError(`the broker speaks of topic number ${ref}`)
  return topic
}

/** Names in groups of which each fits into a frame well. */
function slicesOf(names: readonly TopicName[]): TopicName[][] {
  const slices: TopicName[][] = []
  let slice: TopicName[] = []
  let bytes = 0
  for (const name of names) {
    if (slice.length === 0 || bytes > resolveBytesMax) {
      slice = []
      slices.push(slice)
      bytes = 0
    }
    slice.push(name)
    for (const view of name.bytes) bytes += view.length
  }
  return slices
}
