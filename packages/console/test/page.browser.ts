/** The page itself: what it weighs, where it comes from, who is let in. */
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { cells, eventually, hasText, openConsole } from './console-page.ts'

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

test('with a token the page asks for it once, keeps it from scripts, and shows nothing before', async (t) => {
  const { page, open, context, url, client } = await openConsole(t, {
    topics: [{ name: 'orders' }],
    listen: { http: { token: 'sesame street' } },
    expected: [/status of 401/, /WebSocket connection .* Authentication failed/],
  })
  await client.send('orders', 'secret')
  await open('/topics/orders/messages')
  await page.getByRole('heading', { name: 'Token' }).waitFor()
  assert.equal(await page.getByText('secret').count(), 0)
  await page.getByLabel('Token').fill('wrong')
  await page.keyboard.press('Enter')
  await page.getByRole('alert').waitFor()
  await page.getByLabel('Token').fill('sesame street')
  await page.keyboard.press('Enter')
  await page.getByRole('link', { name: 'Partition 0, offset 0' }).waitFor()
  const [cookie] = await context.cookies(url)
  assert.deepEqual([cookie?.httpOnly, cookie?.sameSite], [true, 'Strict'])
  assert.equal(await page.evaluate(() => document.cookie), '')
  assert(!page.url().includes('sesame'))
  // It is kept: other views, and the page again, do not ask.
  for (const path of ['/', '/topics', '/groups', '/connections', '/topics/orders/produce']) {
    await open(path)
    assert.equal(await page.getByLabel('Token').count(), 0)
  }
})

test('what was asked for before the token was shown does not ask for it again', async (t) => {
  const { page, open } = await openConsole(t, {
    listen: { http: { token: 'sesame street' } },
    expected: [/status of 401/],
  })
  const shown = Promise.withResolvers<void>()
  const answered = Promise.withResolvers<void>()
  let asked = 0
  await page.route('**/api/v1/stats', async (route) => {
    if (++asked !== 2) return await route.continue()
    await shown.promise
    await route.fulfill({ status: 401, body: '{}' })
    answered.resolve()
  })
  await open('/')
  await page.getByLabel('Token').waitFor()
  await eventually(() => assert.equal(asked, 2))
  await page.getByLabel('Token').fill('sesame street')
  await page.keyboard.press('Enter')
  await page.getByRole('heading', { name: 'Overview', level: 1 }).waitFor()
  shown.resolve()
  await answered.promise
  await eventually(() => assert(asked > 3))
  assert.equal(await page.getByLabel('Token').count(), 0)
})

test('the colours follow the system, and text can be read in both', async (t) => {
  const { page, open, client, ask } = await openConsole(t, { topics: [{ name: 'orders' }] })
  await client.send('orders', { key: 'k', value: '{"n":1,"s":"x"}', headers: { h: 'x' } })
  await ask('PUT', '/groups/billing/offsets/orders/0', { offset: 0 })
  for (const path of [
    '/',
    '/topics',
    '/topics/orders',
    '/topics/orders/messages?open=0:0',
    '/topics/orders/produce',
    '/groups',
    '/groups/billing',
    '/connections',
  ]) {
    for (const colorScheme of ['light', 'dark'] as const) {
      await page.emulateMedia({ colorScheme })
      await open(path)
      await hasText(page.getByRole('main'), /\w/)
      const ground = await page.evaluate(() => getComputedStyle(document.body).backgroundColor)
      const [red = 0] = ground.match(/\d+/g)?.map(Number) ?? []
      assert(colorScheme === 'dark' ? red < 60 : red > 200, `${colorScheme}: ${ground}`)
      assert.deepEqual(await page.evaluate(hardToRead), [], `${path}, ${colorScheme}`)
    }
  }
})

