/** A topic's messages: followed without a gap, from everywhere, decoded, copied, exported. */
import assert from 'node:assert/strict'
import { execFile } from 'node:child_process'
import { readFile } from 'node:fs/promises'
import { test } from 'node:test'
import { promisify } from 'node:util'
import type { Client } from '@kaska/client'
import type { Page } from 'playwright-core'
import { cells, eventually, hasText, openConsole } from './console-page.ts'

const topics = [{ name: 'orders', partitions: 3 }]
const table = 'Messages of the topic'

/** The n-th goes to partition n % 3. */
async function sendMany(client: Client, from: number, to: number): Promise<void> {
  const sent: Promise<unknown>[] = []
  for (let index = from; index < to; index++) {
    sent.push(client.send('orders', { partition: index % 3, value: `{"n":${index}}` }))
  }
  await Promise.all(sent)
}

/** What the page exports, line by line. */
async function exported(page: Page): Promise<Record<string, unknown>[]> {
  const [download] = await Promise.all([
    page.waitForEvent('download'),
    page.getByRole('button', { name: /^Export/ }).click(),
  ])
  assert.match(download.suggestedFilename(), /\.jsonl$/)
  const text = await readFile(await download.path(), { encoding: 'utf8' })
  return text
    .trimEnd()
    .split('\n')
    .map((line) => JSON.parse(line))
}

test('a burst of 20,000 messages is followed without a gap; a pause loses nothing', async (t) => {
  const { page, open, client } = await openConsole(t, { topics })
  await open('/topics/orders/messages?from=end')
  const state = page.getByRole('status', { name: 'State' })
  await hasText(state, 'Live')
  await sendMany(client, 0, 20_000)
  await hasText(state, 'Live 20,000 messages', 30_000)
  // The newest is in sight, of whichever partition it is.
  await page.getByRole('table', { name: table }).locator('tr[aria-rowindex="20001"]').waitFor()

  await page.getByRole('heading', { level: 1 }).click()
  await page.keyboard.press('Space')
  await hasText(state, 'Paused')
  await sendMany(client, 20_000, 20_500)
  await hasText(state, 'Paused, 500 more in the log 20,000 messages')
  await page.keyboard.press('Space')
  await hasText(state, 'Live 20,500 messages')

  const lines = await exported(page)
  assert.equal(lines.length, 20_500)
  const next = [0, 0, 0]
  for (const { partition, offset, value } of lines) {
    const at = partition as number
    assert.equal(offset, next[at], `partition ${at}`)
    assert.equal(value, `{"n":${3 * (offset as number) + at}}`)
    next[at] = (offset as number) + 1
  }
})

test('while messages come all the time the list is full in each frame, and says that it is live', async (t) => {
  const { page, open, client } = await openConsole(t, { topics })
  await open('/topics/orders/messages?from=end')
  await hasText(page.getByRole('status', { name: 'State' }), 'Live')
  await page.evaluate(watchFrames, table)
  const watched = () => page.evaluate(() => (globalThis as unknown as { watched: Watched }).watched)
  // More at a time than the rows that are drawn beyond those in sight.
  for (let sent = 99; (await watched()).frames < 50; sent += 99) {
    await sendMany(client, sent - 99, sent)
    await page.getByText(`${sent.toLocaleString('en-US')} messages`, { exact: true }).waitFor()
  }
  const { gaps, states } = await watched()
  assert.deepEqual(gaps, [])
  assert.deepEqual(states, ['Live'])
})

interface Watched {
  /** With more messages than there is room for. */
  frames: number
  /** Pixels of the list that were empty, at its end or its beginning, in frames that were painted. */
  readonly gaps: number[]
  readonly states: string[]
}

