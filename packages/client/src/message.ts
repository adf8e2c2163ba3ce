/**
 * Messages: as they are given to `send`, and as they come out of `poll`.
 *
 * In: text becomes UTF-8, bytes are taken by reference. Out: `key`, `value` and the headers' values
 * are views of the received frame, each contiguous, which they keep in memory as a whole.
 */
import { InvalidArgumentError, type RecordHeader, type RecordInput } from '@kaska/protocol'

/** Text goes in as UTF-8; it has to be well-formed. Bytes must not change until they are sent. */
export type BytesInput = Uint8Array | string

/** Headers by name, where an array repeats a name; or pairs, in order. */
export type HeadersInput =
  | Readonly<Record<string, BytesInput | null | readonly (BytesInput | null)[]>>
  | readonly (readonly [name: string, value: BytesInput | null])[]

/** A message with more than a value. */
export interface MessageFields {
  readonly value: BytesInput | null
  readonly key?: BytesInput | null | undefined
  readonly headers?: HeadersInput | undefined
  /** Milliseconds since 1970; the time of the call unless given. */
  readonly timestamp?: number | undefined
  /** Where it goes; by the key, or in turns, unless given. */
  readonly partition?: number | undefined
}

/** What `send` takes. */
export type MessageInput = BytesInput | MessageFields

/** What `send` answers: where the message lies. */
export interface SendResult {
  readonly partition: number
  readonly offset: number
  /** The message's timestamp, or that of the append where the topic stamps its messages itself. */
  readonly timestamp: number
}

/** A received message. */
export class Message {
  readonly topic: string
  readonly partition: number
  readonly offset: number
  /** Milliseconds since 1970; -1 where the sender gave none. */
  readonly timestamp: number
  readonly key: Uint8Array | null
  readonly value: Uint8Array | null
  /** In the order in which they were sent, repeated names included. */
  readonly headers: readonly RecordHeader[]

  constructor(
    topic: string,
    partition: number,
    offset: number,
    timestamp: number,
    key: Uint8Array | null,
    value: Uint8Array | null,
    headers: readonly RecordHeader[],
  ) {
    this.topic = topic
    this.partition = partition
    this.offset = offset
    this.timestamp = timestamp
    this.key = key
    this.value = value
    this.headers = headers
  }

  /** The same message with bytes of its own: it does not keep the received frame in memory. */
  copy(): Message {
    const { topic, partition, offset, timestamp, key, value, headers } = this
    return new Message(
      topic,
      partition,
      offset,
      timestamp,
      copyBytes(key),
      copyBytes(value),
      headers.map(([name, bytes]): RecordHeader => [name, copyBytes(bytes)]),
    )
  }
}

function copyBytes(bytes: Uint8Array | null): Uint8Array | null {
  return bytes === null ? null : new Uint8Array(bytes)
}

/** A header as it goes into a batch. */
type EncodedHeader = RecordInput['headers'][number]

const nothing = () => {}

/** A message that waits to be sent, checked and with its text as bytes, and who waits for it. */
export class OutgoingMessage implements RecordInput {
  readonly key: Uint8Array | null
  readonly value: Uint8Array | null
  readonly headers: readonly EncodedHeader[]
  readonly timestamp: number
  /** -1: not asked for. */
  readonly partition: number
  /** About how many bytes it takes in a batch; never less than what its fields hold. */
  readonly size: number
  resolve: (result: SendResult) => void = nothing
  reject: (reason: unknown) => void = nothing
  /** Does nobody wait any more? */
  isSettled = false

  /** Throws InvalidArgumentError. */
  constructor(input: MessageInput, now: number) {
    if (typeof input === 'string' || input instanceof Uint8Array) {
      this.key = null
      this.value = toBytes(input, 'a message')
      this.headers = noHeaders
      this.timestamp = now
      this.partition = -1
      this.size = this.value.length + recordOverhead
      return
    }
    if (typeof input !== 'object' || input === null) {
      throw new InvalidArgumentError('a message is bytes, a string or an object with a value')
    }
    const { key = null, value, headers, timestamp = now, partition = -1 } = input
    this.key = key === null ? null : toBytes(key, "a message's key")
    this.value = value === null ? null : toBytes(value, "a message's value")
    this.headers = headers === undefined ? noHeaders : toHeaders(headers)
    this.timestamp = checkTimestamp(timestamp)
    this.partition = input.partition === undefined ? -1 : checkPartition(partition)
    let size = (this.key?.length ?? 0) + (this.value?.length ?? 0) + recordOverhead
    for (const [name, bytes] of this.headers) size += name.length + (bytes?.length ?? 0) + 4
    this.size = size
  }

