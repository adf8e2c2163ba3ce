/**
 * A search's expression as a function of messages. Only ever called where there is nothing to reach: in the worker of
 * the sandboxed frame (search-worker.ts).
 *
 * An expression sees `message` and its parts: `topic`, `partition`, `offset`, `timestamp`, `key` (text), `value` (what
 * its JSON says, with whole numbers that a double cannot hold as BigInt; else its text), `text` (the value's),
 * `bytes` (the value's), `headers` (an object of texts, the last of a name), `headerList` (pairs of name and text).
 * Statements may be written too, which `return`.
 */
import type { StoredMessage } from '@kaska/protocol'
import { parseExact } from './json-text.ts'

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

/** Throws SyntaxError; what it makes throws what the expression does. */
export function compileExpression(source: string): (message: StoredMessage) => boolean {
  const isNamed = (name: string) => new RegExp(`\\b${name}\\b`).test(source)
  const named = Object.keys(parts).filter(isNamed)
  const isWhole = isNamed('message')
  const make = (body: string) => new Function('message', ...named, body) as Expression
  const expression = compile()
  return (message) => {
    const given = named.map((name) => parts[name]?.(message))
    return Boolean(expression(isWhole ? lazily(message) : undefined, ...given))
  }

  function compile(): Expression {
    try {
      return make(`'use strict'; return (${source}\n)`)
    } catch (error) {
      // Statements without it would never find a message.
      if (!/\breturn\b/.test(source)) throw error
      return make(`'use strict'; ${source}`)
    }
  }
}
