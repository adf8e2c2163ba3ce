/**
 * A message as JSON, for `consume --json` and `produce --json`, over HTTP and in the console: what the one writes the
 * other takes back, with the same key, value, headers, timestamp and partition, byte for byte.
 *
 *     {"topic":"orders","partition":0,"offset":17,"timestamp":1790000000000,
 *      "key":"k","value":"text","headers":[["name","value"],["name",null]]}
 *
 * Bytes that are UTF-8 are a string; others are {"base64":"..."}. A null is null. Headers are pairs, in
 * their order, repeated ones included. A line is ASCII where line breaks of Unicode (U+0085, U+2028,
 * U+2029) are concerned, so that every reader of lines sees the same lines.
 */
import { InvalidArgumentError } from './errors.ts'

/** What is written of a message. */
export interface StoredMessage {
  readonly topic: string
  readonly partition: number
  readonly offset: number
  readonly timestamp: number
  readonly key: Uint8Array | null
  readonly value: Uint8Array | null
  readonly headers: readonly (readonly [string, Uint8Array | null])[]
}

/** What a line says about a message to be sent. */
export interface JsonMessage {
  readonly topic: string | undefined
  readonly partition: number | undefined
  readonly timestamp: number | undefined
  readonly key: Uint8Array | null
  readonly value: Uint8Array | null
  readonly headers: readonly (readonly [string, Uint8Array | null])[]
}

const strictDecoder = new TextDecoder('utf-8', { fatal: true, ignoreBOM: true })
const encoder = new TextEncoder()

/** The line for a message, without its newline. */
export function messageToJson(message: StoredMessage): string {
  let headers = ''
  for (const [name, value] of message.headers) {
    headers += `${headers === '' ? '' : ','}[${quote(name)},${bytesToJson(value)}]`
  }
  return (
    `{"topic":${quote(message.topic)},"partition":${message.partition},"offset":${message.offset},` +
    `"timestamp":${message.timestamp},"key":${bytesToJson(message.key)},` +
    `"value":${bytesToJson(message.value)},"headers":[${headers}]}`
  )
}

/** Reads a line of JSON. Throws InvalidArgumentError, whose text begins with `where`. */
export function messageFromJson(line: Uint8Array, where: string): JsonMessage {
  const reader = new MessageReader(where)
  return reader.message(reader.parse(line))
}

/** Reads a message that was parsed with what is around it. */
export function messageFromValue(value: unknown, where: string): JsonMessage {
  return new MessageReader(where).message(value)
}

/** Reads the parts of one message, whose place it names in every error. */
class MessageReader {
  readonly #where: string

  constructor(where: string) {
    this.#where = where
  }

  error(what: string, advice?: string): InvalidArgumentError {
    const text = `${this.#where} ${what}`
    return new InvalidArgumentError(advice === undefined ? text : `${text}; ${advice}`)
  }

  parse(line: Uint8Array): unknown {
    try {
      return JSON.parse(strictDecoder.decode(line))
    } catch (cause) {
      const text = cause instanceof SyntaxError ? cause.message : 'it is not UTF-8'
      throw this.error(`is not JSON: ${text}`)
    }
  }

  message(value: unknown): JsonMessage {
    const fields = this.object(value)
    if (fields['value'] === undefined) {
      throw this.error('has no value', 'a message without one has "value":null')
    }
    return {
      topic: this.optional(fields['topic'], 'topic', isString, 'a string'),
      partition: this.optional(fields['partition'], 'partition', isCount, 'a number from 0'),
      timestamp: this.optional(fields['timestamp'], 'timestamp', isTimestamp, 'a whole number'),
      key: this.bytes(fields['key'] ?? null, 'key'),
      value: this.bytes(fields['value'], 'value'),
      headers: this.headers(fields['headers']),
    }
  }

  object(value: unknown): Readonly<Record<string, unknown>> {
    if (!isObject(value)) throw this.error('is not a JSON object')
    for (const name of Object.keys(value)) {
      if (!fieldNames.has(name)) {
        throw this.error(
          `has an unknown field '${name}'`,
          `it may have ${[...fieldNames].join(', ')}`,
        )
      }
    }
    return value
  }

  optional<T>(
    value: unknown,
    name: string,
    is: (value: unknown) => value is T,
    what: string,
  ): T | undefined {
    if (value === undefined || value === null) return undefined
    if (!is(value)) throw this.error(`has a ${name} that is not ${what}`)
    return value
  }

  bytes(value: unknown, name: string): Uint8Array | null {
    if (value === null) return null
    if (typeof value === 'string') {
      if (!value.isWellFormed()) {
        throw this.error(`has a ${name} with half a surrogate pair`, 'no UTF-8 stands for it')
      }
      return encoder.encode(value)
    }
    if (isObject(value) && typeof value['base64'] === 'string' && Object.keys(value).length === 1) {
      try {
        return bytesFromBase64(value['base64'])
      } catch {
        throw this.error(`has a ${name} that is not base64`)
      }
    }
    throw this.error(`has a ${name} that is not a string, null or {"base64":"..."}`)
  }

  headers(value: unknown): [string, Uint8Array | null][] {
    if (value === undefined || value === null) return []
    if (!Array.isArray(value) && !isObject(value))
      throw this.error('has headers that are not pairs')
    const pairs: unknown[] = Array.isArray(value) ? value : Object.entries(value)
    return pairs.map((pair) => {
      if (!Array.isArray(pair) || pair.length !== 2 || typeof pair[0] !== 'string') {
        throw this.error('has a header that is not a pair', 'headers are [["name","value"],...]')
      }
      return [pair[0], this.bytes(pair[1], 'header')]
    })
  }
}

const fieldNames: ReadonlySet<string> = new Set([
  'topic',
  'partition',
  'offset',
  'timestamp',
  'key',
  'value',
  'headers',
])

function bytesToJson(bytes: Uint8Array | null): string {
  if (bytes === null) return 'null'
  try {
    return quote(strictDecoder.decode(bytes))
  } catch {
    return `{"base64":"${bytesToBase64(bytes)}"}`
  }
}

const lineBreaks = /[\u0085\u2028\u2029]/g

function quote(text: string): string {
  return JSON.stringify(text).replace(
    lineBreaks,
    (character) => `\\u${character.charCodeAt(0).toString(16).padStart(4, '0')}`,
  )
}

/** So that a string for `btoa` is never longer than an argument list may be. */
const base64Step = 0x6000

/** Base64 with its padding. */
export function bytesToBase64(bytes: Uint8Array): string {
  let text = ''
  for (let position = 0; position < bytes.length; position += base64Step) {
    const step = bytes.subarray(position, position + base64Step)
    text += btoa(String.fromCharCode(...step))
  }
  return text
}

/** Takes what `atob` takes, padded or not; throws what it throws. */
export function bytesFromBase64(text: string): Uint8Array {
  const binary = atob(text)
  const bytes = new Uint8Array(binary.length)
  for (let position = 0; position < bytes.length; position++) {
    bytes[position] = binary.charCodeAt(position)
  }
  return bytes
}

function isObject(value: unknown): value is Readonly<Record<string, unknown>> {
  return typeof value === 'object' && value !== null && !Array.isArray(value)
}

function isString(value: unknown): value is string {
  return typeof value === 'string'
}

function isCount(value: unknown): value is number {
  return Number.isSafeInteger(value) && (value as number) >= 0
}

function isTimestamp(value: unknown): value is number {
  return Number.isSafeInteger(value)
}
