/** Connections: who is there, with what, what they ask for, and what went wrong. */
import assert from 'node:assert/strict'
import { connect as connectSocket } from 'node:net'
import { test } from 'node:test'
import { connect } from '@kaska/client'
import {
  cells,
  eventually,
  fitsScreen,
  hasText,
  headsAreWhole,
  openConsole,
} from './console-page.ts'
import { dialBroker } from './kafka-member.ts'

const topics = [{ name: 'orders', partitions: 1 }]

test('connections are listed with client and protocol, and each has a log of its own', async (t) => {
  const { page, open, url } = await openConsole(t, { topics })
  const shop = await connect(url.replace('http', 'kaska'), { clientId: 'shop' })
  t.after(() => shop.close())
  for (let index = 0; index < 3; index++) await shop.send('orders', 'x')
  await assert.rejects(shop.createTopic('orders'))
  const till = dialBroker(t, url, 'till')
  await till.ask(18, 3, { clientSoftwareName: 'test-client', clientSoftwareVersion: '1.2' })
  await till.ask(3, 9, { topics: [{ name: 'orders' }] })
  await open('/connections')
  await eventually(async () => {
    const rows = await cells(page, 'Connections')
    const row = (name: string) => rows.find(([client]) => client === name)
    assert.equal(row('shop')?.[1], 'Kaska')
    assert.match(row('shop')?.[8] ?? '', /already/)
    assert.equal(row('till')?.[1], 'Kafka')
    assert.equal(row('till')?.[2], 'test-client 1.2')
    assert.equal(row('till')?.[5], '2')
    assert(
      rows.some(([, protocol]) => protocol === 'HTTP'),
      'this page',
    )
  })
  await headsAreWhole(page)

  await page.keyboard.press('/')
  await page.keyboard.type('shop')
  await eventually(async () => assert.equal((await cells(page, 'Connections')).length, 1))
  await page.getByRole('link', { name: 'shop' }).click()
  const detail = page.getByRole('region', { name: 'Connection', exact: true })
  await hasText(detail, 'shop')
  await hasText(detail, /Last error .*already/)
  await eventually(async () => {
    const requests = await cells(page, 'Requests by type')
    const sent = requests.find(([operation]) => operation === 'send')
    assert.equal(sent?.[1], '3')
  })
  // Live: what is sent now is counted while one looks.
  await shop.send('orders', 'x')
  await eventually(async () => {
    const requests = await cells(page, 'Requests by type')
    assert.equal(requests.find(([operation]) => operation === 'send')?.[1], '4')
  })
  // The address keeps what is shown.
  await page.reload()
  await hasText(detail, 'shop')
  await shop.close()
  await hasText(detail, 'It has ended.')
  await detail.focus()
  await page.keyboard.press('Escape')
  await detail.waitFor({ state: 'detached' })
})

test('connections are narrowed down to a protocol', async (t) => {
  const { page, open, url } = await openConsole(t, { topics })
  await dialBroker(t, url, 'till').ask(18, 3, {})
  await open('/connections')
  await page.getByLabel('Protocol').selectOption('Kafka')
  await eventually(async () => {
    assert.deepEqual(
      (await cells(page, 'Connections')).map(([client, protocol]) => [client, protocol]),
      [['till', 'Kafka']],
    )
  })
  assert.equal(new URL(page.url()).searchParams.get('protocol'), 'kafka')
})

test('who was sent away is noted with the reason', async (t) => {
  const { page, open, url } = await openConsole(t, { topics })
  const socket = connectSocket(Number(new URL(url).port), '127.0.0.1')
  const ended = new Promise((resolve) => socket.on('close', resolve))
  // A Kafka request of a kind that there is not.
  socket.write(Buffer.from([0, 0, 0, 10, 0x7f, 0xff, 0, 1, 0, 0, 0, 1, 0, 0]))
  socket.on('error', () => {})
  await ended
  await open('/connections')
  await eventually(async () => {
    const [row] = await cells(page, 'Ended by the broker')
    assert.equal(row?.[2], 'Kafka')
    assert.match(row?.[1] ?? '', /\w/)
  })
})

test('connections fit a phone', async (t) => {
  const { page, open, url } = await openConsole(t, {
    topics,
    browser: { viewport: { width: 320, height: 640 }, hasTouch: true, colorScheme: 'dark' },
  })
  await dialBroker(t, url, 'till').ask(18, 3, {})
  await open('/connections')
  await page.getByRole('link', { name: 'till' }).click()
  await page.getByRole('region', { name: 'Connection', exact: true }).waitFor()
  await fitsScreen(page)
})
