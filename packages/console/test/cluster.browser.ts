/** The console of `kaska serve --engine`, with every message on three brokers of Apache Kafka. */
import assert from 'node:assert/strict'
import { after, before, test } from 'node:test'
import { type Client, connect } from '@kaska/client'
import { Consumer } from '@platformatic/kafka'
import { ServeProcess } from '../../kaska/test/cli-process.ts'
import { startCluster } from '../../kaska/test/start-cluster.ts'
import { cells, eventually, hasText, openPage } from './console-page.ts'

const cluster = await startCluster()
if (typeof cluster === 'string') test('three brokers of Apache Kafka', { skip: cluster }, () => {})
else {
  const engine = `kafka://${cluster.bootstrap}`
  let server: ServeProcess
  /** Of the cluster itself: what it sends and sees does not go through the server. */
  let client: Client
  before(async () => {
    server = await ServeProcess.start(['--engine', engine])
    client = await connect(engine)
  })
  after(async () => {
    await client.close()
    await server.stop()
    await cluster.stop()
  })

  test('the console shows and changes the topics, messages and groups of a cluster', async (t) => {
    const console = await openPage(t, `http://127.0.0.1:${server.port}`, {}, async () => {})
    const { page, open } = console
    const main = page.getByRole('main')

    // A topic that is made here is on the cluster, with its settings.
    await open('/topics')
    await hasText(main, 'There are no topics yet.')
    await page.getByRole('button', { name: 'Create topic' }).click()
    const create = page.getByRole('dialog', { name: 'Create a topic' })
    await page.keyboard.type('orders')
    await create.getByLabel('Partitions').fill('2')
    await create.getByLabel('Messages are kept').selectOption('7 days')
    await create.getByRole('button', { name: 'Create' }).click()
    await create.waitFor({ state: 'detached' })
    assert.equal((await client.describeTopic('orders')).partitions, 2)

    // Messages that are sent to the cluster are followed live.
    await open('/topics/orders/messages?from=end')
    const state = page.getByRole('status', { name: 'State' })
    await hasText(state, 'Live')
    for (const partition of [0, 0, 0, 1]) {
      await client.send('orders', { partition, key: 'k', value: `{"partition":${partition}}` })
    }
    await hasText(state, 'Live 4 messages')
    await page.getByRole('link', { name: 'Partition 0, offset 2', exact: true }).waitFor()

    // One that is sent here is on the cluster.
    await open('/topics/orders/produce')
    const form = page.getByRole('form', { name: 'Message to send' })
    const value = form.getByRole('textbox', { name: 'Value', exact: true })
    await form.getByRole('combobox', { name: 'Value as', exact: true }).selectOption('text')
    await value.fill('from the page')
    await form.getByRole('textbox', { name: 'Partition', exact: true }).fill('1')
    await form.getByRole('button', { name: 'Send', exact: true }).click()
    await hasText(page.getByRole('region', { name: 'Sent' }), 'Partition 1, offset 1')
    await client.subscribe(['orders'])
    client.seek('orders', 1, 1)
    const message = await client.poll({ timeoutMs: 10_000 })
    assert.equal(new TextDecoder().decode(message?.value ?? undefined), 'from the page')

    // What a consumer of Kafka's has left to read.
    const consumer = new Consumer<Buffer, Buffer, Buffer, Buffer>({
      clientId: 'till',
      groupId: 'billing',
      bootstrapBrokers: cluster.bootstrap.split(','),
    })
    t.after(() => void consumer.close(true).catch(() => {}))
    const stream = await consumer.consume({
      topics: ['orders'],
      mode: 'earliest',
      autocommit: false,
    })
    const messages = stream[Symbol.asyncIterator]()
    for (let isCommitted = false; !isCommitted; ) {
      const { value: read } = await messages.next()
      isCommitted = read?.partition === 0
      if (isCommitted) await read?.commit()
    }
    await open('/groups')
    await eventually(async () => {
      assert.deepEqual(await cells(page, 'Groups'), [['billing', '2', 'Stable', '1', 'orders']])
    })
    await page.getByRole('link', { name: 'billing' }).click()
    await eventually(async () => {
      const [first, second] = await cells(page, 'Offsets')
      assert.deepEqual(first?.slice(0, 5), ['orders', '0', '1', '3', '2'])
      // When it was committed is not known.
      assert.deepEqual(first?.slice(6), ['till', '–', ''])
      assert.deepEqual(second?.slice(0, 8), ['orders', '1', '–', '2', '–', '–', 'till', 'never'])
    })
    await consumer.close(true)
    await hasText(main, 'Nobody is in it now.')
    await page.getByRole('button', { name: 'Reset offsets' }).click()
    const reset = page.getByRole('dialog', { name: 'Reset offsets' })
    await reset.getByLabel('The newest').check()
    await eventually(async () => {
      assert.deepEqual(await cells(page, 'What changes'), [
        ['0', '1', '3', 'skips 2'],
        ['1', '–', '2', 'new'],
      ])
    })
    await reset.getByRole('button', { name: 'Reset', exact: true }).click()
    await reset.waitFor({ state: 'detached' })
    await hasText(main, '0 messages')
    assert.equal(await client.committed('billing', 'orders', 0), 3)

    // The lists, and the rest of the views.
    await open('/topics')
    await eventually(async () => {
      const [row] = await cells(page, 'Topics')
      assert.deepEqual(row?.slice(0, 3), ['orders', '2', '5'])
      assert.match(row?.[3] ?? '', /^\d+ B$/)
      assert.deepEqual(row?.slice(4, 7), ['–', '7 d', 'billing'])
    })
    await open('/topics/orders')
    await hasText(main, '2 partitions, 5 messages')
    await page.getByRole('button', { name: 'Edit retention.ms' }).waitFor()
    await open('/connections')
    await hasText(main, '127.0.0.1')
    await open('/')
    const fact = (name: string) =>
      page.locator('dl.facts > div').filter({ has: page.getByText(name, { exact: true }) })
    await hasText(fact('Messages'), 'Messages on an Apache Kafka cluster')
    await hasText(fact('Topics'), 'Topics 1')
    for (const unknown of ['On disk', 'Sync', 'Partitions open']) {
      await hasText(fact(unknown), `${unknown} –`)
    }
    assert.doesNotMatch((await main.textContent()) ?? '', /NaN|undefined|null/)
  })
}
