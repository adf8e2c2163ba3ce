/**
 * Runs an expression over messages, in a worker of the sandboxed frame: an origin of its own, which reaches nothing.
 * All that it is given are messages, through one port, and all that it gives back is which of them were found.
 */
import type { StoredMessage } from '@kaska/protocol'
import { compileExpression } from './messages/compile-expression.ts'
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

addEventListener('message', ({ ports }: MessageEvent) => {
  const [port] = ports
  if (port === undefined) return
  let expression: (message: StoredMessage) => boolean = () => false
  const answer = (message: SearchAnswer): void => port.postMessage(message)
  port.onmessage = ({ data }: MessageEvent<SearchRequest>) => {
    if (data.kind === 'match') answer(match(data.messages))
    else answer({ kind: 'compiled', error: compile(data.expression) })
  }

  function compile(source: string): string | undefined {
    try {
      expression = compileExpression(source)
      return undefined
    } catch (error) {
      return String(error)
    }
  }

  function match(packed: PackedMessages): SearchAnswer {
    const found: number[] = []
    let failures = 0
    let failure: string | undefined
    unpackMessages(packed).forEach((message, index) => {
      try {
        if (expression(message)) found.push(index)
      } catch (error) {
        failures++
        failure ??= String(error)
      }
    })
    return { kind: 'matched', found, failures, failure }
  }
})
