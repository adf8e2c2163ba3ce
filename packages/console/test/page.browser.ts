/** The page itself: what it weighs, where it comes from, who is let in. */
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { openConsole } from './console-page.ts'

test('the whole page is under 150 kB, and comes from the broker alone', async (t) => {
  const { page, url, open } = await openConsole(t)
  const files: string[] = []
  let bytes = 0
  const sizes: Promise<void>[] = []
  page.on('response', (response) => {
    const { pathname } = new URL(response.url())
    if (pathname.startsWith('/api/')) return
    files.push(pathname)
    sizes.push(
      response
        .request()
        .sizes()
        .then((size) => {
          bytes += size.responseBodySize + size.responseHeadersSize
        }),
    )
  })
  await open('/')
  await Promise.all(sizes)
  t.diagnostic(`${files.join(' ')}: ${bytes} bytes`)
  assert(files.includes('/assets/main.js'))
  assert(files.includes('/assets/main.css'))
  assert(bytes < 150_000, `${bytes} bytes`)
  const answer = await fetch(`${url}/`)
  assert.match(
    answer.headers.get('content-security-policy') ?? '',
    /default-src 'none'.*require-trusted-types-for 'script'/,
  )
})

test('an address of no view says so, and leads back', async (t) => {
  const { page, open } = await openConsole(t, { topics: [{ name: 'orders' }] })
  await open('/topics/orders/nothing')
  await page.getByRole('heading', { name: 'Nothing is here' }).waitFor()
  await page.getByRole('main').getByRole('link', { name: 'Overview' }).click()
  await page.getByRole('heading', { name: 'Overview', level: 1 }).waitFor()
  assert.equal(new URL(page.url()).pathname, '/')
})
