/** A search for as long as a view is shown. */
import { useEffect, useRef, useState } from 'preact/hooks'
import { createExpressionMatcher } from './expression.ts'
import { KeptMessages } from './kept-messages.ts'
import {
  createPathMatcher,
  createTextMatcher,
  type Matcher,
  type SearchKind,
  type SearchScope,
} from './matchers.ts'
import { openReader } from './read-topic.ts'
import { foundMaxDefault, type SearchProgress, search } from './search.ts'
import { useRedraw } from './use-feed.ts'

export interface SearchRequest {
  readonly topic: string
  readonly partition: number | undefined
  readonly text: string
  readonly kind: SearchKind
  readonly scope: SearchScope
}

export interface Searching {
  readonly request: SearchRequest
  readonly found: KeptMessages
  state: 'searching' | 'done' | 'enough' | 'cancelled' | 'failed'
  progress: SearchProgress
  error: string
  /** What went wrong with single messages. */
  remark: string
}

export interface SearchControl {
  /** Undefined: nothing is searched for. */
  readonly searching: Searching | undefined
  start(request: SearchRequest): void
  cancel(): void
  clear(): void
}

export function useSearch(): SearchControl {
  const [searching, setSearching] = useState<Searching>()
  const redraw = useRedraw()
  const aborter = useRef(new AbortController())
  useEffect(() => () => aborter.current.abort(), [])
  const end = (): AbortController => {
    aborter.current.abort(new Error('cancelled'))
    aborter.current = new AbortController()
    return aborter.current
  }
  return {
    searching,
    start(request) {
      const { signal } = end()
      const begun: Searching = {
        request,
        found: new KeptMessages({ countMax: foundMaxDefault, bytesMax: 64 << 20 }),
        state: 'searching',
        progress: { done: 0, total: 0, messages: 0, found: 0 },
        error: '',
        remark: '',
      }
      setSearching(begun)
      void run(begun, signal, redraw)
    },
    cancel() {
      end()
      if (searching?.state === 'searching') searching.state = 'cancelled'
      redraw()
    },
    clear() {
      end()
      setSearching(undefined)
    },
  }
}

async function run(searching: Searching, signal: AbortSignal, redraw: () => void): Promise<void> {
  const { topic, partition } = searching.request
  const ended = new AbortController()
  const both = AbortSignal.any([signal, ended.signal])
  let matcher: Matcher | undefined
  try {
    matcher = await matcherOf(searching.request, both)
    const used = matcher
    const reader = await openReader(topic, partition, { at: 'start' }, both)
    const isAll = await search({
      reader,
      matcher,
      signal: both,
      found: (messages) => {
        searching.found.push(messages)
        redraw()
      },
      progress: (progress) => {
        searching.progress = progress
        searching.remark = used.remark
        redraw()
      },
    })
    searching.state = isAll ? 'done' : 'enough'
  } catch (error) {
    if (signal.aborted) return
    searching.state = 'failed'
    searching.error = (error as Error).message
  } finally {
    matcher?.end()
    // Closes the reader's connection.
    ended.abort(new Error('done'))
    redraw()
  }
}

async function matcherOf(
  { text, kind, scope }: SearchRequest,
  signal: AbortSignal,
): Promise<Matcher> {
  if (kind === 'text') return createTextMatcher(text, scope)
  if (kind === 'path') return createPathMatcher(text, scope)
  return await createExpressionMatcher(text, signal)
}
