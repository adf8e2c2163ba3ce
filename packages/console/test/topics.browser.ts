/** Topics, one topic, and the overview: looked at, made, changed, emptied, deleted. */
import assert from 'node:assert/strict'
import { test } from 'node:test'
import {
  cells,
  eventually,
  fitsScreen,
  hasText,
  headsAreWhole,
  openConsole,
} from './console-page.ts'

test('the overview shows live what goes in and out, who is connected, and the charts', async (t) => {
  const { page, open, client } = await openConsole(t, { topics: [{ name: 'orders' }] })
  await open('/')
  const fact = (name: string) =>
    page.locator('dl.facts > div').filter({ has: page.getByText(name, { exact: true }) })
  await hasText(fact('Messages in'), 'Messages in 0')
  await hasText(fact('Topics'), 'Topics 1')
  await client.sendBatch(
    'orders',
    Array.from({ length: 500 }, (_, n) => `${n}`),
  )
  await hasText(fact('Messages in'), 'Messages in 500')
  await hasText(fact('Connections'), /[1-9]/)
  const charts = [
    'Messages',
    'Throughput',
    'Latency',
    'Connections',
    'Disk',
    'Memory',
    'Event loop',
  ]
  for (const title of charts) {
    await page.getByRole('heading', { name: title }).first().waitFor()
  }
  assert((await page.locator('canvas').count()) >= charts.length)
  await hasText(page.locator('.chart').filter({ hasText: 'Disk' }), 'All messages are in memory')
  // While messages come the line of what comes in rises: something is drawn, and said as text.
  await eventually(async () => {
    await client.send('orders', 'x')
    await hasText(page.locator('.chart').first(), /in (?!0\/s)[\d.,]+k?\/s/, 0)
  })
  await page.getByRole('main').getByRole('link', { name: 'Groups' }).click()
  await page.getByRole('heading', { name: 'Groups' }).waitFor()
})

test('a topic is created, shown with its figures, and deleted once its name was typed', async (t) => {
  const { page, open, client, ask } = await openConsole(t, { expected: [/status of 400/] })
  await open('/topics')
  await hasText(page.getByRole('main'), 'There are no topics yet.')
  await page.getByRole('button', { name: 'Create topic' }).click()
  const create = page.getByRole('dialog', { name: 'Create a topic' })
  await page.keyboard.type('orders')
  await create.getByLabel('Other settings').fill('no.such.setting=1')
  await create.getByRole('button', { name: 'Create' }).click()
  await hasText(create.getByRole('alert'), 'no.such.setting')
  await create.getByLabel('Partitions').fill('3')
  await create.getByLabel('Messages are kept').selectOption('7 days')
  await create.getByLabel('Other settings').fill('segment.bytes=1048576')
  await page.keyboard.press('Tab')
  await create.getByRole('button', { name: 'Create' }).click()
  await create.waitFor({ state: 'detached' })
  const { partitions, config } = await ask('GET', '/topics/orders')
  assert.equal(partitions, 3)
  const setting = (name: string) => config.find((each: { name: string }) => each.name === name)
  assert.equal(setting('retention.ms').value, `${7 * 86_400_000}`)
  assert.equal(setting('segment.bytes').value, '1048576')

  await client.sendBatch(
    'orders',
    Array.from({ length: 30 }, (_, n) => `${n}`),
  )
  await ask('PUT', '/groups/billing/offsets/orders/0', { offset: 0 })
  await eventually(async () => {
    const [row] = await cells(page, 'Topics')
    assert.deepEqual(row?.slice(0, 3), ['orders', '3', '30'])
    assert.match(row?.[3] ?? '', /B$/)
    assert.match(row?.[5] ?? '', /7 d/)
    assert.equal(row?.[6], 'billing')
  })
  await headsAreWhole(page)
  await page.getByRole('button', { name: 'Delete orders' }).click()
  const gone = page.getByRole('dialog', { name: 'Delete orders' })
  const button = gone.getByRole('button', { name: 'Delete the topic' })
  assert.equal(await button.isDisabled(), true)
  await page.keyboard.type('orders')
  await button.click()
  await hasText(page.getByRole('main'), 'There are no topics yet.')
  assert.deepEqual((await ask('GET', '/topics')).topics, [])
})

test('topics are filtered and sorted, and the address keeps it', async (t) => {
  const names = ['alpha', 'beta', 'gamma-1', 'gamma-2']
  const topics = names.map((name, index) => ({ name, partitions: index + 1 }))
  const { page, open } = await openConsole(t, { topics })
  const shown = async () => (await cells(page, 'Topics')).map(([name]) => name)
  await open('/topics')
  await eventually(async () => assert.deepEqual(await shown(), names))
  await page.getByRole('button', { name: 'Partitions' }).click()
  await eventually(async () => assert.deepEqual(await shown(), names.toReversed()))
  await page.keyboard.press('/')
  await page.keyboard.type('gamma')
  await eventually(async () => assert.deepEqual(await shown(), ['gamma-2', 'gamma-1']))
  await page.reload()
  await eventually(async () => assert.deepEqual(await shown(), ['gamma-2', 'gamma-1']))
  assert.equal(await page.getByLabel('Filter topics').inputValue(), 'gamma')
})

