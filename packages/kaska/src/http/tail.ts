/**
 * /api/v1/topics/TOPIC/tail: messages as they come, as Server-Sent Events. An event's id is the positions
 * behind it, `0:17,1:4`: a browser that connects again sends it, and goes on there without a gap.
 *
 * A tail holds little: some batches, which are in the memory of answers until their last event was sent. Where
 * there is none free, or a cluster does not answer, it waits and asks again.
 */
import {
  InvalidArgumentError,
  KaskaError,
  OffsetOutOfRangeError,
  OverloadedError,
  type PolledBatch,
  type RequestContext,
  type StoredMessage,
  type TopicInfo,
  type TopicName,
  topicNameOf,
  UnknownTopicError,
} from '@kaska/protocol'
import { Slices } from '../transport/slices.ts'
import type { AnswerShare } from './answer-memory.ts'
import { endOf, messagesOf, ownRecords, type Reading } from './batch-messages.ts'
import { jsonBytesMax } from './body.ts'
import { contextOf, type HttpApp } from './http-parts.ts'
import { messageText } from './message-text.ts'
import { negotiate } from './negotiate.ts'
import { topicParameter } from './parameters.ts'
import { type Problem, problemOf } from './problem.ts'

/** A comment is sent after so long without a message, so that whoever is between does not give up. */
const silenceMs = 15_000
/** An event's id names every partition, and comes back in the head of a request. */
const partitionsMax = 500
/** Of batches, compressed, that are asked for at a time. */
const bytesAtOnce = 64 * 1024
/** How often is looked how many partitions there are. */
const lookMs = 30_000
const retryMs = 1000

const eventHeaders = { 'content-type': 'text/event-stream' }

const encoder = new TextEncoder()

export function tailPaths(app: HttpApp, reading: Reading, report: (line: string) => void): void {
  const { engine, answers } = reading

  app.get('/api/v1/topics/:topic/tail', async (context) => {
    const { req } = context
    negotiate(req.header('accept'), ['text/event-stream'])
    const asking = contextOf(context)
    const topic = await topicOf(topicParameter(req), engine, asking)
    const from = req.query('from') ?? 'end'
    if (from !== 'start' && from !== 'end') {
      throw new InvalidArgumentError(`from is start or end, not '${from}'`)
    }
    const resumed = positionsOf(req.header('last-event-id'))
    // Whoever asks for the head alone follows nothing.
    if (req.method === 'HEAD') return new Response(null, { headers: eventHeaders })
    const positions = new Map<number, number>()
    for (let partition = 0; partition < topic.partitions; partition++) {
      positions.set(partition, resumed.get(partition) ?? (await startOf(partition)))
    }
    const share = answers.of((callback) => context.env.ended(callback))
    const tail = new Tail(topic, positions, reading, share, asking)
    const events = tail.events(report)
    const stream = new ReadableStream<Uint8Array>(
      {
        async pull(controller) {
          const { value, done } = await events.next()
          if (done === true) controller.close()
          else controller.enqueue(encoder.encode(value))
        },
      },
      // The next one is made when this one has left.
      { highWaterMark: 0 },
    )
    return new Response(stream, { headers: eventHeaders })

    async function startOf(partition: number): Promise<number> {
      const { startOffset, endOffset } = await engine.offsets(topic.id, partition, asking)
      return from === 'start' ? startOffset : endOffset
    }
  })
}

class Tail {
  readonly #topic: TopicInfo
  /** By partition, in the order of their numbers. */
  readonly #positions: Map<number, number>
  /** Partitions in the order in which they are asked for: what brought something comes last. */
  readonly #order: Set<number>
  readonly #reading: Reading
  readonly #share: AnswerShare
  readonly #asking: RequestContext

  constructor(
    topic: TopicInfo,
    positions: Map<number, number>,
    reading: Reading,
    share: AnswerShare,
    asking: RequestContext,
  ) {
    this.#topic = topic
    this.#positions = positions
    this.#order = new Set(positions.keys())
    this.#reading = reading
    this.#share = share
    this.#asking = asking
  }

