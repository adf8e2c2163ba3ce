/** A list that the broker gives in pages, all of them, asked again and again while a view is shown. */
import { useEffect, useState } from 'preact/hooks'
import { api } from '../api.ts'

/** An answer that says where the list goes on. */
export interface Page {
  readonly next?: number
}

export interface Pages<P extends Page> {
  /** Empty until the first answer. */
  readonly pages: readonly P[]
  /** What the last request failed with; older pages stay. */
  readonly error: Error | undefined
  /** Asks now. */
  readonly refresh: () => void
}

/** A longer list is cut. */
const pagesMax = 100
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
          const pages = await readPages<P>(path, aborter.signal)
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

async function readPages<P extends Page>(path: string, signal: AbortSignal): Promise<P[]> {
  const pages: P[] = []
  let cursor: number | undefined
  do {
    const page = await api<P>(cursor === undefined ? path : `${path}?cursor=${cursor}`, { signal })
    pages.push(page)
    cursor = page.next
  } while (cursor !== undefined && pages.length < pagesMax)
  return pages
}
