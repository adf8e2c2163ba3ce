/** A message while it is being written: each part as text, and the form that the text is in. */
import type { MessageFields } from '@kaska/client'
import { bytesToBase64, messageFromJson, type StoredMessage } from '@kaska/protocol'
import { bytesOf, type InputForm, textOf } from '../messages/bytes-text.ts'
import { jsonProblem } from '../messages/json-text.ts'

/** Bytes as they are written; what was written stays when the form is null. */
export interface DraftBytes {
  readonly text: string
  readonly form: InputForm
}

export interface DraftHeader extends DraftBytes {
  readonly name: string
}

export interface MessageDraft {
  readonly key: DraftBytes
  readonly value: DraftBytes
  readonly headers: readonly DraftHeader[]
  /** As written; '' leaves it to the key, or to the client. */
  readonly partition: string
  /** Milliseconds since 1970, or a date as ISO 8601 has it; '' is the time of sending. */
  readonly timestamp: string
}

export const emptyDraft: MessageDraft = {
  key: { text: '', form: 'null' },
  value: { text: '', form: 'text' },
  headers: [],
  partition: '',
  timestamp: '',
}

/** What is sent. Throws an Error that names the part that is wrong. */
export function messageOfDraft(draft: MessageDraft): MessageFields {
  const partition = partitionOf(draft.partition)
  const timestamp = timestampOf(draft.timestamp)
  return {
    key: named('key', () => bytesOf(draft.key.text, draft.key.form)),
    value: named('value', () => bytesOf(draft.value.text, draft.value.form)),
    headers: draft.headers.map(({ name, text, form }, index) =>
      named(`header ${index + 1}`, () => [name, bytesOf(text, form)] as const),
    ),
    ...(partition === undefined ? {} : { partition }),
    ...(timestamp === undefined ? {} : { timestamp }),
  }
}

/** A message to be changed and sent again: byte for byte the same, but for its time. */
export function draftOfMessage({ key, value, headers, partition }: StoredMessage): MessageDraft {
  return {
    key: draftOfBytes(key),
    value: draftOfBytes(value),
    headers: headers.map(([name, bytes]) => ({ name, ...draftOfBytes(bytes) })),
    partition: String(partition),
    timestamp: '',
  }
}

function draftOfBytes(bytes: Uint8Array | null): DraftBytes {
  if (bytes === null) return { text: '', form: 'null' }
  const text = textOf(bytes)
  // A field of a page knows one kind of line break.
  if (text === undefined || text.includes('\r')) {
    return { text: bytesToBase64(bytes), form: 'base64' }
  }
  const isStructure = /^\s*[{[]/.test(text) && jsonProblem(text) === undefined
  return { text, form: isStructure ? 'json' : 'text' }
}

/** How the lines of many messages are meant: each a value, or each as `kaska consume --json` writes one. */
export type LineKind = 'values' | 'json'

/** The messages of the lines that are not empty. Throws an Error that names the line. */
export function messagesOfLines(text: string, kind: LineKind, topic: string): MessageFields[] {
  const messages: MessageFields[] = []
  const encoder = new TextEncoder()
  text.split('\n').forEach((line, index) => {
    const where = `line ${index + 1}`
    if (kind === 'values') {
      if (line !== '') messages.push({ value: named(where, () => bytesOf(line, 'text')) })
      return
    }
    if (line.trim() === '') return
    const { topic: written, ...message } = messageFromJson(encoder.encode(line), where)
    if (written !== undefined && written !== topic) {
      throw new Error(`${where} is for the topic '${written}'`)
    }
    messages.push(message)
  })
  return messages
}

function partitionOf(text: string): number | undefined {
  if (text.trim() === '') return undefined
  if (!/^\s*\d{1,9}\s*$/.test(text)) throw new Error(`partition: not a number from 0: ${text}`)
  return Number(text)
}

function timestampOf(text: string): number | undefined {
  const trimmed = text.trim()
  if (trimmed === '') return undefined
  const timestamp = /^\d+$/.test(trimmed) ? Number(trimmed) : Date.parse(trimmed)
  if (!Number.isSafeInteger(timestamp) || timestamp < 0) {
    throw new Error(`timestamp: neither milliseconds since 1970 nor a date: ${text}`)
  }
  return timestamp
}

function named<T>(what: string, make: () => T): T {
  try {
    return make()
  } catch (error) {
    throw new Error(`${what}: ${(error as Error).message}`, { cause: error })
  }
}
