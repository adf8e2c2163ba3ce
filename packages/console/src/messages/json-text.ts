/**
 * JSON as it was written. A number is the text that stands there, whatever its length: nothing here goes through a
 * double that would round it. Nesting is bounded by memory alone, not by the stack.
 */

export type JsonTokenKind =
  | 'open'
  | 'close'
  | 'comma'
  | 'colon'
  | 'name'
  | 'string'
  | 'number'
  | 'word'

/** A text that is no JSON, and where that shows. */
export class JsonTextError extends Error {
  override readonly name = 'JsonTextError'
  readonly position: number

  constructor(position: number, what: string) {
    super(`${what} at position ${position}`)
    this.position = position
  }
}

/** What may come next: a value, a value or `]`, a name, a name or `}`, a colon, a comma or the end of what is open. */
type Expected = 'value' | 'value or ]' | 'a name' | 'a name or }' | ':' | ', or the end'

const numberPattern = /-?(?:0|[1-9]\d*)(?:\.\d+)?(?:[eE][+-]?\d+)?/y
const wordPattern = /true|false|null/y
const escapePattern = /\\(?:["\\/bfnrt]|u[0-9a-fA-F]{4})/y

/** Visits each token between two positions of the text. Throws JsonTextError, after what was right. */
export function scanJson(
  text: string,
  visit: (kind: JsonTokenKind, start: number, end: number) => void,
): void {
  const open: string[] = []
  let expected: Expected = 'value'
  let position = skipSpace(text, 0)
  while (position < text.length) {
    if (expected === ', or the end' && open.length === 0) {
      throw new JsonTextError(position, 'more than one value')
    }
    const character = text[position] as string
    const start = position
    if (character === '{' || character === '[') {
      if (expected !== 'value' && expected !== 'value or ]') throw unexpected()
      open.push(character)
      expected = character === '{' ? 'a name or }' : 'value or ]'
      position++
      visit('open', start, position)
    } else if (character === '}' || character === ']') {
      const isEmpty = expected === (character === '}' ? 'a name or }' : 'value or ]')
      const isOpen = open.at(-1) === (character === '}' ? '{' : '[')
      if (!isOpen || !(isEmpty || expected === ', or the end')) throw unexpected()
      open.pop()
      expected = ', or the end'
      position++
      visit('close', start, position)
    } else if (character === ',') {
      if (expected !== ', or the end') throw unexpected()
      expected = open.at(-1) === '{' ? 'a name' : 'value'
      position++
      visit('comma', start, position)
    } else if (character === ':') {
      if (expected !== ':') throw unexpected()
      expected = 'value'
      position++
      visit('colon', start, position)
    } else if (character === '"') {
      const isName: boolean = expected === 'a name' || expected === 'a name or }'
      if (!isName && expected !== 'value' && expected !== 'value or ]') throw unexpected()
      position = endOfString(text, position)
      expected = isName ? ':' : ', or the end'
      visit(isName ? 'name' : 'string', start, position)
    } else {
      if (expected !== 'value' && expected !== 'value or ]') throw unexpected()
      const isWord = character === 't' || character === 'f' || character === 'n'
      const pattern = isWord ? wordPattern : numberPattern
      pattern.lastIndex = position
      const [found] = pattern.exec(text) ?? []
      if (found === undefined) throw unexpected()
      position += found.length
      expected = ', or the end'
      visit(isWord ? 'word' : 'number', start, position)
    }
    position = skipSpace(text, position)

    function unexpected(): JsonTextError {
      return new JsonTextError(start, `${JSON.stringify(character)} instead of ${expected}`)
    }
  }
  if (open.length > 0 || expected !== ', or the end') {
    throw new JsonTextError(text.length, 'the text ends too early')
  }
}

/** Undefined: it is JSON. */
export function jsonProblem(text: string): string | undefined {
  try {
    scanJson(text, () => {})
    return undefined
  } catch (error) {
    return (error as Error).message
  }
}

/** A run of characters that look alike. */
export interface JsonPiece {
  readonly kind: 'plain' | 'name' | 'string' | 'number' | 'word'
  readonly text: string
}

/**
 * The text with line breaks and indentation, in runs; undefined where it is no JSON. Ends after about
 * `lengthMax` characters, with `isCut`.
 */
export function prettyJson(
  text: string,
  lengthMax = Number.POSITIVE_INFINITY,
): { pieces: JsonPiece[]; isCut: boolean } | undefined {
  const pieces: JsonPiece[] = []
  let length = 0
  let depth = 0
  let plain = ''
  let isCut = false
  let last: JsonTokenKind | undefined
  const breakLine = () => {
    plain += `\n${'  '.repeat(Math.min(depth, indentMax))}`
  }
  try {
    scanJson(text, (kind, start, end) => {
      isCut ||= length > lengthMax
      if (isCut) return
      if (kind === 'close') {
        depth--
        if (last !== 'open') breakLine()
      } else if (last === 'open' || last === 'comma') {
        breakLine()
      }
      const token = text.slice(start, end)
      if (kind === 'open') depth++
      if (kind === 'name' || kind === 'string' || kind === 'number' || kind === 'word') {
        if (plain !== '') pieces.push({ kind: 'plain', text: plain })
        pieces.push({ kind, text: token })
        length += plain.length + token.length
        plain = ''
      } else {
        plain += kind === 'colon' ? ': ' : token
        length++
      }
      last = kind
    })
  } catch {
    return undefined
  }
  if (plain !== '') pieces.push({ kind: 'plain', text: plain })
  return { pieces, isCut }
}

/** Beyond, a level is no deeper to the eye. */
const indentMax = 60

/** A run of digits that a double may round. */
const longNumber = /\d{16}/

/**
 * The value of a JSON text. Whole numbers that a double cannot hold are BigInts. Throws SyntaxError or
 * JsonTextError.
 */
export function parseExact(text: string): unknown {
  return longNumber.test(text) ? build(text) : JSON.parse(text)
}

function build(text: string): unknown {
  let root: unknown
  let name = ''
  const open: (unknown[] | Record<string, unknown>)[] = []
  const add = (value: unknown): void => {
    const parent = open.at(-1)
    if (parent === undefined) root = value
    else if (Array.isArray(parent)) parent.push(value)
    else {
      // As JSON.parse does it: '__proto__' is a name like any other.
      Object.defineProperty(parent, name, {
        value,
        configurable: true,
        enumerable: true,
        writable: true,
      })
    }
  }
  scanJson(text, (kind, start, end) => {
    switch (kind) {
      case 'open': {
        const value = text[start] === '[' ? [] : {}
        add(value)
        open.push(value)
        return
      }
      case 'close':
        open.pop()
        return
      case 'name':
        name = JSON.parse(text.slice(start, end)) as string
        return
      case 'number':
        add(numberOf(text.slice(start, end)))
        return
      case 'string':
      case 'word':
        add(JSON.parse(text.slice(start, end)))
        return
      default:
    }
  })
  return root
}

function numberOf(text: string): number | bigint {
  const number = Number(text)
  return Number.isSafeInteger(number) || /[.eE]/.test(text) ? number : BigInt(text)
}

function skipSpace(text: string, position: number): number {
  let at = position
  for (;;) {
    const code = text.charCodeAt(at)
    if (code !== 0x20 && code !== 0x0a && code !== 0x0d && code !== 0x09) return at
    at++
  }
}

function endOfString(text: string, start: number): number {
  for (let at = start + 1; at < text.length; at++) {
    const code = text.charCodeAt(at)
    if (code === 0x22) return at + 1
    if (code < 0x20) throw new JsonTextError(at, 'a control character in a string')
    if (code !== 0x5c) continue
    escapePattern.lastIndex = at
    const [found] = escapePattern.exec(text) ?? []
    if (found === undefined) throw new JsonTextError(at, 'an unknown escape in a string')
    at += found.length - 1
  }
  throw new JsonTextError(text.length, 'a string without its end')
}
