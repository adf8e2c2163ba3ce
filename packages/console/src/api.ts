/** The broker over HTTP: JSON in, JSON out, problem details as errors. */
import { signal } from '@preact/signals'

/** Does the broker ask for a token that this browser has not shown? */
export const needsToken = signal(false)
/** How often the right one was shown. */
let tokensShown = 0

/** What the broker refused, as it says it (RFC 9457). */
export class ApiError extends Error {
  override readonly name = 'ApiError'
  readonly status: number
  /** `UNKNOWN_TOPIC`, ...; empty where there is none. */
  readonly code: string

  constructor(status: number, code: string, message: string) {
    super(message)
    this.status = status
    this.code = code
  }
}

export interface ApiOptions {
  readonly method?: 'GET' | 'POST' | 'PUT' | 'PATCH' | 'DELETE'
  /** Sent as JSON. */
  readonly body?: unknown
  readonly signal?: AbortSignal
}

/** `/api/v1` + path. Rejects with ApiError, or with what `fetch` rejects with. */
export async function api<T>(path: string, options: ApiOptions = {}): Promise<T> {
  const { method = 'GET', body, signal: abort } = options
  const shownBefore = tokensShown
  const response = await fetch(`/api/v1${path}`, {
    method,
    ...(abort === undefined ? {} : { signal: abort }),
    ...(body === undefined
      ? {}
      : { headers: { 'content-type': 'application/json' }, body: JSON.stringify(body) }),
  })
  // What was asked for before a token was shown says nothing of that one.
  if (response.status === 401 && tokensShown === shownBefore) needsToken.value = true
  if (!response.ok) {
    const problem = await response.json().catch(() => ({}))
    const { code = '', detail, title = response.statusText } = problem as Record<string, string>
    throw new ApiError(response.status, code, detail ?? title)
  }
  return (response.status === 204 ? undefined : await response.json()) as T
}

/** Shows the token to the broker, which keeps it in a cookie that no script can read. */
export async function signIn(token: string): Promise<void> {
  await api('/session', { method: 'POST', body: { token } })
  tokensShown++
  needsToken.value = false
}

/** A part of a path. */
export const part = encodeURIComponent
