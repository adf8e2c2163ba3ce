/**
 * Runs an expression over messages, in a worker of the sandboxed frame: an origin of its own, which reaches nothing.
 * All that it is given are messages, through one port, and all that it gives back is which of them were found.
 *
 * An expression sees `message` and its parts: `topic`, `partition`, `offset`, `timestamp`, `key` (text), `value` (what
 * its JSON says, with whole numbers that a double cannot hold as BigInt; else its text), `text` (the value's),
 * `bytes` (the value's), `headers` (an object of texts, the last of a name), `headerList` (pairs of name and text).
 * Statements may be written too, which `return`.
 */
import type { StoredMessage } from '@kaska/protocol'
import { parseExact } from './messages/json-text.ts'
import { type PackedMessages, unpackMessages } from './messages/packed-messages.ts'

export type SearchRequest =
  | { readonly kind: 'compile'; readonly expression: string }
  | { readonly kind: 'match'; readonly messages: PackedMessages }

export type SearchAnswer =
  | { readonly kind: 'compiled'; readonly error: string | undefined }
  | {
      readonly kind: 'matched'
      readonly found: number[]
      /** Messages with which the expression failed, and the first of these failures. */
      readonly failures: number
      readonly failure: string | undefined
    }

type Expression = (...parts: unknown[]) => unknown

const lenient = new TextDecoder('utf-8', { ignoreBOM: true })
const textOf = (bytes: Uint8Array | null) => (bytes === null ? null : lenient.decode(bytes))

/** The parts of a message that an expression may name, made where it does. */
const parts: Readonly<Record<string, (message: StoredMessage) => unknown>> = {
  topic: ({ topic }) => topic,
  partition: ({ partition }) => partition,
  offset: ({ offset }) => offset,
  timestamp: ({ timestamp }) => timestamp,
  key: ({ key }) => textOf(key),
  value: ({ value }) => decoded(textOf(value)),
  text: ({ value }) => textOf(value),
  bytes: ({ value }) => value,
  headers: ({ headers }) =>
    Object.fromEntries(headers.map(([name, bytes]) => [name, textOf(bytes)])),
  headerList: ({ headers }) => headers.map(([name, bytes]) => [name, textOf(bytes)]),
}

function decoded(text: string | null): unknown {
  if (text === null) return null
  try {
    return parseExact(text)
  } catch {
    return text
  }
}

/** The message as an object whose parts are made when they are looked at. */
function lazily(message: StoredMessage): object {
  const object = {}
  for (const [name, part] of Object.entries(parts)) {
    Object.defineProperty(object, name, { get: () => part(message), enumerable: true })
  }
  return object
}

addEventListener('message', ({ ports }: MessageEvent) => {
  const [port] = ports
  if (port === undefined) return
  let expression: Expression = () => false
  let named: string[] = []
  const answer = (message: SearchAnswer): void => port.postMessage(message)
  port.onmessage = ({ data }: MessageEvent<SearchRequest>) => {
    if (data.kind === 'match') answer(match(data.messages))
    else answer({ kind: 'compiled', error: compile(data.expression) })
  }

  function compile(source: string): string | undefined {
    named = Object.keys(parts).filter((name) => new RegExp(`\\b${name}\\b`).test(source))
    const make = (body: string) => new Function('message', ...named, body) as Expression
    try {
      expression = make(`'use strict'; return (${source}\n)`)
      return undefined
    } catch (error) {
      try {
        expression = make(`'use strict'; ${source}`)
        // Without it no message would ever be found.
        if (/\breturn\b/.test(source)) return undefined
      } catch {}
      return String(error)
    }
  }

  function match(packed: PackedMessages): SearchAnswer {
    const found: number[] = []
    let failures = 0
    let failure: string | undefined
    unpackMessages(packed).forEach((message, index) => {
      try {
        const given = named.map((name) => parts[name]?.(message))
        if (expression(lazily(message), ...given)) found.push(index)
      } catch (error) {
        failures++
        failure ??= String(error)
      }
    })
    return { kind: 'matched', found, failures, failure }
  }
})
