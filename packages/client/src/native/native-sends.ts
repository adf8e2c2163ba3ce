/**
 * Sends over native connections, in their order: one that has to wait for the connection, a topic's number
 * or the producer makes those that come later wait behind it, and others leave at once.
 */
import {
  native,
  type ProducerIdentity,
  ProtocolError,
  type RequestContext,
  type SendPartResult,
  type SendRequest,
} from '@kaska/protocol'
import type { NativeConnection } from './native-connection.ts'
import type { NativeLink } from './native-link.ts'
import { type NativeTopics, refOf } from './native-topics.ts'

export class NativeSends {
  readonly #link: NativeLink
  readonly #topics: NativeTopics
  /** Settles when those that wait have left. */
  #turn: Promise<void> = Promise.resolve()
  #waiting = 0

  constructor(link: NativeLink, topics: NativeTopics) {
    this.#link = link
    this.#topics = topics
  }

  /**
   * In turn with the sends: the connection is the new producer's as soon as the broker has made it,
   * and what was sent for another one behind it would count as the new one's.
   */
  initProducer({ signal }: RequestContext): Promise<ProducerIdentity> {
    return this.#inTurn(async () => {
      const connection = await this.#link.connected(signal)
      return { answer: await this.#registerProducer(connection, undefined, signal) }
    })
  }

  send(request: SendRequest, context: RequestContext): Promise<readonly SendPartResult[]> {
    const { connection } = this.#link
    if (connection !== undefined && this.#waiting === 0 && isPrepared(connection, request)) {
      return this.#sendOn(connection, request, context)
    }
    return this.#sendInTurn(request, context)
  }

  /** The way of a send that has to wait for something: those that come later wait behind it. */
  #sendInTurn(request: SendRequest, context: RequestContext): Promise<readonly SendPartResult[]> {
    return this.#inTurn(async () => {
      const connection = await this.#link.connected(context.signal)
      await this.#topics.prepare(connection, request.parts, context.signal)
      if (request.producer !== undefined && !isSame(connection.producer, request.producer)) {
        await this.#registerProducer(connection, request.producer, context.signal)
      }
      return { answer: this.#sendOn(connection, request, context) }
    })
  }

  /** Runs `start` when it is its turn; the next one's turn comes before the answer. */
  async #inTurn<T>(start: () => Promise<{ readonly answer: T | Promise<T> }>): Promise<T> {
    const turn = this.#turn
    const { promise, resolve: pass } = Promise.withResolvers<void>()
    this.#turn = promise
    this.#waiting++
    let started: { readonly answer: T | Promise<T> }
    try {
      await turn
      started = await start()
    } finally {
      this.#waiting--
      pass()
    }
    return started.answer
  }

  async #registerProducer(
    connection: NativeConnection,
    producer: ProducerIdentity | undefined,
    signal: AbortSignal | undefined,
  ): Promise<ProducerIdentity> {
    // Should nobody hear of the answer, nothing is known of the connection's producer.
    connection.producer = undefined
    const given = await connection.request(
      native.operation.initProducer,
      (writer) => native.writeProducer(writer, producer),
      (reader) => {
        const answer = native.readProducer(reader)
        if (answer === undefined) throw new ProtocolError('the broker gives no producer id')
        connection.producer = answer
        return answer
      },
      signal,
    )
    return given
  }

  #sendOn(
    connection: NativeConnection,
    request: SendRequest,
    context: RequestContext,
  ): Promise<readonly SendPartResult[]> {
    if (connection.goneTopics.size > 0) {
      const kept = request.parts.filter(({ topic }) => !connection.goneTopics.has(topic))
      if (kept.length < request.parts.length) {
        return this.#sendWithoutGone(connection, request, kept, context)
      }
    }
    const parts = request.parts.map(
      (part): native.SendPartFrame => ({
        ref: refOf(connection, part.topic),
        partition: part.partition,
        baseSequence: part.baseSequence,
        batch: part.batch,
      }),
    )
    return connection.request(
      native.operation.send,
      (writer) => native.writeSendRequest(writer, parts),
      (reader, status) =>
        native.readSendResponse(reader, parts.length, status, native.readErrorDetails),
      context.signal,
    )
  }

  async #sendWithoutGone(
    connection: NativeConnection,
    request: SendRequest,
    kept: SendRequest['parts'],
    context: RequestContext,
  ): Promise<readonly SendPartResult[]> {
    const answers =
      kept.length === 0 ? [] : await this.#sendOn(connection, { ...request, parts: kept }, context)
    return request.parts.map((part) => {
      const index = kept.indexOf(part)
      return index === -1
        ? { error: this.#topics.gone(part.topic) }
        : (answers[index] as SendPartResult)
    })
  }
}

/** Can the send leave at once? */
function isPrepared(connection: NativeConnection, request: SendRequest): boolean {
  if (request.producer !== undefined && !isSame(connection.producer, request.producer)) return false
  for (const { topic } of request.parts) {
    if (!connection.refs.has(topic) && !connection.goneTopics.has(topic)) return false
  }
  return true
}

function isSame(one: ProducerIdentity | undefined, other: ProducerIdentity): boolean {
  return (
    one !== undefined &&
    one.producerId === other.producerId &&
    one.producerEpoch === other.producerEpoch
  )
}
