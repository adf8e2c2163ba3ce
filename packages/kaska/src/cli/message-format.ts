/**
 * The formats of `consume -f`, as kcat has them:
 *
 *   %t topic    %p partition   %o offset      %T timestamp (ms since 1970)
 *   %k key      %K its bytes   %v %s value    %V %S its bytes     -1 bytes: null
 *   %h headers: name=value,name=value         %% a percent sign
 *   \n \r \t \0 \\ \xNN
 *
 * Keys and values come out as they are, byte for byte; a null as nothing, or as what was given for it.
 */
import type { StoredMessage } from '@kaska/protocol'
import { unescapeBytes } from './escapes.ts'
import { UsageError } from './failure.ts'

/** Takes the pieces of a message's output, one after the other. Bytes are not copied. */
export interface FormatSink {
  bytes(bytes: Uint8Array): void
  text(text: string): void
}

export type MessageFormat = (message: StoredMessage, sink: FormatSink) => void

/** Compiles a format. Throws UsageError. */
export function compileFormat(text: string, nullText = ''): MessageFormat {
  const pieces: MessageFormat[] = []
  let position = 0
  while (position < text.length) {
    const next = text.indexOf('%', position)
    const literal = text.slice(position, next === -1 ? text.length : next)
    if (literal !== '') pieces.push(literalPiece(unescapeBytes(literal, 'the format')))
    if (next === -1) break
    pieces.push(fieldPiece(text[next + 1] ?? '', nullText))
    position = next + 2
  }
  return (message, sink) => {
    for (const piece of pieces) piece(message, sink)
  }
}

function literalPiece(bytes: Uint8Array): MessageFormat {
  return (_message, sink) => sink.bytes(bytes)
}

function fieldPiece(letter: string, nullText: string): MessageFormat {
  switch (letter) {
    case 't':
      return (message, sink) => sink.text(message.topic)
    case 'p':
      return (message, sink) => sink.text(String(message.partition))
    case 'o':
      return (message, sink) => sink.text(String(message.offset))
    case 'T':
      return (message, sink) => sink.text(String(message.timestamp))
    case 'k':
      return (message, sink) => putBytes(message.key, nullText, sink)
    case 'K':
      return (message, sink) => sink.text(String(message.key?.length ?? -1))
    case 'v':
    case 's':
      return (message, sink) => putBytes(message.value, nullText, sink)
    case 'V':
    case 'S':
      return (message, sink) => sink.text(String(message.value?.length ?? -1))
    case 'h':
      return (message, sink) => putHeaders(message, nullText, sink)
    case '%':
      return (_message, sink) => sink.text('%')
    default:
      throw new UsageError(
        letter === '' ? 'the format ends with a single %' : `the format has an unknown %${letter}`,
        'it may use %t %p %o %k %v %s %K %V %S %T %h and %%',
      )
  }
}

function putBytes(bytes: Uint8Array | null, nullText: string, sink: FormatSink): void {
  if (bytes === null) sink.text(nullText)
  else sink.bytes(bytes)
}

function putHeaders(message: StoredMessage, nullText: string, sink: FormatSink): void {
  let separator = ''
  for (const [name, value] of message.headers) {
    sink.text(`${separator}${name}=`)
    putBytes(value, nullText, sink)
    separator = ','
  }
}
