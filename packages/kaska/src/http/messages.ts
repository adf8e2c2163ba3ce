/** /api/v1/topics/TOPIC/messages: send one or many, read a range; .../partitions/N/messages/OFFSET: one. */
import type { MessageFields } from '@kaska/client'
import {
  InvalidArgumentError,
  type JsonMessage,
  MessageTooLargeError,
  messageFromJson,
  messageFromValue,
  OffsetOutOfRangeError,
  type RequestContext,
  type StoredMessage,
  type TopicInfo,
  type TopicName,
  UnknownTopicError,
} from '@kaska/protocol'
import { Slices } from '../transport/slices.ts'
import type { Reading } from './batch-messages.ts'
import { type BodyBounds, checkType, jsonBounds, jsonBytesMax, jsonOf, withBody } from './body.ts'
import { contextOf, type HttpApp, type HttpParts } from './http-parts.ts'
import { messageText } from './message-text.ts'
import { negotiate } from './negotiate.ts'
import { integerParameter, integerQuery, timestampOf, topicParameter } from './parameters.ts'
import { readRange } from './read-range.ts'

const limitDefault = 100
const limitMax = 10_000
const waitMsMax = 60_000
/** About how much of messages one answer brings. */
const answerBytesMax = 8 * 1024 * 1024
/** What a byte of a message takes as text, with itself. */
const textBytesPerByte = 3
const newline = 0x0a
/** Blank to JSON. */
const blanks: ReadonlySet<number> = new Set([0x20, 0x09, 0x0d, newline])
/** Of a long text, what is as much work as a round of anything else. */
const roundBytes = 1024

/** How many messages a request may bring. */
const messagesMax = 100_000
/** What a message takes beside its bytes, until it is answered where it lies. */
const messageOverhead = 400
const rawBounds: BodyBounds = { bytesMax: 64 * 1024 * 1024, bytesPerByte: 2 }
const linesBounds: BodyBounds = { bytesMax: 64 * 1024 * 1024, bytesPerByte: 3 }

const messagesPath = '/api/v1/topics/:topic/messages'

const jsonType = 'application/json'
const linesType = 'application/x-ndjson'
const rawType = 'application/octet-stream'

export function messagePaths(app: HttpApp, parts: HttpParts, reading: Reading): void {
  const { engine, client, budget, clock } = parts
  const { answers } = reading

  app.post(messagesPath, async (context) => {
    const { raw } = context.req
    const { text: topic } = topicParameter(context.req)
    const type = checkType(raw, [jsonType, linesType, rawType])
    const { signal } = raw
    const slices = new Slices(clock)
    if (type === rawType) {
      return await withBody(raw, budget, rawBounds, async (body) =>
        context.json(await client.send(topic, rawMessage(body, context.req), { signal }), 201),
      )
    }
    if (type === linesType) {
      return await withBody(raw, budget, linesBounds, (body, take) => {
        const lines = linesOf(body, slices)
        return sendAll(lines, take, ({ line, number }) => messageFromLine(line, number))
      })
    }
    return await withBody(raw, budget, jsonBounds, async (body, take) => {
      const given = jsonOf(body)
      const many = (given as { messages?: unknown } | null)?.messages
      if (Array.isArray(many)) {
        return await sendAll(many, take, (each, index) =>
          messageFromValue(each, `message ${index}`),
        )
      }
      const message = fieldsOf(messageFromValue(given, 'the message'), topic)
      return context.json(await client.send(topic, message, { signal }), 201)
    })

    async function sendAll<T>(
      all: Iterable<T> | AsyncIterable<T>,
      take: (bytes: number) => void,
      messageOf: (one: T, index: number) => JsonMessage,
    ) {
      const messages: MessageFields[] = []
      for await (const one of all) {
        if (messages.length === messagesMax) {
          throw new MessageTooLargeError(`a request has at most ${messagesMax} messages`)
        }
        if (slices.isDue) await slices.pause()
        take(messageOverhead)
        messages.push(fieldsOf(messageOf(one, messages.length), topic))
      }
      return context.json({ messages: await client.sendBatch(topic, messages, { signal }) }, 201)
    }
  })

  app.get(messagesPath, async (context) => {
    const { req } = context
    const type = negotiate(req.header('accept'), [jsonType, linesType])
    const asking = contextOf(context)
    const topic = await resolve(topicParameter(req), asking)
    const partition = integerQuery(req, 'partition', { min: 0, max: topic.partitions - 1 }, 0)
    const limit = integerQuery(req, 'limit', { min: 1, max: limitMax }, limitDefault)
    const waitMs = integerQuery(req, 'waitMs', { min: 0, max: waitMsMax }, 0)
    const offset = await startOf(topic, partition, (name) => req.query(name), asking)
    const bounds = { bytesMax: answerBytesMax, bytesPerByte: textBytesPerByte }
    const range = { topic, partition, offset, limit, waitMs, ...bounds }
    const { take } = answers.of((callback) => context.env.ended(callback))
    const { messages, nextOffset } = await readRange(range, reading, take, asking)
    const lines: string[] = []
    const slices = new Slices(clock)
    let next = nextOffset
    for (const message of messages) {
      try {
        const line = messageText(message)
        lines.push(line)
        if (slices.isDueAfter(1 + line.length / roundBytes)) await slices.pause()
      } catch (error) {
        if (lines.length === 0) throw error
        next = message.offset
        break
      }
    }
    if (type === linesType) {
      const text = lines.map((line) => `${line}\n`).join('')
      return context.body(text, 200, { 'content-type': linesType })
    }
    const ends = JSON.stringify(await engine.offsets(topic.id, partition, asking)).slice(1, -1)
    const text = `{"messages":[${lines.join(',')}],"nextOffset":${next},${ends}}\n`
    return context.body(text, 200, { 'content-type': jsonType })
  })

  app.get('/api/v1/topics/:topic/partitions/:partition/messages/:offset', async (context) => {
    const { req } = context
    const type = negotiate(req.header('accept'), [jsonType, rawType])
    const asking = contextOf(context)
    const topic = await resolve(topicParameter(req), asking)
    const partition = integerParameter(req, 'partition')
    const offset = integerParameter(req, 'offset')
    const bytesPerByte = type === rawType ? 1 : textBytesPerByte
    const range = { topic, partition, offset, limit: 1, waitMs: 0, bytesMax: 1, bytesPerByte }
    const { take } = answers.of((callback) => context.env.ended(callback))
    const { messages } = await readRange(range, reading, take, asking)
    const [message] = messages
    if (message === undefined || message.offset !== offset) {
      const bounds = await engine.offsets(topic.id, partition, asking)
      throw new OffsetOutOfRangeError(`there is no message at offset ${offset}`, bounds)
    }
    if (type === rawType) return rawAnswer(message)
    return context.body(`${messageText(message)}\n`, 200, { 'content-type': jsonType })
  })

  async function resolve(name: TopicName, asking: RequestContext): Promise<TopicInfo> {
    const [topic] = await engine.resolve([name], asking)
    if (topic === undefined) throw new UnknownTopicError(`there is no topic '${name.text}'`)
    return topic
  }

  /** `offset` (a number, `start`, `end`), `last` (so many before the end) or `at` (a time). */
  async function startOf(
    topic: TopicInfo,
    partition: number,
    query: (name: string) => string | undefined,
    asking: RequestContext,
  ): Promise<number> {
    const given = ['offset', 'last', 'at'].filter((name) => query(name) !== undefined)
    if (given.length > 1) {
      throw new InvalidArgumentError('offset, last and at exclude each other')
    }
    const { startOffset, endOffset } = await engine.offsets(topic.id, partition, asking)
    const at = query('at')
    if (at !== undefined) {
      return (
        (await engine.offsetAt(topic.id, partition, timestampOf(at, 'at'), asking)) ?? endOffset
      )
    }
    const bounds = { min: 0, max: Number.MAX_SAFE_INTEGER }
    const last = integerQuery({ query, param: query }, 'last', bounds, undefined)
    if (last !== undefined) return Math.max(startOffset, endOffset - last)
    const offset = query('offset') ?? 'start'
    if (offset === 'start') return startOffset
    if (offset === 'end') return endOffset
    return integerQuery({ query, param: query }, 'offset', bounds, startOffset)
  }
}

