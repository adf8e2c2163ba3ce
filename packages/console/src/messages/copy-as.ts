/**
 * A message as a command or a program that sends it again: for curl, kcat and TypeScript. Whatever the message holds
 * is quoted: nothing of it is a command when it is pasted into a shell, and no control character is in the text, so
 * that nothing of it is a key press to the terminal either.
 */
import { bytesToBase64, messageToJson, type StoredMessage } from '@kaska/protocol'
import { textOf } from './bytes-text.ts'

/** Where the broker is, as this page reached it. */
export interface Place {
  readonly host: string
  readonly port: number
  readonly isTls: boolean
}

/** An argument may be of so many characters on every system. */
const argumentLengthMax = 100_000
const kafkaName = /^[a-zA-Z0-9._-]{1,249}$/
/** What a terminal may take for more than text: controls, and what turns the direction of what follows. */
// biome-ignore lint/suspicious/noControlCharactersInRegex: these are what is looked for
const unsafe = /[\u0000-\u001f\u007f-\u009f\u2028\u2029\u200e\u200f\u202a-\u202e\u2066-\u2069]/
const unsafeAll = new RegExp(unsafe.source, 'g')

/** `curl` to the broker's HTTP interface: exact, whatever the bytes are. */
export function asCurl(message: StoredMessage, { host, port, isTls }: Place): string {
  const topic = encodeURIComponent(message.topic)
  const url = `${isTls ? 'https' : 'http'}://${host}:${port}/api/v1/topics/${topic}/messages`
  const command = `curl ${shellQuote(url)} -H 'content-type: application/json' --data-binary`
  const json = escapeUnsafe(messageToJson(message))
  if (json.length <= argumentLengthMax) return `${command} ${shellQuote(json)}`
  // A line of JSON is never the mark.
  return `${command} @- <<'END'\n${json}\nEND`
}

/** `kcat`; a comment that says why not where its command line cannot say the message. It stamps it anew. */
export function asKcat(message: StoredMessage, { host, port, isTls }: Place): string {
  const { topic, partition, key, value, headers } = message
  const reason = kcatRefusal(message)
  if (reason !== undefined) return `# kcat cannot send this message: ${reason}`
  const [between = 0, end = 0] = freeBytes(key, value)
  let input = ''
  if (key !== null || value === null) input += printfBytes(key) + printfBytes([between])
  input += printfBytes(value) + printfBytes([end])
  const words = ['kcat', '-P', '-b', shellQuote(`${host}:${port}`), '-t', shellQuote(topic)]
  words.push('-p', String(partition), '-D', `'${escapeOf(end)}'`)
  if (key !== null || value === null) words.push('-K', `'${escapeOf(between)}'`)
  if (value === null) words.push('-Z')
  for (const [name, bytes] of headers) {
    words.push('-H', shellQuote(bytes === null ? name : `${name}=${textOf(bytes)}`))
  }
  if (isTls) words.push('-X', 'security.protocol=ssl')
  return `printf '${input}' | ${words.join(' ')}`
}

/** A program for Node with `@kaska/client`. */
export function asTypeScript(message: StoredMessage, { host, port, isTls }: Place): string {
  const { topic, partition, timestamp, key, value, headers } = message
  const fields = [`  value: ${literal(value)},`]
  if (key !== null) fields.unshift(`  key: ${literal(key)},`)
  if (headers.length > 0) {
    const pairs = headers.map(([name, bytes]) => `    [${textLiteral(name)}, ${literal(bytes)}],\n`)
    fields.push(`  headers: [\n${pairs.join('')}  ],`)
  }
  fields.push(`  partition: ${partition},`)
  if (timestamp >= 0) fields.push(`  timestamp: ${timestamp},`)
  const url = `${isTls ? 'kaskas' : 'kaska'}://${host}:${port}`
  return [
    "import { connect } from '@kaska/client'",
    '',
    `const client = await connect(${textLiteral(url)})`,
    `await client.send(${textLiteral(topic)}, {`,
    ...fields,
    '})',
    'await client.close()',
    '',
  ].join('\n')
}

/** One word of a POSIX shell. */
export function shellQuote(text: string): string {
  return `'${text.replaceAll("'", "'\\''")}'`
}

/** JSON and program text alike: within a string, `\uXXXX` says the same. */
function escapeUnsafe(quoted: string): string {
  return quoted.replace(
    unsafeAll,
    (character) => `\\u${character.charCodeAt(0).toString(16).padStart(4, '0')}`,
  )
}

function textLiteral(text: string): string {
  return escapeUnsafe(JSON.stringify(text))
}

function literal(bytes: Uint8Array | null): string {
  if (bytes === null) return 'null'
  const text = textOf(bytes)
  if (text !== undefined) return textLiteral(text)
  return `Uint8Array.from(atob('${bytesToBase64(bytes)}'), (c) => c.charCodeAt(0))`
}

/**
 * What kcat's input and options cannot say (tried with kcat 1.7): without a key an empty value is not sent; where
 * an empty value stands for null, an empty key does too; a header is text.
 */
function kcatRefusal({ topic, key, value, headers }: StoredMessage): string | undefined {
  if (!kafkaName.test(topic)) return "Kafka's protocol has no topics of such a name"
  if (key === null && value?.length === 0) return 'it has no key, and an empty value'
  if (key?.length === 0 && value === null) return 'it has an empty key, and no value'
  if (freeBytes(key, value).length < 2) return 'each byte occurs in it: none is left to end it with'
  const isLong = (key?.length ?? 0) + (value?.length ?? 0) > argumentLengthMax / 4
  if (isLong) return 'it is too long for a command line'
  for (const [name, bytes] of headers) {
    if (name === '' || name.includes('=')) return "a header's name is empty, or has a '='"
    const text = bytes === null ? '' : textOf(bytes)
    if (text === undefined) return 'a header has a binary value'
    if (unsafe.test(name) || unsafe.test(text)) return 'a header has a control character'
  }
  return undefined
}

/** The first two bytes that occur in neither; fewer where there are none. */
function freeBytes(...fields: (Uint8Array | null)[]): [number, number] | [] {
  const free: number[] = []
  // First the separators of ASCII.
  for (const byte of [0x1f, 0x1e, 0x1d, 0x1c, ...Array(0x1b).keys()]) {
    if (byte === 0 || free.length === 2) continue
    if (!fields.some((field) => field?.includes(byte) === true)) free.push(byte)
  }
  const [first, second] = free
  return first === undefined || second === undefined ? [] : [first, second]
}

/** For a format of printf in single quotes. */
function printfBytes(bytes: Iterable<number> | null): string {
  let text = ''
  for (const byte of bytes ?? []) {
    if (byte === 0x25) text += '%%'
    else if (byte < 0x20 || byte > 0x7e || byte === 0x27 || byte === 0x5c) {
      text += `\\${byte.toString(8).padStart(3, '0')}`
    } else text += String.fromCharCode(byte)
  }
  return text
}

function escapeOf(byte: number): string {
  return `\\x${byte.toString(16).padStart(2, '0')}`
}
