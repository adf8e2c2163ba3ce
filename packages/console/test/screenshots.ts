/**
 * Takes pictures of each view of the console, light and dark, into docs/images/: `npm run screenshots`, which finds a browser as
 * `npm run test:browser` does. The broker is one in memory, with made-up orders that come in while the pictures are taken.
 */
import { mkdir } from 'node:fs/promises'
import { type TestContext, test } from 'node:test'
import { fileURLToPath } from 'node:url'
import type { Client } from '@kaska/client'
import { openConsole } from './console-page.ts'
import { dialBroker, joinAlone } from './kafka-member.ts'

const folder = fileURLToPath(new URL('../../../docs/images/', import.meta.url))

const views: readonly (readonly [name: string, path: string])[] = [
  ['overview', '/'],
  ['topics', '/topics'],
  ['topic', '/topics/orders'],
  ['messages', '/topics/orders/messages?from=last%3A40&open=0%3A100'],
  ['produce', '/topics/orders/produce'],
  ['groups', '/groups'],
  ['group', '/groups/billing'],
  ['connections', '/connections'],
]

/** How long orders come in before the first picture: charts have something to show, and no session has ended (45 s). */
const warmUpMs = 15_000

for (const colorScheme of ['light', 'dark'] as const) {
  test(`screenshots, ${colorScheme}`, async (context) => {
    await mkdir(folder, { recursive: true })
    const console = await openConsole(context, {
      topics: [
        { name: 'orders', partitions: 3 },
        { name: 'payments', config: { 'retention.ms': '86400000' } },
        { name: 'audit-log', partitions: 2 },
      ],
      browser: { colorScheme, viewport: { width: 1280, height: 800 } },
    })
    const stop = await takeOrders(console.client, context)
    await joinGroups(context, console.url)
    await console.open('/')
    await new Promise((resolve) => setTimeout(resolve, warmUpMs))
    for (const [name, path] of views) {
      // The overview is open since the first order: its charts begin when it does.
      if (path !== '/') await console.open(path)
      // Charts and lists draw what the first answers bring.
      await new Promise((resolve) => setTimeout(resolve, 2500))
      await console.page.screenshot({ path: `${folder}${name}-${colorScheme}.png` })
    }
    await stop()
  })
}

/** Sends orders for as long as the pictures take. */
async function takeOrders(client: Client, context: TestContext): Promise<() => Promise<void>> {
  let isStopped = false
  const order = (id: number) => ({
    key: `customer-${(id * 7919) % 500}`,
    value: JSON.stringify({
      id,
      item: ['coffee', 'tea', 'cocoa'][id % 3],
      quantity: 1 + (id % 4),
      total: ((id * 37) % 9000) / 100,
    }),
    headers: { source: id % 5 === 0 ? 'shop' : 'web' },
  })
  await client.sendBatch(
    'orders',
    Array.from({ length: 1200 }, (_, id) => order(id)),
  )
  const sending = (async () => {
    for (let id = 1200; !isStopped; id += 40) {
      const many = 20 + Math.round(20 * Math.sin(id / 400))
      await client.sendBatch(
        'orders',
        Array.from({ length: many }, (_, index) => order(id + index)),
      )
      if (id % 200 === 0) await client.send('payments', { key: `p${id}`, value: '{"ok":true}' })
      await new Promise((resolve) => setTimeout(resolve, 100))
    }
  })()
  context.after(() => {
    isStopped = true
  })
  return async () => {
    isStopped = true
    await sending
  }
}

async function joinGroups(context: TestContext, url: string): Promise<void> {
  const assigned = [{ topic: 'orders', partitions: [0, 1, 2] }]
  const billing = await joinAlone(dialBroker(context, url, 'billing-service'), 'billing', assigned)
  for (const partition of [0, 1, 2]) await billing.commit('orders', partition, 300 + 20 * partition)
  const paid = [{ topic: 'payments', partitions: [0] }]
  await joinAlone(dialBroker(context, url, 'reporting'), 'reporting', paid)
}