  /** Once the signal is aborted nobody waits any more: `reject`, as it was set, is told the reason. */
  settleOn(signal: AbortSignal): void {
    const { resolve, reject } = this
    const abort = () => {
      this.isSettled = true
      reject(signal.reason)
    }
    signal.addEventListener('abort', abort, { once: true })
    const done = () => signal.removeEventListener('abort', abort)
    this.resolve = (result) => {
      done()
      resolve(result)
    }
    this.reject = (error) => {
      done()
      reject(error)
    }
  }
}

/** Lengths, deltas and flags of a record: at most this where the fields are of a usual size. */
const recordOverhead = 20
const noHeaders: readonly EncodedHeader[] = Object.freeze([])
const encoder = new TextEncoder()
/** What a zigzag varint of the protocol carries. */
const timestampMax = 2 ** 52 - 1

function toBytes(input: BytesInput, what: string): Uint8Array {
  if (typeof input === 'string') {
    if (!input.isWellFormed()) {
      throw new InvalidArgumentError(`${what} has half a surrogate pair: no UTF-8 stands for it`)
    }
    return encoder.encode(input)
  }
  if (input instanceof Uint8Array) return input
  throw new InvalidArgumentError(`${what} is a string or a Uint8Array (or null in an object)`)
}

function toHeaders(input: HeadersInput): readonly EncodedHeader[] {
  if (typeof input !== 'object' || input === null) {
    throw new InvalidArgumentError('headers are an object or a list of pairs')
  }
  const headers: EncodedHeader[] = []
  if (isPairs(input)) {
    for (const pair of input) {
      if (!Array.isArray(pair) || pair.length !== 2) {
        throw new InvalidArgumentError('a header is a pair of a name and a value')
      }
      headers.push(toHeader(pair[0], pair[1]))
    }
    return headers
  }
  for (const [name, value] of Object.entries(input)) {
    if (Array.isArray(value)) for (const each of value) headers.push(toHeader(name, each))
    else headers.push(toHeader(name, value as BytesInput | null))
  }
  return headers
}

function isPairs(input: HeadersInput): input is Extract<HeadersInput, readonly unknown[]> {
  return Array.isArray(input)
}

function toHeader(name: string, value: BytesInput | null): EncodedHeader {
  if (typeof name !== 'string') throw new InvalidArgumentError("a header's name is a string")
  return [
    toBytes(name, "a header's name"),
    value === null ? null : toBytes(value, "a header's value"),
  ]
}

/** A timestamp in milliseconds since 1970. Throws InvalidArgumentError. */
export function checkTimestamp(timestamp: number): number {
  if (!Number.isSafeInteger(timestamp) || timestamp < 0 || timestamp > timestampMax) {
    throw new InvalidArgumentError(
      `a timestamp is an integer of milliseconds from 0 to 2^52 - 1, not ${timestamp}`,
    )
  }
  return timestamp
}

/** A partition's number. Throws InvalidArgumentError. */
export function checkPartition(partition: number): number {
  if (!Number.isInteger(partition) || partition < 0 || partition > 0x7fffffff) {
    throw new InvalidArgumentError(`a partition is an integer from 0, not ${String(partition)}`)
  }
  return partition
}

/** An offset. Throws InvalidArgumentError. */
export function checkOffset(offset: number): number {
  if (!Number.isSafeInteger(offset) || offset < 0) {
    throw new InvalidArgumentError(`an offset is an integer from 0, not ${String(offset)}`)
  }
  return offset
}

/** A name to commit under. Throws InvalidArgumentError. */
export function checkName(name: string): void {
  if (typeof name !== 'string' || name === '' || !name.isWellFormed()) {
    throw new InvalidArgumentError('the name to commit under is a well-formed, non-empty string')
  }
}
