/** A list that the broker gives in pages, all of them, asked again and again while a view is shown. */
import { useEffect, useState } from 'preact/hooks'
import { allPages, type Page } from '../all-pages.ts'

export interface Pages<P extends Page> {
  /** Empty until the first answer. */
  readonly pages: readonly P[]
  /** What the last request failed with; older pages stay. */
  readonly error: Error | undefined
  /** Asks now. */
  readonly refresh: () => void
}

/** Of the time, how much goes into asking, at the most: one part in so many. */
const restFactor = 4

/** GET /api/v1 + path, each `everyMs`, or less often where that takes long; not while the page is hidden. */
export function usePages<P extends Page>(path: string, everyMs = 2000): Pages<P> {
  const [state, setState] = useState<{ pages: readonly P[]; error?: Error }>({ pages: [] })
  const [asked, setAsked] = useState(0)
  useEffect(() => {
    const aborter = new AbortController()
    let timer: ReturnType<typeof setTimeout> | undefined
    const ask = async (): Promise<void> => {
      const startedAt = performance.now()
      try {
        if (document.visibilityState === 'visible') {
          const pages: P[] = []
          for await (const page of allPages<P>(path, aborter.signal)) pages.push(page)
          if (!aborter.signal.aborted) setState({ pages })
        }
      } catch (error) {
        if (!aborter.signal.aborted) setState((last) => ({ ...last, error: error as Error }))
      }
      const pauseMs = Math.max(everyMs, restFactor * (performance.now() - startedAt))
      if (!aborter.signal.aborted) timer = setTimeout(ask, pauseMs)
    }
    void ask()
    return () => {
      aborter.abort()
      clearTimeout(timer)
    }
  }, [path, everyMs, asked])
  return { pages: state.pages, error: state.error, refresh: () => setAsked((last) => last + 1) }
}