test('a topic is given partitions, settings and their defaults, and is emptied', async (t) => {
  const { page, open, client, ask } = await openConsole(t, {
    topics: [{ name: 'orders', partitions: 2 }],
    expected: [/status of 400/],
  })
  for (let n = 0; n < 20; n++) await client.send('orders', { partition: n % 2, value: `${n}` })
  await open('/topics/orders')
  const bounds = async () =>
    (await cells(page, 'Partitions')).map((row) => row.slice(0, 4).map(Number))
  await eventually(async () => {
    assert.deepEqual(await bounds(), [
      [0, 0, 10, 10],
      [1, 0, 10, 10],
    ])
  })
  await page.getByRole('button', { name: 'Add partitions' }).click()
  const grow = page.getByRole('dialog', { name: 'Add partitions to orders' })
  await grow.getByLabel('Partitions then').fill('4')
  await page.keyboard.press('Enter')
  await eventually(async () => assert.equal((await bounds()).length, 4))

  await page.getByRole('button', { name: 'Edit retention.ms' }).click()
  const edit = page.getByRole('dialog', { name: 'retention.ms' })
  await edit.getByLabel('Value').fill('soon')
  await page.keyboard.press('Enter')
  await edit.getByRole('alert').waitFor()
  await edit.getByLabel('Value').fill('3600000')
  await page.keyboard.press('Enter')
  await edit.waitFor({ state: 'detached' })
  const settings = page.getByRole('table', { name: 'Settings' })
  const retention = settings.getByRole('row', { name: /^retention\.ms/ })
  await hasText(retention, /3600000.*set/)
  await page.getByRole('button', { name: 'Reset retention.ms' }).click()
  await hasText(retention, /default/)

  await page.getByRole('button', { name: 'Truncate partition 1' }).click()
  const truncate = page.getByRole('dialog', { name: 'Truncate orders' })
  await truncate.getByLabel('Before the offset').fill('4')
  await page.keyboard.press('Enter')
  await eventually(async () => assert.deepEqual((await bounds())[1], [1, 4, 10, 6]))
  await page.getByRole('button', { name: 'Truncate', exact: true }).first().click()
  await truncate.getByRole('button', { name: 'Delete messages' }).click()
  await eventually(async () => {
    assert.deepEqual((await bounds()).slice(0, 2), [
      [0, 10, 10, 0],
      [1, 10, 10, 0],
    ])
  })
  assert.equal((await ask('GET', '/topics/orders')).bounds[1].startOffset, 10)
})

test('thousands of topics are listed, of which few are drawn', async (t) => {
  const { page, open, broker } = await openConsole(t)
  const client = broker.inProcess()
  const context = { principal: null, clientId: '', address: 'test' }
  const create = client.createTopic.bind(client)
  const { topicNameOf } = await import('@kaska/protocol')
  for (let n = 0; n < 3000; n++) {
    const name = topicNameOf(`t-${`${n}`.padStart(5, '0')}`)
    await create({ name, partitions: 1, config: new Map() }, context)
  }
  await open('/topics')
  await hasText(page.getByRole('main'), '3,000 topics', 30_000)
  assert((await cells(page, 'Topics')).length < 100)
  await page.getByRole('region', { name: 'Topics' }).focus()
  await page.keyboard.press('End')
  await page.getByRole('link', { name: 't-02999', exact: true }).waitFor()
  await page.keyboard.press('/')
  await page.keyboard.type('1234')
  await eventually(async () => assert.equal((await cells(page, 'Topics')).length, 1))
})

test('the overview, topics and a topic fit a phone', async (t) => {
  const { page, open, client } = await openConsole(t, {
    topics: [{ name: 'a-topic-with-quite-a-long-name-that-says-what-is-in-it.v1', partitions: 3 }],
    browser: { viewport: { width: 320, height: 640 }, hasTouch: true },
  })
  const name = 'a-topic-with-quite-a-long-name-that-says-what-is-in-it.v1'
  const value = 'a value that is a little longer than the screen of a phone is wide'
  await client.send(name, { partition: 0, value })
  for (const path of [
    '',
    '/topics',
    `/topics/${name}`,
    `/topics/${name}/messages?open=0:0`,
    `/topics/${name}/produce`,
  ]) {
    await open(path === '' ? '/' : path)
    await page.waitForLoadState('networkidle').catch(() => {})
    await fitsScreen(page)
  }
})
