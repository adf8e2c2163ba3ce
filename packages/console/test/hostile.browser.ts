/**
 * What others have written is text, wherever it is shown: markup in the names of topics and groups, in keys, values,
 * headers, client ids, metadata and errors. The harness fails a test at any script that runs, any violation of the
 * policy, any request to elsewhere.
 */
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { connect } from '@kaska/client'
import type { Page } from 'playwright-core'
import { eventually, fitsScreen, hasText, openConsole } from './console-page.ts'
import { dialBroker, joinAlone } from './kafka-member.ts'

const evil = (id: string) =>
  `${id}"'><img src=x onerror="alert('${id}')"><script>alert('${id}')</script><a href="javascript:alert(1)">&lt;b&gt;</a>{{7*7}}\u202e`

/** Nothing of the markup has become an element, and no link leads anywhere but to the broker. */
async function isText(page: Page, url: string): Promise<void> {
  const found = await page.evaluate(() => ({
    elements: document.querySelectorAll('main img, main script, main b, main iframe').length,
    inline: document.querySelectorAll('[onerror], [onload], [style*="expression"]').length,
    links: Array.from(document.querySelectorAll('a'), (link) => link.href),
  }))
  assert.equal(found.elements, 0, 'markup became elements')
  assert.equal(found.inline, 0, 'markup became attributes')
  for (const link of found.links) assert(link.startsWith(`${url}/`), link)
}

for (const [device, browser] of [
  ['a screen', { viewport: { width: 1280, height: 800 } }],
  ['a phone in the dark', { viewport: { width: 320, height: 640 }, colorScheme: 'dark' as const }],
] as const) {
  test(`markup from others is text in every field of every view, on ${device}`, async (t) => {
    const topic = evil('topic').slice(0, 180)
    const group = evil('group')
    const topics = [{ name: topic, partitions: 2 }, { name: 'orders' }]
    const console = await openConsole(t, { topics, browser })
    const { page, open, url, client, ask } = console
    await client.send(topic, {
      partition: 0,
      key: evil('key'),
      value: evil('value'),
      headers: [[evil('header'), evil('header-value')]],
    })
    await client.send(topic, {
      partition: 1,
      value: JSON.stringify({ [evil('name')]: [evil('text'), `</pre>${evil('close')}`] }),
    })
    const at = encodeURIComponent
    await ask('PUT', `/groups/${at(group)}/offsets/${at(topic)}/0`, { offset: 0 })
    const member = await joinAlone(dialBroker(t, url, evil('client')), evil('members'), [
      { topic, partitions: [0, 1] },
    ])
    // Kafka's clients commit in topics that Kafka could have.
    await client.send('orders', 'x')
    await member.commit('orders', 0, 1, evil('metadata'))
    const kafka = dialBroker(t, url, evil('kafka-client'))
    await kafka.ask(18, 3, { clientSoftwareName: 'a-b', clientSoftwareVersion: '1' })
    const native = await connect(url.replace('http', 'kaska'), { clientId: evil('native') })
    t.after(() => native.close())
    await assert.rejects(native.createTopic(topic))

    const views: (readonly [string, string])[] = [
      ['/', 'Overview'],
      ['/topics', 'topic"'],
      [`/topics/${at(topic)}`, 'topic"'],
      [`/topics/${at(topic)}/messages`, 'value"'],
      [`/topics/${at(topic)}/messages?open=0:0`, 'header-value"'],
      [`/topics/${at(topic)}/messages?open=0:0&form=hex`, 'header-value"'],
      [`/topics/${at(topic)}/messages?open=1:0`, 'close'],
      [`/topics/${at(topic)}/messages?q=${at(evil('q'))}&by=text`, 'found in'],
      [`/topics/${at(topic)}/produce?like=0:0`, 'Produce'],
      ['/groups', 'group"'],
      [`/groups/${at(group)}`, 'group"'],
      [`/groups/${at(evil('members'))}`, 'metadata"'],
      ['/connections', 'native"'],
    ]
    for (const [path, text] of views) {
      await open(path)
      await hasText(page.getByRole('main'), text)
      await isText(page, url)
      await fitsScreen(page)
    }
    // The log of a connection, with its error.
    const { connections } = await ask('GET', '/connections')
    const { id } = connections.find(({ lastError }: { lastError: unknown }) => lastError !== null)
    await open(`/connections?id=${id}`)
    await hasText(page.getByRole('region', { name: 'Connection', exact: true }), 'createTopic')
    await isText(page, url)
    await fitsScreen(page)
    // Dialogs and what is said of what was done.
    await open(`/groups/${at(group)}`)
    await page.getByRole('button', { name: 'Reset offsets' }).click()
    await page.getByRole('table', { name: 'What changes' }).waitFor()
    await isText(page, url)
    await fitsScreen(page)
    await page.getByRole('button', { name: 'Reset', exact: true }).click()
    await hasText(page.getByRole('status').last(), 'Group group"')
    await isText(page, url)
    await fitsScreen(page)
    await open(`/topics/${at(topic)}`)
    await page.getByRole('button', { name: 'Delete', exact: true }).click()
    await page.getByRole('dialog').waitFor()
    await isText(page, url)
    await fitsScreen(page)
    await page.keyboard.press('Escape')
  })
}

test('an address with markup in it is text too', async (t) => {
  const { page, url, open } = await openConsole(t, { expected: [/status of 40[04]/] })
  const part = encodeURIComponent(evil('address'))
  for (const path of [
    `/topics/${part}`,
    `/topics/${part}/messages?from=${part}&partition=${part}&q=${part}&by=${part}&open=${part}`,
    `/topics/${part}/produce?like=${part}&lines=${part}`,
    `/groups/${part}?q=${part}`,
    `/groups?q=${part}&sort=${part}`,
    `/connections?id=${part}&protocol=${part}&q=${part}`,
    `/topics?filter=${part}&sort=${part}`,
    `/topics/${part}/${part}`,
    '/topics/%ff%fe',
  ]) {
    await open(path)
    await isText(page, url)
  }
})

test('an expression of an address is not run until somebody says so', async (t) => {
  const { page, open, client } = await openConsole(t, { topics: [{ name: 'orders' }] })
  await client.send('orders', 'x')
  await open('/topics/orders/messages?q=true&by=js')
  await page.getByRole('link', { name: 'Partition 0, offset 0' }).waitFor()
  assert.equal(await page.getByRole('status', { name: 'Search result' }).count(), 0)
  assert.equal(page.frames().length, 1)
  await page.getByRole('button', { name: 'Search', exact: true }).click()
  await eventually(async () => {
    const result = page.getByRole('status', { name: 'Search result' })
    assert.match((await result.textContent()) ?? '', /^1 found in 1/)
  })
})
