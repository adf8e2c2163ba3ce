/** What the broker answers in pages, all of it. */
import { api } from './api.ts'

export interface Page {
  /** Where the next page begins; undefined: this was the last. */
  readonly next?: number
}

/**
 * GET /api/v1 + path, page after page. Rejects as `api` does.
 *
 * @param path With a query or without.
 */
export async function* allPages<T extends Page>(
  path: string,
  signal: AbortSignal,
): AsyncGenerator<T, void, undefined> {
  let next: number | undefined = 0
  while (next !== undefined) {
    const separator = path.includes('?') ? '&' : '?'
    const page: T = await api<T>(`${path}${separator}cursor=${next}`, { signal })
    yield page
    next = page.next
  }
}
