/**
 * Bytes as people read and write them: text, JSON, hex, base64. What is shown of bytes never loses that they are
 * other bytes: what is not UTF-8 is not shown as text.
 */
import { bytesFromBase64 } from '@kaska/protocol'
import { jsonProblem } from './json-text.ts'

/** How bytes are written in a form. */
export type InputForm = 'text' | 'json' | 'hex' | 'base64' | 'null'

/** How bytes are shown. */
export type ShownForm = 'json' | 'text' | 'hex'

export interface Preview {
  readonly kind: 'null' | 'empty' | 'text' | 'bytes'
  readonly text: string
}

const strict = new TextDecoder('utf-8', { fatal: true, ignoreBOM: true })
const lenient = new TextDecoder('utf-8', { ignoreBOM: true })
const encoder = new TextEncoder()

/** The text that the bytes are as UTF-8; undefined where they are not. */
export function textOf(bytes: Uint8Array): string | undefined {
  try {
    return strict.decode(bytes)
  } catch {
    return undefined
  }
}

/** A text in which whatever is UTF-8 can be found. */
export function lenientText(bytes: Uint8Array): string {
  return lenient.decode(bytes)
}

/** How it is best shown: as JSON where it is an object, a list or any other JSON, as text, else as bytes. */
export function bestForm(bytes: Uint8Array): ShownForm {
  const text = textOf(bytes)
  if (text === undefined) return 'hex'
  if (jsonProblem(text) === undefined) return 'json'
  return isBinaryText(text) ? 'hex' : 'text'
}

/** One line of what is in it, of about `lengthMax` characters. */
export function preview(bytes: Uint8Array | null, lengthMax = 300): Preview {
  if (bytes === null) return { kind: 'null', text: 'null' }
  if (bytes.length === 0) return { kind: 'empty', text: 'empty' }
  const isCut = bytes.length > lengthMax
  const text = isCut ? startOfText(bytes, lengthMax) : textOf(bytes)
  if (text === undefined || isBinaryText(text)) {
    return { kind: 'bytes', text: `${hexOf(bytes.subarray(0, Math.ceil(lengthMax / 3)), ' ')}` }
  }
  return { kind: 'text', text: visible(text) + (isCut ? '…' : '') }
}

/** A text whose control characters are seen, on one line. */
export function visible(text: string): string {
  return text.replace(invisible, (character) => {
    const short = shortEscapes[character]
    return short ?? `\\u${character.charCodeAt(0).toString(16).padStart(4, '0')}`
  })
}

const shortEscapes: Readonly<Record<string, string>> = { '\n': '\\n', '\r': '\\r', '\t': '\\t' }

/** Controls, breaks of lines, and what turns the direction of the text around it. */
// biome-ignore lint/suspicious/noControlCharactersInRegex: these are what is looked for
const invisible = /[\u0000-\u001f\u007f-\u009f\u2028\u2029\u200e\u200f\u202a-\u202e\u2066-\u2069]/g

/** `00000000  48 65 6c 6c 6f ...  |Hello...|`, a line for 16 bytes. */
export function hexDump(bytes: Uint8Array): string {
  const lines: string[] = []
  for (let position = 0; position < bytes.length; position += 16) {
    const line = bytes.subarray(position, position + 16)
    const left = hexOf(line.subarray(0, 8), ' ').padEnd(23)
    const right = hexOf(line.subarray(8), ' ').padEnd(23)
    let characters = ''
    for (const byte of line) {
      characters += byte >= 0x20 && byte < 0x7f ? String.fromCharCode(byte) : '.'
    }
    lines.push(`${position.toString(16).padStart(8, '0')}  ${left}  ${right}  |${characters}|`)
  }
  return lines.join('\n')
}

export function hexOf(bytes: Uint8Array, separator = ''): string {
  return Array.from(bytes, (byte) => byte.toString(16).padStart(2, '0')).join(separator)
}

/** What somebody wrote, as bytes. Throws an Error that says what is wrong with it. */
export function bytesOf(input: string, form: InputForm): Uint8Array | null {
  switch (form) {
    case 'null':
      return null
    case 'hex':
      return bytesFromHex(input)
    case 'base64':
      return fromBase64(input)
    case 'json': {
      const problem = jsonProblem(input)
      if (problem !== undefined) throw new Error(`not JSON: ${problem}`)
      return encoder.encode(input)
    }
    case 'text':
      if (!input.isWellFormed()) throw new Error('half a surrogate pair: no UTF-8 stands for it')
      return encoder.encode(input)
  }
}

/** Takes `48656c`, `48 65 6c`, `0x48,0x65`, and the lines of a dump without their columns. */
function bytesFromHex(input: string): Uint8Array {
  const digits = input.replace(/0x/gi, '').replace(/[\s,:]+/g, '')
  const wrong = /[^0-9a-f]/i.exec(digits)
  if (wrong !== null) throw new Error(`not hex: ${JSON.stringify(wrong[0])}`)
  if (digits.length % 2 === 1) throw new Error('not hex: half a byte at the end')
  const bytes = new Uint8Array(digits.length / 2)
  for (let at = 0; at < bytes.length; at++) {
    bytes[at] = Number.parseInt(digits.slice(at * 2, at * 2 + 2), 16)
  }
  return bytes
}

/** Takes the alphabet for addresses too. */
function fromBase64(input: string): Uint8Array {
  try {
    return bytesFromBase64(input.replace(/-/g, '+').replace(/_/g, '/').replace(/\s+/g, ''))
  } catch {
    throw new Error('not base64')
  }
}

/** The text that the bytes begin with; undefined where they are no UTF-8. */
function startOfText(bytes: Uint8Array, length: number): string | undefined {
  // A character may be cut in two: at most three of its bytes are missing.
  for (let end = length; end > length - 4; end--) {
    const text = textOf(bytes.subarray(0, end))
    if (text !== undefined) return text
  }
  return undefined
}

/** Would most people rather see bytes? */
function isBinaryText(text: string): boolean {
  // biome-ignore lint/suspicious/noControlCharactersInRegex: these are what is looked for
  return /[\u0000-\u0008\u000e-\u001a\u001c-\u001f]/.test(text)
}