/** In the page: looks at the list behind each frame, as it was painted. */
function watchFrames(label: string): void {
  const watched: Watched = { frames: 0, gaps: [], states: [] }
  Object.assign(globalThis, { watched })
  const { port1, port2 } = new MessageChannel()
  const list = document.querySelector(`section[aria-label="${label}"]`) as HTMLElement
  port1.onmessage = () => {
    const { top, bottom } = list.getBoundingClientRect()
    const drawn = [...list.querySelectorAll('tr[data-index]')]
    const first = drawn[0]?.getBoundingClientRect().top ?? bottom
    const last = drawn.at(-1)?.getBoundingClientRect().bottom ?? top
    if (list.scrollHeight > list.clientHeight) {
      watched.frames++
      const head = list.querySelector('thead th')?.getBoundingClientRect().bottom ?? top
      const gap = Math.max(first - head, bottom - last)
      if (gap > 3) watched.gaps.push(Math.round(gap))
    }
    const state = document.querySelector('[aria-label="State"]')?.firstChild?.textContent ?? ''
    if (!watched.states.includes(state)) watched.states.push(state)
    requestAnimationFrame(() => port2.postMessage(null))
  }
  port2.postMessage(null)
}

test('messages begin at the oldest, the newest, an offset, a time, or so many before the end', async (t) => {
  const { page, open, client } = await openConsole(t, {
    topics: [{ name: 'orders', partitions: 1 }],
    browser: { timezoneId: 'UTC' },
  })
  for (let n = 0; n < 50; n++) {
    const timestamp = Date.UTC(2026, 0, 1, 12, 0, n)
    await client.send('orders', { value: `${n}`, timestamp })
  }
  const values = async () => (await cells(page, table)).map((row) => Number(row.at(-1)))
  const begins = async (first: number | undefined, count: number) =>
    await eventually(async () => {
      assert.equal((await values())[0], first)
      const shown = page.getByRole('table', { name: table })
      assert.equal(await shown.getAttribute('aria-rowcount'), `${count + 1}`)
    })
  const address = () => new URL(page.url()).searchParams.get('from')
  await open('/topics/orders/messages?from=last:3')
  await begins(47, 3)
  await page.getByLabel('Start at').selectOption('oldest')
  await begins(0, 50)
  assert.equal(address(), 'start')
  await page.getByLabel('Start at').selectOption('an offset')
  await page.getByLabel('Offset', { exact: true }).fill('30')
  await page.keyboard.press('Enter')
  await begins(30, 20)
  assert.equal(address(), 'offset:30')
  await page.getByLabel('Start at').selectOption('a time')
  await page.getByLabel('Time', { exact: true }).fill('2026-01-01T12:00:45')
  await page.keyboard.press('Enter')
  await begins(45, 5)
  assert.equal(address(), `time:${Date.UTC(2026, 0, 1, 12, 0, 45)}`)
  await page.getByLabel('Start at').selectOption('newest: only what comes')
  await hasText(page.getByRole('status', { name: 'State' }), 'Live 0 messages')
  await client.send('orders', '50')
  await begins(50, 1)
  assert.equal(address(), 'end')
  await page.getByLabel('Start at').selectOption('the last …')
  await hasText(page.getByRole('status', { name: 'State' }), 'Live 51 messages')
  await page.getByLabel('Of each partition').fill('10')
  await page.keyboard.press('Enter')
  await begins(41, 10)
  // An address is enough to see the same again.
  await page.reload()
  await begins(41, 10)
  await page.getByRole('button', { name: 'Earlier messages' }).click()
  await eventually(async () => assert((await values()).includes(40)))
  await page.keyboard.press('Home')
  await begins(0, 51)
})

test('Enter opens the row that the keys have come to, before the focus has come to it', async (t) => {
  const { page, open, client } = await openConsole(t, { topics })
  for (let n = 0; n < 5; n++) await client.send('orders', { partition: 0, value: `${n}` })
  await open('/topics/orders/messages')
  await hasText(page.getByRole('status', { name: 'State' }), 'Live 5 messages')
  await page.getByRole('link', { name: 'Partition 0, offset 1' }).focus()
  // A page that draws slowly.
  await page.evaluate(() => {
    const draw = requestAnimationFrame
    window.requestAnimationFrame = (callback) => Number(setTimeout(() => draw(callback), 1000))
  })
  await page.keyboard.press('ArrowDown')
  await page.keyboard.press('Enter')
  await page.getByRole('region', { name: 'Message 0:2' }).waitFor()
})