  /** Until who asks has gone, or it cannot go on: that is the last event. */
  async *events(report: (line: string) => void): AsyncGenerator<string, void, undefined> {
    yield ': begins\n\n'
    try {
      yield* this.#follow()
    } catch (error) {
      if (this.#asking.signal?.aborted === true) return
      const problem = problemOf(error)
      if (problem === undefined) report(`a tail: a mistake of ours: ${(error as Error).stack}`)
      // The other side opens it again, and goes on where it was.
      else yield `${problemEvent(problem)}\n\n`
    }
  }

  async *#follow(): AsyncGenerator<string, void, undefined> {
    const { clock } = this.#reading
    const slices = new Slices(clock)
    let lookedAt = clock.monotonic()
    for (;;) {
      try {
        if (clock.monotonic() - lookedAt >= lookMs) {
          await this.#look()
          lookedAt = clock.monotonic()
        }
        const batches = await this.#read()
        if (batches.length === 0) yield ': nothing new\n\n'
        for (const [batch, records] of batches) {
          for (const event of this.#eventsOf(batch, records)) {
            if (slices.isDueAfter(1 + event.length / 1024)) await slices.pause()
            yield event
          }
        }
        // All that was read has been sent.
        this.#share.giveBack()
      } catch (error) {
        if (!(error instanceof KaskaError) || !error.retriable) throw error
        this.#share.giveBack()
        yield `: ${error.code}, asked again soon\n\n`
        await new Promise<void>((resolve) => {
          clock.after(retryMs, resolve)
        })
      }
      this.#asking.signal?.throwIfAborted()
    }
  }

  /** What there is to send next: nothing after a while. Rejects with OverloadedError where there is no memory for it. */
  async #read(): Promise<readonly (readonly [PolledBatch, Uint8Array])[]> {
    const { id: topic } = this.#topic
    const parts = Array.from(this.#order, (partition) => {
      return { topic, partition, offset: this.#positions.get(partition) ?? 0 }
    })
    const request = { parts, waitMs: silenceMs, bytesMax: bytesAtOnce }
    const result = await this.#reading.engine.poll(request, this.#asking)
    try {
      for (const { partition, error } of result.failures) {
        if (!(error instanceof OffsetOutOfRangeError)) throw error
        // What was deleted meanwhile is passed over.
        this.#positions.set(partition, error.startOffset)
      }
      const batches: [PolledBatch, Uint8Array][] = []
      for (const batch of result.batches) {
        const take = (bytes: number) => this.#share.take(bytes)
        const records = await ownRecords(batch, this.#reading, take)
        const hasRoom = records !== undefined && take(2 * Math.min(records.length, jsonBytesMax))
        if (hasRoom) batches.push([batch, records])
        else if (batches.length > 0) break
        else throw new OverloadedError('the broker has no memory free for this answer')
      }
      return batches
    } finally {
      result.release()
    }
  }

  *#eventsOf(batch: PolledBatch, records: Uint8Array): Generator<string, void, undefined> {
    const { partition } = batch
    const positions = this.#positions
    this.#order.delete(partition)
    this.#order.add(partition)
    const position = positions.get(partition) ?? 0
    for (const message of messagesOf(batch, records, this.#topic.name)) {
      if (message.offset < position) continue
      positions.set(partition, message.offset + 1)
      const id = Array.from(positions, ([number, offset]) => `${number}:${offset}`)
      yield `id: ${id.join(',')}\n${eventOf(message)}\n\n`
    }
    positions.set(partition, Math.max(position, endOf(batch)))
  }

  /** Takes the partitions in that the topic was given meanwhile. */
  async #look(): Promise<void> {
    const { name, id } = this.#topic
    const now = await topicOf(topicNameOf(name), this.#reading.engine, this.#asking)
    if (now.id !== id) throw new UnknownTopicError(`the topic '${name}' was deleted`)
    for (let partition = this.#positions.size; partition < now.partitions; partition++) {
      this.#positions.set(partition, 0)
      this.#order.add(partition)
    }
  }
}

async function topicOf(
  name: TopicName,
  engine: Reading['engine'],
  asking: RequestContext,
): Promise<TopicInfo> {
  const [topic] = await engine.resolve([name], asking)
  if (topic === undefined) throw new UnknownTopicError(`there is no topic '${name.text}'`)
  if (topic.partitions <= partitionsMax) return topic
  throw new InvalidArgumentError(`a topic of more than ${partitionsMax} partitions has no tail`)
}

/** What cannot be shown is told of, and the tail goes on. */
function eventOf(message: StoredMessage): string {
  try {
    return `data: ${messageText(message)}`
  } catch (error) {
    const problem = problemOf(error)
    if (problem === undefined) throw error
    return problemEvent(problem)
  }
}

function problemEvent(problem: Problem): string {
  return `event: problem\ndata: ${JSON.stringify(problem)}`
}

function positionsOf(text: string | undefined): Map<number, number> {
  const positions = new Map<number, number>()
  for (const pair of text === undefined || text === '' ? [] : text.split(',')) {
    const match = /^(\d{1,9}):(\d{1,16})$/.exec(pair)
    if (match === null) throw new InvalidArgumentError(`'${text}' is no event's id of ours`)
    positions.set(Number(match[1]), Number(match[2]))
  }
  return positions
}
