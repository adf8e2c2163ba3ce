/**
 * The escapes of kcat's formats and delimiters, as bytes: \n \r \t \0 \\ and \xNN. Any other
 * character after a backslash is an error: a typing mistake should not become output.
 */
import { UsageError } from './failure.ts'

const encoder = new TextEncoder()
const byLetter: Readonly<Record<string, number>> = {
  n: 0x0a,
  r: 0x0d,
  t: 0x09,
  '0': 0x00,
  '\\': 0x5c,
}

/** The bytes that a text with escapes stands for. Throws UsageError, which names `what`. */
export function unescapeBytes(text: string, what: string): Uint8Array {
  if (!text.includes('\\')) return encoder.encode(text)
  const bytes: number[] = []
  let position = 0
  while (position < text.length) {
    const next = text.indexOf('\\', position)
    if (next === -1) {
      bytes.push(...encoder.encode(text.slice(position)))
      break
    }
    bytes.push(...encoder.encode(text.slice(position, next)))
    const letter = text[next + 1] ?? ''
    const simple = byLetter[letter]
    if (simple !== undefined) {
      bytes.push(simple)
      position = next + 2
      continue
    }
    const digits = text.slice(next + 2, next + 4)
    if (letter !== 'x' || !/^[0-9a-fA-F]{2}$/.test(digits)) {
      throw new UsageError(
        `${what} has an unknown escape: \\${letter}${letter === 'x' ? digits : ''}`,
        'it may use \\n \\r \\t \\0 \\\\ and \\xNN',
      )
    }
    bytes.push(Number.parseInt(digits, 16))
    position = next + 4
  }
  return Uint8Array.from(bytes)
}