/** A message whose value is the body as it came; all else stands in the query. */
function rawMessage(
  body: Uint8Array,
  req: { query(name: string): string | undefined; queries(name: string): string[] | undefined },
): MessageFields {
  const { query } = { query: (name: string) => req.query(name) }
  const timestamp = query('timestamp')
  const headers = (req.queries('header') ?? []).map((pair): [string, string] => {
    const colon = pair.indexOf(':')
    if (colon < 0) throw new InvalidArgumentError(`a header is name:value, not '${pair}'`)
    return [pair.slice(0, colon), pair.slice(colon + 1)]
  })
  const partition = integerQuery(
    { query, param: query },
    'partition',
    { min: 0, max: 0x7fffffff },
    undefined,
  )
  return {
    value: body,
    key: query('key') ?? null,
    headers,
    ...(timestamp === undefined ? {} : { timestamp: timestampOf(timestamp, 'timestamp') }),
    ...(partition === undefined ? {} : { partition }),
  }
}

function fieldsOf({ topic: named, ...message }: JsonMessage, topic: string): MessageFields {
  if (named !== undefined && named !== topic) {
    throw new InvalidArgumentError(`a message names the topic '${named}', the path '${topic}'`)
  }
  return message
}

/** Throws InvalidArgumentError, MessageTooLargeError. */
function messageFromLine(line: Uint8Array, number: number): JsonMessage {
  if (line.length > jsonBytesMax) {
    throw new MessageTooLargeError(`line ${number} is longer than ${jsonBytesMax} bytes`)
  }
  return messageFromJson(line, `line ${number}`)
}

/** The lines that are not blank, with their numbers from 1. */
async function* linesOf(
  body: Uint8Array,
  slices: Slices,
): AsyncGenerator<{ readonly line: Uint8Array; readonly number: number }, void, undefined> {
  let number = 1
  for (let start = 0; ; ) {
    for (let byte = body[start]; byte !== undefined && blanks.has(byte); byte = body[++start]) {
      if (byte === newline) number++
      if (start % roundBytes === 0 && slices.isDue) await slices.pause()
    }
    if (start >= body.length) return
    const end = body.indexOf(newline, start)
    const line = body.subarray(start, end < 0 ? body.length : end)
    if (slices.isDueAfter(line.length / roundBytes)) await slices.pause()
    yield { line, number }
    start += line.length
  }
}

function rawAnswer(message: StoredMessage): Response {
  const headers: Record<string, string> = {
    'content-type': rawType,
    // Whatever it looks like, it is saved and not shown.
    'content-disposition': 'attachment',
    'kaska-timestamp': String(message.timestamp),
  }
  if (message.value === null) return new Response(null, { status: 204, headers })
  return new Response(message.value as Uint8Array<ArrayBuffer>, { headers })
}
