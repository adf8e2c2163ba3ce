/** Groups: the list, one group with its members and offsets, moving it, deleting it. */
import assert from 'node:assert/strict'
import { test } from 'node:test'
import {
  type ConsolePage,
  cells,
  eventually,
  fitsScreen,
  hasText,
  headsAreWhole,
  openConsole,
} from './console-page.ts'
import { dialBroker, joinAlone } from './kafka-member.ts'

const topics = [
  { name: 'orders', partitions: 2 },
  { name: 'invoices', partitions: 1 },
]

/** 10 messages in each partition of orders, a second apart; billing has read 4 of one and all of the other. */
async function writeOrders({ client, ask }: ConsolePage): Promise<void> {
  for (let index = 0; index < 10; index++) {
    for (const partition of [0, 1]) {
      const timestamp = Date.UTC(2026, 0, 1, 12, 0, index)
      await client.send('orders', { partition, value: `{"n":${index}}`, timestamp })
    }
  }
  await ask('PUT', '/groups/billing/offsets/orders/0', { offset: 4 })
  await ask('PUT', '/groups/billing/offsets/orders/1', { offset: 10 })
}

test('groups are listed with their state, members, topics and lag; filtered and sorted by the address', async (t) => {
  const console = await openConsole(t, { topics })
  const { page, open, ask, url } = console
  await writeOrders(console)
  await ask('PUT', '/groups/archive/offsets/invoices/0', { offset: 0 })
  const member = await joinAlone(dialBroker(t, url, 'till'), 'shipping', [
    { topic: 'orders', partitions: [0, 1] },
  ])
  await member.commit('orders', 0, 1)
  await open('/groups')
  await eventually(async () => {
    assert.deepEqual(await cells(page, 'Groups'), [
      ['archive', '0', 'Empty', '0', 'invoices'],
      ['billing', '6', 'Empty', '0', 'orders'],
      ['shipping', '9', 'Stable', '1', 'orders'],
    ])
  })
  await headsAreWhole(page)
  await page.getByRole('button', { name: 'Lag' }).click()
  await eventually(async () => {
    const names = (await cells(page, 'Groups')).map(([name]) => name)
    assert.deepEqual(names, ['shipping', 'billing', 'archive'])
  })
  assert.equal(new URL(page.url()).searchParams.get('sort'), '-lag')
  await page.keyboard.press('/')
  await page.keyboard.type('orders')
  await eventually(async () => {
    const names = (await cells(page, 'Groups')).map(([name]) => name)
    assert.deepEqual(names, ['shipping', 'billing'])
  })
  await hasText(page.getByRole('main'), '2 of 3')
  assert.equal(new URL(page.url()).searchParams.get('q'), 'orders')
  await page.keyboard.press('Escape')
  await hasText(page.getByRole('main'), '3 in all')
  await page.getByRole('link', { name: 'billing' }).click()
  await page.getByRole('heading', { name: 'billing' }).waitFor()
})

test('a group shows who reads what, and how far it is behind in messages and in time, live', async (t) => {
  const console = await openConsole(t, { topics })
  const { page, open, url, client } = console
  await writeOrders(console)
  const member = await joinAlone(dialBroker(t, url, 'till'), 'shipping', [
    { topic: 'orders', partitions: [0, 1] },
  ])
  await member.commit('orders', 0, 7, 'up to seven')
  await open('/groups/shipping')
  await hasText(page.getByRole('main'), 'Stable')
  await eventually(async () => {
    const [[clientId, reads, host, id] = []] = await cells(page, 'Members')
    assert.deepEqual(
      [clientId, reads, host, id],
      ['till', 'orders 0–1', '127.0.0.1', member.memberId],
    )
  })
  const age = Math.round((Date.now() - Date.UTC(2026, 0, 1, 12)) / 86_400_000)
  await eventually(async () => {
    const [first, second] = await cells(page, 'Offsets')
    assert.deepEqual(first?.slice(0, 5), ['orders', '0', '7', '10', '3'])
    // The batch holds them all: its first message's age is what is known.
    assert.match(first?.[5] ?? '', new RegExp(`^(?:${age}|${age - 1}|${age + 1}) d$`))
    assert.equal(first?.[6], 'till')
    assert.equal(first?.[8], 'up to seven')
    assert.deepEqual(second?.slice(0, 8), ['orders', '1', '–', '10', '–', '–', 'till', 'never'])
  })
  await hasText(page.getByRole('main'), '3 messages')
  await headsAreWhole(page)

  await client.send('orders', { partition: 0, value: 'one more' })
  await hasText(page.getByRole('main'), '4 messages')
  await member.commit('orders', 0, 11)
  await hasText(page.getByRole('main'), '0 messages')
  await hasText(page.getByRole('main'), 'Oldest unread none')

  // While it has members, nobody else moves it.
  await page.getByRole('button', { name: 'Reset offsets' }).click()
  const dialog = page.getByRole('dialog', { name: 'Reset offsets' })
  await hasText(dialog, 'stop them first')
  assert.equal(await dialog.getByRole('button', { name: 'Reset', exact: true }).isDisabled(), true)
  await page.keyboard.press('Escape')
  await member.leave()
  await hasText(page.getByRole('main'), 'Nobody is in it now.')
})

