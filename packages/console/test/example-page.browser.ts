/** The example of a page of one's own (examples/web): bundled as it says, served from an origin of its own. */
import assert from 'node:assert/strict'
import { once } from 'node:events'
import { readFile } from 'node:fs/promises'
import { createServer } from 'node:http'
import path from 'node:path'
import process from 'node:process'
import { type TestContext, test } from 'node:test'
import { connect } from '@kaska/client'
import { build } from 'esbuild'
import { chromium } from 'playwright-core'
import { createBroker } from '../../kaska/src/broker.ts'

const folder = path.resolve(import.meta.dirname, '../../../examples/web')

/** Serves the page; returns its origin. */
async function servePage(context: TestContext): Promise<string> {
  const { outputFiles } = await build({
    entryPoints: [path.join(folder, 'main.js')],
    bundle: true,
    format: 'esm',
    conditions: ['source'],
    write: false,
  })
  const page = await readFile(path.join(folder, 'index.html'))
  const server = createServer(({ url }, response) => {
    const isScript = url === '/dist/main.js'
    response.setHeader('content-type', isScript ? 'text/javascript' : 'text/html')
    response.end(isScript ? outputFiles[0]?.contents : page)
  })
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')
  context.after(() => server.close())
  return `http://127.0.0.1:${(server.address() as { port: number }).port}`
}

test('a page of another origin sends and follows messages where that is allowed', async (context) => {
  const executablePath = process.env['KASKA_BROWSER']
  assert(executablePath !== undefined, 'run this with: npm run test:browser')
  const origin = await servePage(context)
  const broker = await createBroker({ memory: true, topics: [{ name: 'chat' }] })
  context.after(() => broker.close())
  const { port } = await broker.listen({ port: 0, http: { origins: [origin] } })
  const closed = await broker.listen({ port: 0 })
  await using client = await connect(broker)
  await client.send('chat', 'before')
  const args = process.getuid?.() === 0 ? ['--no-sandbox'] : []
  const browser = await chromium.launch({ executablePath, args })
  context.after(() => browser.close())
  const page = await browser.newPage()
  const open = (to: number) => page.goto(`${origin}/?broker=ws://127.0.0.1:${to}/ws`)
  const line = (text: string) => page.getByRole('listitem').filter({ hasText: text }).waitFor()

  await open(port)
  await page.getByText('Connected to').waitFor()
  await page.getByLabel('Message').fill('<b>hello</b>')
  await page.getByRole('button', { name: 'Send' }).click()
  await line('1: <b>hello</b>')
  await client.send('chat', 'from elsewhere')
  await line('2: from elsewhere')
  assert.equal(await page.getByRole('listitem').count(), 2, 'a subscription starts at the end')
  await page.getByRole('button', { name: 'From the start' }).click()
  await line('0: before')
  await line('2: from elsewhere')

  await open(closed.port)
  await page.getByText('ConnectionError').waitFor()
})