test('one partition alone is shown when it is chosen', async (t) => {
  const { page, open, client } = await openConsole(t, { topics })
  await sendMany(client, 0, 9)
  await open('/topics/orders/messages')
  await eventually(async () => assert.equal((await cells(page, table)).length, 9))
  await page.getByRole('combobox', { name: 'Partition' }).selectOption('1')
  await eventually(async () => {
    const values = (await cells(page, table)).map((row) => row.at(-1))
    assert.deepEqual(values, ['{"n":1}', '{"n":4}', '{"n":7}'])
  })
})

test('a message is decoded as JSON, text or hex, with exact numbers and all its headers', async (t) => {
  const { page, open, client } = await openConsole(t, { topics })
  const value = '{"id":12345678901234567890,"price":1.10,"huge":1e400,"name":"Zoë"}'
  await client.send('orders', {
    partition: 0,
    key: 'k-1',
    value,
    headers: [
      ['trace', 'one'],
      ['trace', 'two'],
      ['raw', new Uint8Array([0xff, 0x00, 0x80])],
      ['none', null],
    ],
  })
  await client.send('orders', { partition: 1, value: new Uint8Array([0xde, 0xad, 0xbe, 0xef]) })
  await client.send('orders', { partition: 2, key: 'gone', value: null })
  await open('/topics/orders/messages')
  await page.getByRole('link', { name: 'Partition 0, offset 0' }).click()
  const detail = page.getByRole('region', { name: 'Message 0:0' })
  const json = detail.getByRole('region', { name: 'Value, json' })
  await hasText(json, '"id": 12345678901234567890')
  await hasText(json, '"price": 1.10')
  await hasText(json, '"huge": 1e400')
  await hasText(json, '"name": "Zoë"')
  await hasText(detail.getByRole('region', { name: 'Key, text' }), 'k-1')
  assert.deepEqual(await cells(page, 'Headers'), [
    ['trace', 'one'],
    ['trace', 'two'],
    ['raw', 'ff 00 80 hex'],
    ['none', 'null'],
  ])
  const switches = detail.getByRole('group', { name: 'Value as' })
  await switches.getByRole('button', { name: 'Hex' }).click()
  await hasText(detail.getByRole('region', { name: 'Value, hex' }), /7b 22 69 64/)
  await switches.getByRole('button', { name: 'Text' }).click()
  assert.equal(await detail.getByRole('region', { name: 'Value, text' }).textContent(), value)
  await page.keyboard.press('Escape')
  await detail.waitFor({ state: 'detached' })

  await page.getByRole('link', { name: 'Partition 1, offset 0' }).click()
  const binary = page.getByRole('region', { name: 'Message 1:0' })
  await binary.getByRole('group', { name: 'Value as' }).getByRole('button', { name: 'Hex' }).click()
  await hasText(binary.getByRole('region', { name: 'Value, hex' }), /de ad be ef/)
  await page.getByRole('link', { name: 'Partition 2, offset 0' }).click()
  await hasText(page.getByRole('region', { name: 'Message 2:0' }), 'A tombstone')
})

test('a message is copied as a command that sends it again', async (t) => {
  const { page, open, client, context, ask, url } = await openConsole(t, { topics })
  await context.grantPermissions(['clipboard-read', 'clipboard-write'], { origin: url })
  const value = `it's "$HOME" \`id\` \\ {"n":12345678901234567890}\nand more`
  await client.send('orders', {
    partition: 1,
    key: "k'1",
    value,
    headers: [
      ['h', 'x'],
      ['h', 'y'],
    ],
  })
  await open('/topics/orders/messages?open=1:0')
  const group = page.getByRole('group', { name: 'Copy as' })
  const copied = async (name: string): Promise<string> => {
    await group.getByRole('button', { name }).click()
    await hasText(page.getByRole('status').last(), `${name} copied`)
    return await page.evaluate(() => navigator.clipboard.readText())
  }
  const curl = await copied('curl')
  await promisify(execFile)('sh', ['-c', curl])
  const { messages } = await ask('GET', '/topics/orders/messages?partition=1&offset=0')
  assert.equal(messages.length, 2)
  const [first, second] = messages
  for (const name of ['key', 'value', 'headers']) assert.deepEqual(second[name], first[name])
  assert.equal(second.value, value)
  assert.match(await copied('kcat'), / kcat -P .* -t 'orders'/s)
  assert.match(await copied('TypeScript'), /from '@kaska\/client'/)
})
