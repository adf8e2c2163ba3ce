/** The shapes of what is asked and answered over HTTP, as JSON Schema: what openapi.json is made of. */

/** What is used of JSON Schema here (2020-12, as OpenAPI 3.1 has it). */
export interface Schema {
  readonly $ref?: string
  readonly type?: SchemaType | readonly SchemaType[]
  readonly description?: string
  readonly properties?: Readonly<Record<string, Schema>>
  readonly required?: readonly string[]
  readonly additionalProperties?: boolean | Schema
  readonly items?: Schema
  readonly prefixItems?: readonly Schema[]
  readonly minItems?: number
  readonly maxItems?: number
  readonly enum?: readonly (string | number)[]
  readonly oneOf?: readonly Schema[]
  readonly minimum?: number
  readonly maximum?: number
  readonly minLength?: number
}

type SchemaType = 'object' | 'array' | 'string' | 'integer' | 'number' | 'boolean' | 'null'

export const text: Schema = { type: 'string' }
export const flag: Schema = { type: 'boolean' }
export const count: Schema = { type: 'integer', minimum: 0 }
export const figure: Schema = { type: 'number', minimum: 0 }

/** An object with these members, and those whose names end with `?` perhaps. */
export function object(members: Readonly<Record<string, Schema>>, description?: string): Schema {
  const properties: Record<string, Schema> = {}
  const required: string[] = []
  for (const [name, schema] of Object.entries(members)) {
    const isOptional = name.endsWith('?')
    properties[isOptional ? name.slice(0, -1) : name] = schema
    if (!isOptional) required.push(name)
  }
  const rest = { required, additionalProperties: false }
  return { ...about(description), type: 'object', properties, ...rest }
}

export function list(items: Schema, description?: string): Schema {
  return { ...about(description), type: 'array', items }
}

export function said(schema: Schema, description: string): Schema {
  return { ...schema, description }
}

export function ref(name: keyof typeof schemas): Schema {
  return { $ref: `#/components/schemas/${name}` }
}

function nullable(schema: Schema & { readonly type?: SchemaType }): Schema {
  return schema.type === undefined ? schema : { ...schema, type: [schema.type, 'null'] }
}

function about(description: string | undefined): { readonly description?: string } {
  return description === undefined ? {} : { description }
}

const integer: Schema & { type: SchemaType } = { type: 'integer' }
const someCount = nullable(count as Schema & { type: SchemaType })
const someText = nullable(text as Schema & { type: SchemaType })

const bytes: Schema = {
  description: 'Bytes: a string where they are UTF-8, {"base64"} where not, or null.',
  oneOf: [{ type: ['string', 'null'] }, object({ base64: text })],
}

const header: Schema = {
  type: 'array',
  prefixItems: [text, bytes],
  minItems: 2,
  maxItems: 2,
  description: 'A name and bytes. A name may come several times.',
}

const headers = list(header)
const milliseconds = said(integer, 'Milliseconds since 1970.')

const topicMembers = { name: text, id: text, partitions: count }
const memberAssignment = list(object({ topic: text, partitions: list(count) }))
const protocolName: Schema = { type: 'string', enum: ['native', 'kafka', 'http', 'websocket'] }

const boundsMembers = {
  startOffset: said(count, 'The first offset that is still there.'),
  endOffset: said(count, 'The next offset to be given.'),
}

/** What only who has the logs knows. */
const elsewhere = 'Null on a cluster.'

