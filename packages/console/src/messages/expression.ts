/**
 * Looks with a JavaScript expression: in a worker of a sandboxed frame, which is given messages and nothing else
 * (sandbox.ts, search-worker.ts). An expression that takes longer than its time ends with the frame: a loop without
 * an end never stops this page.
 */
import type { SearchAnswer, SearchRequest } from '../search-worker.ts'
import type { Matcher } from './matchers.ts'
import { packMessages } from './packed-messages.ts'

/** For one batch of messages, some milliseconds' worth. */
const answerMsMax = 3000
/** For the frame and its worker to be there. */
const startMsMax = 10_000

/** Rejects where the expression is none. To be ended. */
export async function createExpressionMatcher(
  expression: string,
  signal: AbortSignal,
): Promise<Matcher> {
  const frame = document.createElement('iframe')
  frame.setAttribute('sandbox', 'allow-scripts')
  frame.hidden = true
  frame.title = 'Where the expression runs'
  const { port1: port, port2 } = new MessageChannel()
  const end = (): void => {
    port.close()
    // Its worker ends with it.
    frame.remove()
  }
  signal.addEventListener('abort', end, { once: true })
  frame.addEventListener(
    'load',
    // It has an origin of its own, which no name stands for.
    () => frame.contentWindow?.postMessage(null, '*', [port2]),
    { once: true },
  )
  frame.src = '/sandbox.html'
  document.body.append(frame)
  let failures = 0
  let failure = ''
  try {
    const { error } = await ask({ kind: 'compile', expression }, startMsMax, [])
    if (error !== undefined) throw new Error(error)
  } catch (error) {
    end()
    throw error
  }
  return {
    get remark() {
      if (failures === 0) return ''
      return `With ${failures} ${failures === 1 ? 'message' : 'messages'} the expression failed: ${failure}`
    },
    async match(messages) {
      const packed = packMessages(messages)
      const answer = await ask({ kind: 'match', messages: packed }, answerMsMax, [
        packed.bytes.buffer,
        packed.numbers.buffer,
      ])
      failures += Number(answer.failures) || 0
      failure ||= String(answer.failure ?? '')
      // The expression may have said what it liked.
      const found = Array.isArray(answer.found) ? answer.found : []
      return found.filter((place) => Number.isInteger(place) && messages[place] !== undefined)
    },
    end,
  }

  function ask<Request extends SearchRequest>(
    request: Request,
    msMax: number,
    transfer: Transferable[],
  ): Promise<
    Extract<SearchAnswer, { kind: Request['kind'] extends 'match' ? 'matched' : 'compiled' }>
  > {
    return new Promise((resolve, reject) => {
      const timer = setTimeout(() => {
        end()
        reject(new Error(`the expression was stopped: it took more than ${msMax / 1000} s`))
      }, msMax)
      const abort = (): void => {
        clearTimeout(timer)
        reject(signal.reason)
      }
      signal.addEventListener('abort', abort, { once: true })
      port.onmessage = ({ data }) => {
        clearTimeout(timer)
        signal.removeEventListener('abort', abort)
        resolve(data)
      }
      port.postMessage(request, transfer)
    })
  }
}