/** Runs in the page: text of less contrast with its ground than 4.5 to 1 (WCAG 1.4.3), but of disabled controls. */
function hardToRead(): string[] {
  const canvas = document.createElement('canvas').getContext('2d', { willReadFrequently: true })
  if (canvas === null) return ['no canvas']
  const colour = (text: string): number[] => {
    canvas.clearRect(0, 0, 1, 1)
    canvas.fillStyle = text
    canvas.fillRect(0, 0, 1, 1)
    return [...canvas.getImageData(0, 0, 1, 1).data]
  }
  const luminance = ([red = 0, green = 0, blue = 0]: number[]): number => {
    const [r = 0, g = 0, b = 0] = [red, green, blue].map((part) => {
      const share = part / 255
      return share <= 0.04045 ? share / 12.92 : ((share + 0.055) / 1.055) ** 2.4
    })
    return 0.2126 * r + 0.7152 * g + 0.0722 * b
  }
  const groundOf = (element: Element | null): number[] => {
    for (let each = element; each !== null; each = each.parentElement) {
      const found = colour(getComputedStyle(each).backgroundColor)
      if ((found[3] ?? 0) > 200) return found
    }
    return [255, 255, 255, 255]
  }
  const bad = new Set<string>()
  const walker = document.createTreeWalker(document.body, NodeFilter.SHOW_TEXT)
  for (let node = walker.nextNode(); node !== null; node = walker.nextNode()) {
    const element = node.parentElement
    const text = node.textContent?.trim() ?? ''
    if (element === null || text === '' || element.closest(':disabled, noscript') !== null) continue
    if (!element.checkVisibility()) continue
    const [one, other] = [
      luminance(colour(getComputedStyle(element).color)),
      luminance(groundOf(element)),
    ].toSorted((a, b) => b - a)
    const contrast = ((one ?? 0) + 0.05) / ((other ?? 0) + 0.05)
    if (contrast < 4.5) bad.add(`${text.slice(0, 30)}: ${contrast.toFixed(1)}`)
  }
  return [...bad]
}

test('everything is reached with the keyboard alone', async (t) => {
  const { page, open, client, ask } = await openConsole(t, { topics: [{ name: 'orders' }] })
  for (let n = 0; n < 5; n++) await client.send('orders', `${n}`)
  await ask('PUT', '/groups/billing/offsets/orders/0', { offset: 2 })
  const press = async (...keys: string[]) => {
    for (const key of keys) await page.keyboard.press(key)
  }
  /** Tab until what has the focus is called so. */
  const tabTo = async (name: string | RegExp) => {
    for (let presses = 0; presses < 80; presses++) {
      await press('Tab')
      const focused = await page.evaluate(() => {
        const element = document.activeElement
        const label = element?.closest('label')?.firstChild?.textContent
        return element?.getAttribute('aria-label') ?? label ?? element?.textContent ?? ''
      })
      if (typeof name === 'string' ? focused.trim() === name : name.test(focused)) return
    }
    assert.fail(`the Tab key does not lead to ${name}`)
  }
  await open('/')
  await tabTo('Topics')
  await press('Enter')
  await page.getByRole('heading', { name: 'Topics' }).waitFor()
  await page.getByRole('link', { name: 'orders', exact: true }).waitFor()
  await press('/')
  await page.keyboard.type('ord')
  await tabTo('orders')
  await press('Enter')
  await page.getByRole('heading', { name: 'orders' }).waitFor()
  await page.getByRole('link', { name: 'Messages', exact: true }).waitFor()
  await tabTo('Messages')
  await press('Enter')
  await page.getByRole('link', { name: 'Partition 0, offset 4' }).waitFor()
  await press('Home', 'ArrowDown', 'ArrowDown', 'Enter')
  await page.getByRole('region', { name: 'Message 0:2' }).waitFor()
  await press('ArrowDown')
  await page.getByRole('region', { name: 'Message 0:3' }).waitFor()
  await press('Escape')
  await page.getByRole('region', { name: 'Message 0:3' }).waitFor({ state: 'detached' })
  await press('Space')
  await hasText(page.getByRole('status', { name: 'State' }), 'Paused')
  await press('Space')
  await hasText(page.getByRole('status', { name: 'State' }), 'All is read')

  await open('/groups')
  await page.getByRole('link', { name: 'billing' }).waitFor()
  await tabTo('billing')
  await press('Enter')
  await page.getByRole('button', { name: 'Reset offsets' }).waitFor()
  await tabTo(/^Reset offsets/)
  await press('Enter')
  await eventually(async () => {
    assert.deepEqual(await cells(page, 'What changes'), [['0', '2', '0', 'again 2']])
  })
  await press('Escape')
  // Not by its role: it has none any more as soon as it is closed.
  await page.locator('dialog').waitFor({ state: 'detached' })
  // The focus is back on the button.
  await press('Enter')
  await eventually(async () => assert.equal((await cells(page, 'What changes')).length, 1))
  await tabTo('Reset')
  await press('Enter')
  await page.getByRole('dialog').waitFor({ state: 'detached' })
  assert.equal((await ask('GET', '/groups/billing')).offsets[0].offset, 0)

  await open('/connections')
  await page
    .getByRole('link', { name: /connection \d/ })
    .first()
    .waitFor()
  await tabTo(/^connection \d/)
  await press('Enter')
  await page.getByRole('region', { name: 'Connection', exact: true }).waitFor()
  await press('Escape')
  await page.getByRole('region', { name: 'Connection', exact: true }).waitFor({ state: 'detached' })
})
