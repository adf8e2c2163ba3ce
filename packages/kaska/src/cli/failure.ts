/**
 * What a command says when it cannot do what it was asked: one line on standard error,
 *
 *     kaska: <what happened>; <what to do>
 *
 * and the exit code. 0: done, 1: failed, 2: the command was not understood. A stack is shown with
 * KASKA_DEBUG alone.
 */
import { KaskaError } from '@kaska/protocol'

export const exitDone = 0
export const exitFailed = 1
export const exitUsage = 2

/** The command did not do it. `advice` says what to do about it, without a full stop. */
export class CommandError extends Error {
  override readonly name: string = 'CommandError'
  readonly exitCode: number = exitFailed
  readonly advice: string | undefined

  constructor(message: string, advice?: string, options?: ErrorOptions) {
    super(message, options)
    this.advice = advice
  }
}

/** The command was not understood. */
export class UsageError extends CommandError {
  override readonly name = 'UsageError'
  override readonly exitCode = exitUsage
}

/** What to do about the errors whose text does not say it. */
const adviceByCode: ReadonlyMap<string, string> = new Map([
  ['UNKNOWN_TOPIC', 'see `kaska topic list`, or make it with `kaska topic create`'],
  ['TOPIC_EXISTS', '`--if-not-exists` makes that no error'],
  ['OFFSET_OUT_OF_RANGE', 'see `kaska offset get`'],
  ['MESSAGE_TOO_LARGE', 'see `kaska topic describe` for its max.message.bytes'],
  ['UNKNOWN_PARTITION', 'see `kaska topic describe`'],
  ['DISK_FULL', "make room on the broker's disk, then send again"],
  ['PARTITION_OFFLINE', "see the broker's output, and `kaska log verify` on its directory"],
  ['DELIVERY_TIMEOUT', 'the message may or may not have arrived'],
  ['DATA_DIRECTORY_LOCKED', 'stop the other broker, or give this one another --data directory'],
])

/** The one line for an error, without its end. */
export function failureLine(error: unknown): string {
  const message = error instanceof Error ? error.message : String(error)
  const advice = adviceFor(error, message)
  const text = advice === undefined ? message : `${message.replace(/\.$/, '')}; ${advice}`
  return `kaska: ${oneLine(text)}`
}

export function exitCodeOf(error: unknown): number {
  return error instanceof CommandError ? error.exitCode : exitFailed
}

function adviceFor(error: unknown, message: string): string | undefined {
  if (error instanceof CommandError) return error.advice
  // A text with a semicolon brings its own advice.
  if (error instanceof KaskaError && !message.includes(';')) return adviceByCode.get(error.code)
  return undefined
}

/**
 * Text of other people (a topic's name, an error's message) as one line that a terminal does nothing
 * with: control characters become escapes.
 */
export function oneLine(text: string): string {
  // biome-ignore lint/suspicious/noControlCharactersInRegex: they are what is looked for.
  return text.replace(/[\x00-\x1f\x7f-\x9f\u2028\u2029]/g, (character) => {
    const simple = simpleEscapes[character]
    if (simple !== undefined) return simple
    const code = character.charCodeAt(0)
    return code < 0x100
      ? `\\x${code.toString(16).padStart(2, '0')}`
      : `\\u${code.toString(16).padStart(4, '0')}`
  })
}

const simpleEscapes: Readonly<Record<string, string>> = { '\n': '\\n', '\r': '\\r', '\t': '\\t' }
