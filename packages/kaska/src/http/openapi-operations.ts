/**
 * Every operation under /api/v1, and those of probes and scrapers, as one table: what openapi.json is made
 * of. The examples work one after the other, in the order of the table, on a broker with a topic `orders`.
 */
import { count, flag, list, object, ref, type Schema, said, text } from './openapi-schemas.ts'

export interface Operation {
  readonly method: 'get' | 'post' | 'put' | 'patch' | 'delete'
  /** `/api/v1/topics/{topic}` */
  readonly path: string
  readonly id: string
  readonly tag: 'Topics' | 'Messages' | 'Groups' | 'Broker'
  readonly summary: string
  readonly description?: string
  readonly parameters?: readonly Parameter[]
  /** What may be sent, by its type. */
  readonly body?: Readonly<Record<string, Content>>
  /** What is answered, by its status. */
  readonly answers: Readonly<Record<number, Answer>>
  /** Statuses that come with problem details, beside those that every operation may have. */
  readonly problems?: readonly number[]
}

export interface Parameter {
  readonly in: 'path' | 'query' | 'header'
  readonly name: string
  readonly schema: Schema
  readonly description?: string
  readonly example?: string | number
}

export interface Content {
  readonly schema: Schema
  readonly example?: unknown
}

export interface Answer {
  readonly description: string
  readonly content?: Readonly<Record<string, Schema>>
}

const json = 'application/json'
const lines = 'application/x-ndjson'
const raw = 'application/octet-stream'

const topic: Parameter = { in: 'path', name: 'topic', schema: text, example: 'orders' }
const group: Parameter = { in: 'path', name: 'group', schema: text, example: 'billing' }
const partition: Parameter = { in: 'path', name: 'partition', schema: count, example: 0 }
const cursor: Parameter = query('cursor', count, '`next` of the page before.')

function query(name: string, schema: Schema, description: string, example?: string | number) {
  const parameter: Parameter = { in: 'query', name, schema, description }
  return example === undefined ? parameter : { ...parameter, example }
}

function answer(description: string, schema: Schema): Answer {
  return { description, content: { [json]: schema } }
}

function body(schema: Schema, example: unknown) {
  return { [json]: { schema, example } }
}

const newTopic = object({ name: text, 'partitions?': count, 'config?': settings('Of the topic.') })

function settings(description: string, ...more: 'null'[]): Schema {
  const value: Schema = { type: ['string', 'number', 'boolean', ...more] }
  return { type: 'object', additionalProperties: value, description }
}

const oneTopicOfGroup: readonly Parameter[] = [group, topic, partition]

