/** What a search looks for, by text or by a path into JSON; see expression.ts for what looks with JavaScript. */
import type { StoredMessage } from '@kaska/protocol'
import { lenientText } from './bytes-text.ts'
import { compileJsonPath } from './json-path.ts'

export type SearchKind = 'text' | 'path' | 'js'
/** Where it is looked for. */
export type SearchScope = 'all' | 'key' | 'value' | 'headers'

/** Which of these messages are found. */
export interface Matcher {
  /** Their places in the batch, ascending. Rejects where it cannot go on. */
  match(messages: readonly StoredMessage[], signal: AbortSignal): Promise<readonly number[]>
  /** What went wrong with single messages, which are not found then; '' if nothing. */
  readonly remark: string
  end(): void
}

type Test = (message: StoredMessage) => boolean

export function createTextMatcher(text: string, scope: SearchScope): Matcher {
  const wanted = text.toLowerCase()
  return matcherOf(
    inFields(scope, (bytes) => lenientText(bytes).toLowerCase().includes(wanted), wanted),
  )
}

/** Throws an Error that says what is wrong with the path. */
export function createPathMatcher(path: string, scope: SearchScope): Matcher {
  const test = compileJsonPath(path)
  return matcherOf(inFields(scope, (bytes) => test(lenientText(bytes)), undefined))
}

/** `name`: what headers' names may hold to be found, in lower case. */
function inFields(
  scope: SearchScope,
  test: (bytes: Uint8Array) => boolean,
  name: string | undefined,
): Test {
  const has = (bytes: Uint8Array | null) => bytes !== null && test(bytes)
  return ({ key, value, headers }) =>
    ((scope === 'all' || scope === 'key') && has(key)) ||
    ((scope === 'all' || scope === 'value') && has(value)) ||
    ((scope === 'all' || scope === 'headers') &&
      headers.some(
        ([header, bytes]) =>
          (name !== undefined && header.toLowerCase().includes(name)) || has(bytes),
      ))
}

function matcherOf(test: Test): Matcher {
  return {
    remark: '',
    match(messages) {
      const found: number[] = []
      messages.forEach((message, index) => {
        if (test(message)) found.push(index)
      })
      return Promise.resolve(found)
    },
    end() {},
  }
}