const schemas = {
  Problem: {
    type: 'object',
    description: 'What went wrong (RFC 9457).',
    properties: {
      type: text,
      title: text,
      status: integer,
      detail: said(text, 'What happened, and what to do.'),
      code: said(text, 'Stable, for programs: docs/reference/errors.md.'),
      retriable: said(flag, 'May the same request succeed when it is sent again?'),
    },
    required: ['type', 'title', 'status'],
    additionalProperties: true,
  },
  Topic: object(topicMembers),
  TopicDetails: object({
    ...topicMembers,
    'messages?': said(count, 'The sum of end - start of its partitions.'),
    'bytes?': said(someCount, `On the disk; ${elsewhere}`),
    'isWhole?': said(flag, 'False: some partitions have not been looked at yet, or cannot be.'),
    'messagesIn?': said(
      someCount,
      `Since the start of the broker, like those that follow; ${elsewhere}`,
    ),
    'bytesIn?': someCount,
    'messagesOut?': someCount,
    'bytesOut?': someCount,
    'retentionMs?': said(someCount, 'Null: for ever. Not there: not known.'),
    'retentionBytes?': said(someCount, 'Null: any size.'),
    'groups?': list(text, 'Who has committed in it, or reads it.'),
  }),
  Setting: object({
    name: text,
    value: text,
    isDefault: said(flag, 'Is it not set for this topic?'),
    'defaultValue?': said(text, 'What counts where it is not set.'),
    'type?': text,
    'doc?': text,
    'words?': list(text, 'What it takes.'),
  }),
  Bounds: object({
    startOffset: said(someCount, 'The first offset that is still there; null: it is offline.'),
    endOffset: said(someCount, 'The next offset to be given; null: it is offline.'),
    bytes: said(someCount, 'Of batches on the disk; null: it is offline, or not known.'),
  }),
  TopicDescription: object({
    ...topicMembers,
    config: list({ $ref: '#/components/schemas/Setting' }),
    bounds: list({ $ref: '#/components/schemas/Bounds' }, 'Of each partition, in their order.'),
  }),
  NewMessage: object({
    'topic?': said(someText, 'That of the path, if at all.'),
    'partition?': said(someCount, 'By the key, or by turns, unless said.'),
    'offset?': said(someCount, 'Ignored: what is read can be sent.'),
    'timestamp?': said(nullable(integer as Schema & { type: SchemaType }), 'Now unless said.'),
    'key?': bytes,
    value: said(bytes, 'Null is a message without a value.'),
    'headers?': headers,
  }),
  NewMessages: object({ messages: list({ $ref: '#/components/schemas/NewMessage' }) }),
  Message: object({
    topic: text,
    partition: count,
    offset: count,
    timestamp: milliseconds,
    key: bytes,
    value: bytes,
    headers,
  }),
  Messages: object({
    messages: list({ $ref: '#/components/schemas/Message' }),
    nextOffset: said(count, 'Where to go on.'),
    ...boundsMembers,
  }),
  Sent: object({ partition: count, offset: count, timestamp: milliseconds }),
  Group: object({
    name: text,
    state: said(
      text,
      "Kafka's: Empty, PreparingRebalance, CompletingRebalance, Stable, Dead; on a cluster Assigning and Reconciling too.",
    ),
    protocolType: text,
    members: count,
    topics: list(text),
    lag: said(count, 'Messages that are there and that it has not committed.'),
  }),
  GroupDescription: object({
    name: text,
    state: text,
    protocolType: text,
    protocol: text,
    members: list(
      object({
        memberId: text,
        clientId: text,
        clientHost: text,
        instanceId: someText,
        assignment: memberAssignment,
      }),
    ),
    offsets: list(
      object({
        topic: text,
        partition: count,
        offset: said({ type: ['integer', 'null'] }, 'Null: nothing is committed there.'),
        startOffset: someCount,
        endOffset: someCount,
        lag: someCount,
        lagMs: said(someCount, 'The age of the first message that was not read.'),
        committedAt: said(someCount, `Null: nothing is committed; ${elsewhere}`),
        metadata: text,
        isNative: said(flag, 'A broker keeps it until the topic or the group is deleted.'),
        memberId: said(someText, 'Who reads it.'),
      }),
    ),
    'next?': count,
  }),
  Moves: object({
    offsets: list(
      object({
        topic: text,
        partition: count,
        before: { type: ['integer', 'null'] },
        after: count,
      }),
    ),
  }),
  Committed: object({ offset: someCount }),
  Broker: object({ software: text, clusterId: text, topics: count }),
  Stats: object({
    time: milliseconds,
    uptimeMs: count,
    software: text,
    clusterId: text,
    engine: {
      type: 'string',
      enum: ['local', 'kafka'],
      description: 'Where the messages are: here, or on an Apache Kafka cluster.',
    },
    dataDirectory: someText,
    sync: {
      oneOf: [{ type: 'null' }, { type: 'string', enum: ['always', 'os'] }],
      description: elsewhere,
    },
    topics: said(someCount, 'Null: the cluster does not answer.'),
    partitionsOpen: said(someCount, elsewhere),
    connections: object({ native: count, kafka: count, http: count, websocket: count }),
    totals: object(
      {
        messagesIn: said(someCount, elsewhere),
        bytesIn: someCount,
        messagesOut: someCount,
        bytesOut: someCount,
        requests: count,
        failures: count,
      },
      'Since the start: rates are differences of two answers.',
    ),
    latency: list(
      object({
        protocol: text,
        operation: text,
        count,
        p50Ms: figure,
        p99Ms: figure,
        maxMs: figure,
      }),
      'Of the last minute or so.',
    ),
    memory: object({
      rssBytes: count,
      heapBytes: count,
      budgetUsedBytes: { type: 'integer' },
      budgetTotalBytes: count,
    }),
    disk: {
      oneOf: [{ type: 'null' }, object({ usedBytes: count, freeBytes: count })],
      description: `Null in memory; ${elsewhere}`,
    },
    eventLoop: object({ p50Ms: figure, p99Ms: figure, maxMs: figure }),
  }),
  Connection: object({
    id: count,
    protocol: protocolName,
    address: text,
    isTls: flag,
    clientId: text,
    software: text,
    connectedAt: milliseconds,
    lastRequestAt: someCount,
    bytesIn: count,
    bytesOut: count,
    requests: list(object({ operation: text, count, failures: count })),
    lastError: {
      oneOf: [{ type: 'null' }, object({ time: milliseconds, text })],
    },
  }),
  Refused: object(
    {
      time: milliseconds,
      protocol: { type: 'string', enum: ['native', 'kafka', 'http', 'websocket', 'unknown'] },
      address: text,
      clientId: text,
      text,
    },
    'A connection that the broker ended, and why.',
  ),
} as const satisfies Readonly<Record<string, Schema>>

/** By the names that references have. */
export const namedSchemas: Readonly<Record<string, Schema>> = schemas
