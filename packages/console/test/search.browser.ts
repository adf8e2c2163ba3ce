/** Searches through a topic of 200,000 messages: by text, JSON path and expressions, none of which stops the page. */
import assert from 'node:assert/strict'
import { type TestContext, test } from 'node:test'
import type { Client } from '@kaska/client'
import type { Page } from 'playwright-core'
import { cells, eventually, hasText, openConsole } from './console-page.ts'

const total = 200_000
/** Of a search that takes a millisecond for each. */
const slowTotal = 50_000
const table = 'Messages found'

/** Values and keys that tell them apart; the header is in each 50,000th. */
async function fill(client: Client, count: number): Promise<void> {
  for (let from = 0; from < count; from += 10_000) {
    const sent: Promise<unknown>[] = []
    for (let n = from; n < Math.min(count, from + 10_000); n++) {
      const value = `{"n":${n},"customer":{"id":"c${n % 1000}"},"big":${10n ** 18n + BigInt(n)}}`
      const headers = n % 50_000 === 7 ? { region: `nord-${n}` } : undefined
      sent.push(client.send('orders', { partition: n % 2, key: `key-${n}`, value, headers }))
    }
    await Promise.all(sent)
  }
}

async function openSearch(t: TestContext, count: number, expected: RegExp[] = []) {
  const topics = [{ name: 'orders', partitions: 2 }]
  const console = await openConsole(t, { topics, expected })
  await fill(console.client, count)
  await console.open('/topics/orders/messages?from=end')
  return console
}

async function search(page: Page, by: string, text: string, where?: string): Promise<void> {
  await page.getByRole('combobox', { name: 'By' }).selectOption(by)
  if (where !== undefined) {
    await page.getByRole('combobox', { name: 'Where' }).selectOption(where)
  }
  await page.getByRole('searchbox', { name: 'Search through the whole topic' }).fill(text)
  await page.getByRole('button', { name: 'Search', exact: true }).click()
}

async function found(page: Page): Promise<string[]> {
  return (await cells(page, table)).map((row) => row.at(-2) ?? '').sort()
}

test('200,000 messages are searched by text, JSON path and an expression', async (t) => {
  const { page } = await openSearch(t, total)
  const result = page.getByRole('status', { name: 'Search result' })
  const ends = async (what: string, count: number) => {
    const startedAt = performance.now()
    const text = `${count} found in 200,000 messages, all was searched`
    await hasText(result, text, 60_000)
    t.diagnostic(`${what}: ${Math.round(performance.now() - startedAt)} ms`)
  }
  await search(page, 'text', 'KEY-19999', 'in the key')
  await ends('text', 11)
  await search(page, 'text', 'nord-', 'in the headers')
  await ends('headers', 4)
  assert.deepEqual(await found(page), ['key-100007', 'key-150007', 'key-50007', 'key-7'])
  await search(page, 'JSON path', '$.big == 1000000000000123456', 'in the value')
  await ends('JSON path', 1)
  assert.deepEqual(await found(page), ['key-123456'])
  await search(page, 'JavaScript', "value.customer.id === 'c77' && value.n % 25000 === 77")
  await ends('expression', 8)
  // Each address can be kept: a text is looked for again at once.
  await search(page, 'text', '"n":199999,', 'in the value')
  await ends('text', 1)
  await page.reload()
  await ends('text, from the address', 1)
  await page.getByRole('link', { name: /^Partition 1, offset/ }).click()
  await page.getByRole('region', { name: /^Message 1:/ }).waitFor()
  await page.getByRole('button', { name: 'Back to all messages' }).click()
  await page.getByRole('table', { name: 'Messages of the topic' }).waitFor()
})

test('a search shows how far it is, and is cancelled', async (t) => {
  const { page } = await openSearch(t, slowTotal)
  // A millisecond for each message.
  const slow = '(() => { for (const end = performance.now() + 1; performance.now() < end; ); })()'
  await search(page, 'JavaScript', `${slow} || value.n < 100`)
  const progress = page.getByRole('progressbar', { name: 'Search' })
  await eventually(async () => {
    const part = await progress.evaluate((bar: HTMLProgressElement) => bar.position)
    assert(part > 0 && part < 1, `${part}`)
  })
  await page.getByRole('button', { name: 'Cancel' }).click()
  const result = page.getByRole('status', { name: 'Search result' })
  await hasText(result, /^[\d,]+ found in [\d,]+ messages, cancelled$/)
  const [, looked] = /in ([\d,]+) messages/.exec((await result.textContent()) ?? '') ?? []
  assert(Number(looked?.replaceAll(',', '')) < slowTotal, looked)
})

test('an expression without an end is stopped, and the page goes on', async (t) => {
  const { page } = await openSearch(t, 10)
  await page.evaluate(countFrames)
  await search(page, 'JavaScript', '(() => { for (;;) {} })()')
  await page.getByRole('alert').filter({ hasText: /./ }).waitFor()
  t.diagnostic((await page.getByRole('alert').textContent()) ?? '')
  // Meanwhile the page went on.
  const frames = await page.evaluate(
    () => (globalThis as unknown as { counted: { frames: number } }).counted.frames,
  )
  assert(frames > 5, `${frames} frames`)
  await search(page, 'JavaScript', 'value.n === 3')
  await hasText(page.getByRole('status', { name: 'Search result' }), '1 found in 10 messages, all')
})

/** In the page: counts its frames while a search is under way. */
function countFrames(): void {
  const counted = { frames: 0 }
  Object.assign(globalThis, { counted })
  const count = () => {
    const button = Array.from(document.querySelectorAll('button')).find(
      ({ textContent }) => textContent === 'Cancel',
    )
    if (button !== undefined) counted.frames++
    requestAnimationFrame(count)
  }
  count()
}

test('an expression that is none, or that throws, is told; one reaches nothing but messages', async (t) => {
  const { page, url, ask } = await openSearch(t, 10, [
    /Content Security Policy|^policy: connect-src/,
  ])
  await search(page, 'JavaScript', 'value.n ===')
  await page
    .getByRole('alert')
    .filter({ hasText: /Unexpected/ })
    .waitFor()
  await search(page, 'JavaScript', 'value.n.x.y === 1')
  await hasText(page.getByRole('search'), 'With 10 messages the expression failed')
  const reaches = [
    "typeof document !== 'undefined'",
    "typeof parent !== 'undefined'",
    "typeof localStorage !== 'undefined'",
  ]
  for (const expression of reaches) {
    await search(page, 'JavaScript', expression)
    await hasText(
      page.getByRole('status', { name: 'Search result' }),
      '0 found in 10 messages, all',
    )
  }
  const address = `${url}/api/v1/topics/orders`
  await search(page, 'JavaScript', `fetch('${address}', { method: 'DELETE' }).catch(() => {})`)
  await hasText(page.getByRole('status', { name: 'Search result' }), '10 found in 10 messages, all')
  assert.deepEqual(await ask('GET', '/topics/orders').then(({ name }) => name), 'orders')
})
