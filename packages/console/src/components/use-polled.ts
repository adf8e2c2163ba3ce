/** What the broker says, asked again and again while a view is shown. */
import { useEffect, useState } from 'preact/hooks'
import { api } from '../api.ts'

export interface Polled<T> {
  /** Undefined until the first answer. */
  readonly data: T | undefined
  /** What the last request failed with; older data stays. */
  readonly error: Error | undefined
  /** Asks now. */
  readonly refresh: () => void
}

/** GET /api/v1 + path, each `everyMs`; not while the page is hidden. */
export function usePolled<T>(path: string, everyMs = 2000): Polled<T> {
  const [state, setState] = useState<{ data?: T; error?: Error }>({})
  const [asked, setAsked] = useState(0)
  useEffect(() => {
    const aborter = new AbortController()
    let timer: ReturnType<typeof setTimeout> | undefined
    const ask = async (): Promise<void> => {
      try {
        if (document.visibilityState === 'visible') {
          const data = await api<T>(path, { signal: aborter.signal })
          if (!aborter.signal.aborted) setState({ data })
        }
      } catch (error) {
        if (!aborter.signal.aborted) setState((last) => ({ ...last, error: error as Error }))
      }
      if (!aborter.signal.aborted) timer = setTimeout(ask, everyMs)
    }
    void ask()
    return () => {
      aborter.abort()
      clearTimeout(timer)
    }
  }, [path, everyMs, asked])
  return { data: state.data, error: state.error, refresh: () => setAsked((last) => last + 1) }
}
