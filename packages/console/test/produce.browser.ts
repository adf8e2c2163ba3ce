/** Sending from the page: every part of a message, tombstones, many lines, and one again with changes. */
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { type ConsolePage, hasText, openConsole } from './console-page.ts'

const topics = [{ name: 'orders', partitions: 2 }]

async function messages({ ask }: ConsolePage, partition: number) {
  const { messages: all } = await ask(
    'GET',
    `/topics/orders/messages?partition=${partition}&offset=0`,
  )
  return all
}

test('a message is sent with key, value, headers, partition and time, and is linked to', async (t) => {
  const console = await openConsole(t, { topics })
  const { page, open } = console
  await open('/topics/orders/produce')
  const form = page.getByRole('form', { name: 'Message to send' })
  const box = (name: string) => form.getByRole('textbox', { name, exact: true })
  const as = (name: string) => form.getByRole('combobox', { name: `${name} as`, exact: true })
  await as('Key').selectOption('text')
  await box('Key').fill('k-1')
  await as('Value').selectOption('JSON')
  await box('Value').fill('{"id":12345678901234567890}')
  for (const [number, name, value] of [
    [1, 'trace', 'one'],
    [2, 'trace', 'ff0080'],
  ] as const) {
    await form.getByRole('button', { name: 'Add a header' }).click()
    await box(`Name ${number}`).fill(name)
    if (number === 2) await as(`Value ${number}`).selectOption('hex')
    await box(`Value ${number}`).fill(value)
  }
  await box('Partition').fill('1')
  await box('Timestamp').fill('1700000000123')
  await form.getByRole('button', { name: 'Send', exact: true }).click()
  const link = page.getByRole('region', { name: 'Sent' }).getByRole('link')
  await hasText(link, 'Partition 1, offset 0')
  const [sent] = await messages(console, 1)
  assert.equal(sent.key, 'k-1')
  assert.equal(sent.value, '{"id":12345678901234567890}')
  assert.equal(sent.timestamp, 1_700_000_000_123)
  assert.equal(sent.headers.length, 2)
  await link.click()
  const detail = page.getByRole('region', { name: 'Message 1:0' })
  await hasText(detail, 'ff 00 80 hex')

  // Again, with changes.
  await detail.getByRole('link', { name: 'Resend with changes' }).click()
  await page.getByRole('heading', { name: 'Produce to orders' }).waitFor()
  await box('Name 2').waitFor()
  assert.equal(await box('Key').inputValue(), 'k-1')
  assert.match(await box('Value').inputValue(), /"id": ?12345678901234567890/)
  await box('Key').fill('k-2')
  await page.keyboard.press('Control+Enter')
  await hasText(page.getByRole('region', { name: 'Sent' }), 'Partition')
  const all = [...(await messages(console, 0)), ...(await messages(console, 1))]
  assert.equal(all.length, 2)
  const again = all.find(({ key }) => key === 'k-2')
  assert.deepEqual(again.headers, sent.headers)
  assert.match(again.value, /12345678901234567890/)
})

test('a tombstone is sent; what is no hex is refused before it is sent', async (t) => {
  const console = await openConsole(t, { topics })
  const { page, open } = console
  await open('/topics/orders/produce')
  const as = (name: string) => page.getByRole('combobox', { name: `${name} as`, exact: true })
  const box = (name: string) => page.getByRole('textbox', { name, exact: true })
  await as('Key').selectOption('text')
  await box('Key').fill('gone')
  await as('Value').selectOption('hex')
  await box('Value').fill('0g')
  await box('Partition').fill('0')
  await page.getByRole('button', { name: 'Send', exact: true }).click()
  await page.getByRole('alert').waitFor()
  assert.deepEqual(await messages(console, 0), [])
  await as('Value').selectOption('tombstone (null)')
  await page.getByRole('button', { name: 'Send', exact: true }).click()
  await hasText(page.getByRole('region', { name: 'Sent' }), 'Partition 0, offset 0')
  const [sent] = await messages(console, 0)
  assert.deepEqual([sent.key, sent.value], ['gone', null])
})

test('many lines are sent at once, as values and as what was exported', async (t) => {
  const console = await openConsole(t, { topics })
  const { page, open, ask } = console
  const total = async () => {
    const { bounds } = await ask('GET', '/topics/orders')
    return bounds.reduce((sum: number, { endOffset }: { endOffset: number }) => sum + endOffset, 0)
  }
  await open('/topics/orders/produce')
  await page.getByRole('button', { name: 'Lines of values' }).click()
  const lines = Array.from({ length: 2500 }, (_, n) => `line ${n}`)
  // As a paste: a browser takes seconds to have so many lines typed.
  await page.getByRole('textbox').evaluate((field: HTMLTextAreaElement, text) => {
    field.value = text
    field.dispatchEvent(new InputEvent('input', { bubbles: true }))
  }, lines.join('\n'))
  await page.getByRole('button', { name: 'Send', exact: true }).click()
  await hasText(page.getByRole('region', { name: 'Sent' }), 'more')
  assert.equal(await total(), 2500)
  await page.getByRole('button', { name: 'JSON lines' }).click()
  await page
    .getByRole('textbox')
    .fill('{"key":"k","value":"v","partition":0}\n{"value":null,"key":"x"}')
  await page.getByRole('button', { name: 'Send', exact: true }).click()
  await hasText(page.getByRole('status').last(), '2 messages')
  assert.equal(await total(), 2502)
})