test('a group is moved to the oldest, the newest, an offset and a time, after a look at what changes', async (t) => {
  const console = await openConsole(t, { topics, browser: { timezoneId: 'UTC' } })
  const { page, open, ask } = console
  await writeOrders(console)
  const offsets = async () => {
    const group = await ask('GET', '/groups/billing')
    return group.offsets.map(({ offset }: { offset: number }) => offset)
  }
  await open('/groups/billing')
  const dialog = page.getByRole('dialog', { name: 'Reset offsets' })
  const reset = async (choose: () => Promise<void>, changes: string[][]) => {
    await page.getByRole('button', { name: 'Reset offsets' }).click()
    await choose()
    await eventually(async () => assert.deepEqual(await cells(page, 'What changes'), changes))
    const before = await offsets()
    assert.deepEqual(
      before,
      changes.map(([, now]) => Number(now)),
    )
    await dialog.getByRole('button', { name: 'Reset', exact: true }).click()
    await dialog.waitFor({ state: 'detached' })
    assert.deepEqual(
      await offsets(),
      changes.map(([, , then]) => Number(then)),
    )
  }
  await reset(
    () => dialog.getByLabel('The oldest message').check(),
    [
      ['0', '4', '0', 'again 4'],
      ['1', '10', '0', 'again 10'],
    ],
  )
  await hasText(page.getByRole('main'), '20 messages')
  await reset(async () => {
    await dialog.getByLabel('A time').check()
    await dialog.getByLabel('Time', { exact: true }).fill('2026-01-01T12:00:06.000')
  }, [
    ['0', '0', '6', 'skips 6'],
    ['1', '0', '6', 'skips 6'],
  ])
  await reset(async () => {
    await dialog.getByLabel('An offset').check()
    await dialog.getByLabel('Offset', { exact: true }).fill('8')
  }, [
    ['0', '6', '8', 'skips 2'],
    ['1', '6', '8', 'skips 2'],
  ])
  await reset(
    () => dialog.getByLabel('The newest').check(),
    [
      ['0', '8', '10', 'skips 2'],
      ['1', '8', '10', 'skips 2'],
    ],
  )
  // One partition only.
  await page.getByRole('button', { name: 'Reset offsets' }).click()
  await dialog.getByLabel('Partition').fill('1')
  await eventually(async () => {
    assert.deepEqual(await cells(page, 'What changes'), [['1', '10', '0', 'again 10']])
  })
  await dialog.getByRole('button', { name: 'Reset', exact: true }).click()
  await dialog.waitFor({ state: 'detached' })
  assert.deepEqual(await offsets(), [10, 0])
})

test('what cannot be reset is said, and nothing is changed', async (t) => {
  const console = await openConsole(t, { topics, expected: [/status of 40[04]/] })
  const { page, open } = console
  await writeOrders(console)
  await open('/groups/billing')
  await page.getByRole('button', { name: 'Reset offsets' }).click()
  const dialog = page.getByRole('dialog', { name: 'Reset offsets' })
  await dialog.getByLabel('Topic').fill('elsewhere')
  await hasText(dialog, "there is no topic 'elsewhere'")
  assert.equal(await dialog.getByRole('button', { name: 'Reset', exact: true }).isDisabled(), true)
  await dialog.getByLabel('Topic').fill('orders')
  await dialog.getByLabel('Partition').fill('7')
  await eventually(async () => {
    assert.match((await dialog.locator('.bad').allTextContents()).join(), /partition/)
  })
  await dialog.getByRole('button', { name: 'Cancel' }).click()
  await dialog.waitFor({ state: 'detached' })
})

test('a group is deleted; its address says that there is none', async (t) => {
  const console = await openConsole(t, { topics, expected: [/status of 404/] })
  const { page, open, ask } = console
  await writeOrders(console)
  await open('/groups/billing')
  await page.getByRole('button', { name: 'Delete' }).click()
  const dialog = page.getByRole('dialog', { name: 'Delete group' })
  await dialog.getByRole('button', { name: 'Delete the group' }).click()
  await page.getByRole('heading', { name: 'Groups' }).waitFor()
  await hasText(page.getByRole('main'), 'There are no groups yet.')
  assert.deepEqual(await ask('GET', '/groups'), { groups: [] })
  await page.goBack()
  await hasText(page.getByRole('main'), 'There is no such group.')
})

test('groups fit a phone', async (t) => {
  const console = await openConsole(t, {
    topics,
    browser: { viewport: { width: 320, height: 640 }, hasTouch: true },
  })
  const { page, open } = console
  await writeOrders(console)
  for (const path of ['/groups', '/groups/billing']) {
    await open(path)
    await page.getByText('orders').first().waitFor()
    await fitsScreen(page)
  }
  await page.getByRole('button', { name: 'Reset offsets' }).click()
  await page.getByRole('table', { name: 'What changes' }).waitFor()
  await fitsScreen(page)
})
