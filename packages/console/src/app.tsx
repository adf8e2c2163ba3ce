/** The frame of the page: where one is, the views, and what went wrong. */
import type { ComponentChildren } from 'preact'
import { useEffect, useErrorBoundary } from 'preact/hooks'
import { needsToken } from './api.ts'
import { SignIn } from './components/sign-in.tsx'
import { Toasts } from './components/toasts.tsx'
import { followLinks, href, route } from './route.ts'
import { views } from './views/index.ts'

const tabs: readonly (readonly [path: string, label: string])[] = [
  ['', 'Overview'],
  ['topics', 'Topics'],
  ['groups', 'Groups'],
  ['connections', 'Connections'],
]

export function App() {
  useEffect(followLinks, [])
  const [first = ''] = route.value.path
  const View = views(route.value.path)
  return (
    <>
      <a class="skip" href="#main">
        Skip to the content
      </a>
      <header class="bar">
        <a class="brand" href="/">
          Kaska
        </a>
        <nav aria-label="Views">
          {tabs.map(([path, label]) => (
            <a
              key={path}
              href={href(path === '' ? [] : [path])}
              aria-current={first === path ? 'page' : undefined}
            >
              {label}
            </a>
          ))}
        </nav>
      </header>
      <main id="main" tabIndex={-1}>
        {needsToken.value ? (
          <SignIn />
        ) : (
          <Guard key={route.value.path.join('/')}>
            <View />
          </Guard>
        )}
      </main>
      <Toasts />
    </>
  )
}

/** What a view throws is shown in its place; the rest of the page goes on. */
function Guard({ children }: { readonly children: ComponentChildren }) {
  const [error, reset] = useErrorBoundary()
  if (error === undefined) return <>{children}</>
  return (
    <section class="problem" role="alert">
      <h1>This view has failed</h1>
      <p>{error instanceof Error ? error.message : String(error)}</p>
      <button type="button" onClick={reset}>
        Try again
      </button>
    </section>
  )
}
