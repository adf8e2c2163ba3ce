/**
 * Each view has an address of its own, `/topics/orders?partition=1`: what is shown can be kept, shared and gone
 * back to. Links are plain anchors; a click on one stays in the page.
 */
import { signal } from '@preact/signals'

export interface Route {
  /** The parts of the path, decoded: `['topics', 'orders']`. */
  readonly path: readonly string[]
  readonly query: URLSearchParams
}

export const route = signal<Route>(read())

function read(): Route {
  const { pathname, search } = location
  const path = pathname.split('/').filter((part) => part !== '')
  return { path: path.map(decode), query: new URLSearchParams(search) }
}

function decode(part: string): string {
  try {
    return decodeURIComponent(part)
  } catch {
    return part
  }
}

/** The address of a view. */
export function href(
  path: readonly string[],
  query: Readonly<Record<string, string>> = {},
): string {
  const search = new URLSearchParams(query).toString()
  const text = `/${path.map((part) => encodeURIComponent(part)).join('/')}`
  return search === '' ? text : `${text}?${search}`
}

export function go(address: string, options: { readonly replace?: boolean } = {}): void {
  if (options.replace === true) history.replaceState(null, '', address)
  else history.pushState(null, '', address)
  route.value = read()
}

/** Replaces parts of the query of the address that is shown; null removes one. */
export function setQuery(changes: Readonly<Record<string, string | null>>): void {
  const query = new URLSearchParams(location.search)
  for (const [name, value] of Object.entries(changes)) {
    if (value === null || value === '') query.delete(name)
    else query.set(name, value)
  }
  const search = query.toString()
  go(`${location.pathname}${search === '' ? '' : `?${search}`}`, { replace: true })
}

/** To be called once: follows links and the browser's buttons. */
export function followLinks(): void {
  addEventListener('popstate', () => {
    route.value = read()
  })
  document.addEventListener('click', (event) => {
    const isPlain = event.button === 0 && !event.metaKey && !event.ctrlKey && !event.shiftKey
    const anchor = (event.target as Element | null)?.closest?.('a')
    if (!isPlain || anchor === null || anchor === undefined || anchor.target !== '') return
    if (anchor.origin !== location.origin || anchor.hasAttribute('download')) return
    if (anchor.pathname.startsWith('/api/') || anchor.pathname === '/metrics') return
    event.preventDefault()
    go(anchor.pathname + anchor.search)
    document.querySelector('main')?.focus()
  })
}