export const operations: readonly Operation[] = [
  {
    method: 'get',
    path: '/healthz',
    id: 'isAlive',
    tag: 'Broker',
    summary: 'Does the process live? Needs no token.',
    answers: { 200: { description: 'Yes.', content: { 'text/plain': text } } },
  },
  {
    method: 'get',
    path: '/readyz',
    id: 'isReady',
    tag: 'Broker',
    summary: 'Does the broker take requests? Needs no token.',
    answers: {
      200: { description: 'Yes.', content: { 'text/plain': text } },
      503: { description: 'No.', content: { 'text/plain': text } },
    },
  },
  {
    method: 'get',
    path: '/metrics',
    id: 'metrics',
    tag: 'Broker',
    summary: 'Figures in the text format of Prometheus.',
    answers: { 200: { description: 'The figures.', content: { 'text/plain': text } } },
  },
  {
    method: 'get',
    path: '/api/v1/openapi.json',
    id: 'describeApi',
    tag: 'Broker',
    summary: 'This document.',
    answers: { 200: answer('The document.', { type: 'object', additionalProperties: true }) },
  },
  {
    method: 'post',
    path: '/api/v1/session',
    id: 'signIn',
    tag: 'Broker',
    summary: 'Shows the token once; a browser keeps it in a cookie that no script can read.',
    body: body(object({ token: text }), { token: 'a token' }),
    answers: { 204: { description: 'It is right, or none is asked for.' } },
    problems: [413, 415],
  },
  {
    method: 'get',
    path: '/api/v1/broker',
    id: 'describeBroker',
    tag: 'Broker',
    summary: 'What answers here.',
    answers: { 200: answer('The broker.', ref('Broker')) },
  },
  {
    method: 'get',
    path: '/api/v1/stats',
    id: 'stats',
    tag: 'Broker',
    summary: 'The broker at a glance.',
    answers: { 200: answer('Its figures.', ref('Stats')) },
  },
  {
    method: 'get',
    path: '/api/v1/connections',
    id: 'listConnections',
    tag: 'Broker',
    summary: 'Who is connected, and which connections the broker ended lately.',
    parameters: [cursor],
    answers: {
      200: answer(
        'The connections, the oldest first.',
        object({
          connections: list(ref('Connection')),
          refused: list(ref('Refused')),
          'next?': count,
        }),
      ),
    },
  },
  {
    method: 'get',
    path: '/api/v1/topics',
    id: 'listTopics',
    tag: 'Topics',
    summary: 'Topics in the order of their creation, in pages.',
    parameters: [
      cursor,
      query('details', { type: 'integer', enum: [0, 1] }, '1: with figures of each.', 1),
    ],
    answers: {
      200: answer('A page.', object({ topics: list(ref('TopicDetails')), 'next?': count })),
    },
  },
  {
    method: 'post',
    path: '/api/v1/topics',
    id: 'createTopic',
    tag: 'Topics',
    summary: 'Makes a topic. Settings: docs/reference/topic-config.md.',
    body: body(newTopic, { name: 'payments', partitions: 3, config: { 'retention.ms': 86400000 } }),
    answers: { 201: answer('It is there, durably.', ref('Topic')) },
    problems: [409, 413, 415, 507],
  },
  {
    method: 'get',
    path: '/api/v1/topics/{topic}',
    id: 'describeTopic',
    tag: 'Topics',
    summary: 'A topic, its settings, and the bounds of its partitions.',
    parameters: [topic],
    answers: { 200: answer('The topic.', ref('TopicDescription')) },
    problems: [404],
  },
  {
    method: 'patch',
    path: '/api/v1/topics/{topic}',
    id: 'changeTopic',
    tag: 'Topics',
    summary: 'Changes settings, null being back to the default; gives it more partitions.',
    parameters: [topic],
    body: body(
      object({
        'config?': settings('Settings to change; the others stay.', 'null'),
        'partitions?': said(count, 'How many there are to be; never fewer than there are.'),
      }),
      { config: { 'retention.ms': 3600000, 'segment.ms': null }, partitions: 3 },
    ),
    answers: { 200: answer('The topic as it is now.', ref('TopicDescription')) },
    problems: [404, 413, 415, 501, 507],
  },
  {
    method: 'delete',
    path: '/api/v1/topics/{topic}',
    id: 'deleteTopic',
    tag: 'Topics',
    summary: 'Deletes a topic with its messages.',
    parameters: [{ ...topic, example: 'payments' }],
    answers: { 204: { description: 'It is gone.' } },
    problems: [404],
  },
  {
    method: 'post',
    path: '/api/v1/topics/{topic}/messages',
    id: 'sendMessages',
    tag: 'Messages',
    summary: 'Sends messages: acknowledged as every other send.',
    description:
      'JSON: one message, or {"messages": [...]}, up to 8 MiB. Lines of JSON: up to 64 MiB, 100,000 ' +
      'messages. Raw bytes: one value, up to 64 MiB, what else a message has being in the query.',
    parameters: [
      topic,
      query('key', text, 'Of a raw message.'),
      query('header', text, 'Of a raw message: name:value; may come several times.'),
      query('timestamp', text, 'Of a raw message: ms since 1970, or ISO 8601.'),
      query('partition', count, 'Of a raw message.'),
    ],
    body: {
      [json]: {
        schema: { oneOf: [ref('NewMessage'), ref('NewMessages')] },
        example: { key: 'k', value: 'hello', headers: [['trace', 'x']], partition: 0 },
      },
      [lines]: { schema: text, example: '{"value":"one","partition":0}\n{"value":null}\n' },
      [raw]: { schema: text, example: 'any bytes' },
    },
    answers: {
      201: answer('Where they lie: of one, or of all in their order.', {
        oneOf: [ref('Sent'), object({ messages: list(ref('Sent')) })],
      }),
    },
    problems: [404, 413, 415, 504, 507],
  },
  {
    method: 'get',
    path: '/api/v1/topics/{topic}/messages',
    id: 'readMessages',
    tag: 'Messages',
    summary: 'Reads messages of a partition, from an offset, a time or so many before the end.',
    description: 'About 8 MiB at most; `nextOffset` is where to go on.',
    parameters: [
      topic,
      query('partition', count, '0 unless said.', 0),
      query('offset', text, 'A number, start (unless said) or end.', 'start'),
      query('last', count, 'So many before the end.'),
      query('at', text, 'The first at or after: ms since 1970, or ISO 8601.'),
      query('limit', { type: 'integer', minimum: 1, maximum: 10_000 }, '100 unless said.', 10),
      query('waitMs', { type: 'integer', minimum: 0, maximum: 60_000 }, 'For the first; 0.'),
    ],
    answers: {
      200: {
        description: 'The messages; as lines, without the rest.',
        content: { [json]: ref('Messages'), [lines]: text },
      },
    },
    problems: [404, 406, 413, 416],
  },
  {
    method: 'get',
    path: '/api/v1/topics/{topic}/partitions/{partition}/messages/{offset}',
    id: 'readMessage',
    tag: 'Messages',
    summary: 'Reads one message, or its value as it is.',
    parameters: [topic, partition, { in: 'path', name: 'offset', schema: count, example: 0 }],
    answers: {
      200: { description: 'The message.', content: { [json]: ref('Message'), [raw]: text } },
      204: { description: 'As raw bytes, where it has no value.' },
    },
    problems: [404, 406, 413, 416],
  },
  {
    method: 'get',
    path: '/api/v1/topics/{topic}/tail',
    id: 'tailTopic',
    tag: 'Messages',
    summary: 'Messages of all partitions as they come, as Server-Sent Events.',
    description:
      'Of a topic of at most 500 partitions. Messages that were deleted meanwhile are passed over; an event of ' +
      'the type `problem` says what cannot be shown, or why the tail ends.',
    parameters: [
      topic,
      query('from', { type: 'string', enum: ['start', 'end'] }, 'end unless said.', 'start'),
      {
        in: 'header',
        name: 'last-event-id',
        schema: text,
        description: 'Where to go on: the id of the last event. A browser sends it by itself.',
      },
    ],
    answers: {
      200: {
        description: 'Events whose data is a Message. They go on until somebody closes.',
        content: { 'text/event-stream': text },
      },
    },
    problems: [404, 406],
  },
  {
    method: 'post',
    path: '/api/v1/topics/{topic}/truncate',
    id: 'truncateTopic',
    tag: 'Topics',
    summary: 'Deletes messages: all, those of a partition, or those of it before an offset.',
    parameters: [topic],
    body: body(
      object({
        'partition?': said(count, 'All unless said.'),
        'before?': {
          oneOf: [count, { type: 'string', enum: ['end'] }],
          description: 'The first offset that stays; end unless said.',
        },
      }),
      { partition: 0, before: 1 },
    ),
    answers: { 200: answer('What is left.', object({ bounds: list(ref('Bounds')) })) },
    problems: [404, 413, 415, 416, 501, 507],
  },
  {
    method: 'put',
    path: '/api/v1/groups/{group}/offsets/{topic}/{partition}',
    id: 'commitOffset',
    tag: 'Groups',
    summary: 'Commits an offset under a name, durably.',
    parameters: oneTopicOfGroup,
    body: body(object({ offset: count }), { offset: 1 }),
    answers: { 200: answer('It is durable.', ref('Committed')) },
    problems: [404, 409, 413, 415, 507],
  },
  {
    method: 'get',
    path: '/api/v1/groups/{group}/offsets/{topic}/{partition}',
    id: 'readOffset',
    tag: 'Groups',
    summary: 'What was committed under a name.',
    parameters: oneTopicOfGroup,
    answers: { 200: answer('Null: nothing.', ref('Committed')) },
    problems: [404],
  },
  {
    method: 'get',
    path: '/api/v1/groups',
    id: 'listGroups',
    tag: 'Groups',
    summary: "Names that something is committed under, and groups of Kafka's consumers, in pages.",
    parameters: [cursor],
    answers: { 200: answer('A page.', object({ groups: list(ref('Group')), 'next?': count })) },
    problems: [501],
  },
  {
    method: 'get',
    path: '/api/v1/groups/{group}',
    id: 'describeGroup',
    tag: 'Groups',
    summary: 'Its members, what each reads, and how far it is behind.',
    parameters: [group, cursor],
    answers: { 200: answer('The group.', ref('GroupDescription')) },
    problems: [404, 501],
  },
  {
    method: 'post',
    path: '/api/v1/groups/{group}/reset',
    id: 'resetGroup',
    tag: 'Groups',
    summary: 'Moves where a group that nobody is in goes on.',
    parameters: [group],
    body: body(
      object({
        topic: text,
        'partition?': said(count, 'All unless said.'),
        to: {
          oneOf: [
            { type: 'string', enum: ['earliest', 'latest'] },
            object({ offset: count }),
            object({ timestamp: { type: 'integer' } }),
          ],
          description: 'An offset that is not there becomes the nearest that is.',
        },
        'dryRun?': said(flag, 'Only says what it would do.'),
      }),
      { topic: 'orders', to: 'latest', dryRun: false },
    ),
    answers: { 200: answer('From where to where.', ref('Moves')) },
    problems: [404, 409, 413, 415, 501, 507],
  },
  {
    method: 'delete',
    path: '/api/v1/groups/{group}',
    id: 'deleteGroup',
    tag: 'Groups',
    summary: 'Forgets a group that nobody is in, with all that it has committed.',
    parameters: [group],
    answers: { 204: { description: 'It is gone.' } },
    problems: [404, 409, 501],
  },
]
