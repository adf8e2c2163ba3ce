/**
 * A broker in memory and its console in a browser, fresh for each test. Whatever a page must never do fails the test
 * that it was done in: an error in the console, one that nobody caught, a violation of the policy, a dialog of the
 * browser's, a request to anywhere but the broker.
 */
import assert from 'node:assert/strict'
import process from 'node:process'
import { after, type TestContext } from 'node:test'
import { type Client, connect } from '@kaska/client'
import {
  type Browser,
  type BrowserContext,
  type BrowserContextOptions,
  chromium,
  type Locator,
  type Page,
} from 'playwright-core'
import {
  type Broker,
  createBroker,
  type ListenOptions,
  type TopicOption,
} from '../../kaska/src/broker.ts'

export interface ConsoleOptions extends PageOptions {
  readonly topics?: readonly TopicOption[]
  readonly listen?: ListenOptions
}

export interface PageOptions {
  /** Of the browser: the width of the screen, the colours, ... */
  readonly browser?: BrowserContextOptions
  /** Errors that belong to the test, by what the browser's console says of them. */
  readonly expected?: readonly RegExp[]
}

export interface ConsolePage extends OpenedPage {
  readonly broker: Broker
  /** A client of the broker's own, in this process. */
  readonly client: Client
}

export interface OpenedPage {
  readonly page: Page
  readonly context: BrowserContext
  /** `http://127.0.0.1:PORT` */
  readonly url: string
  /** Shows a view, and waits for its heading. */
  open(path: string): Promise<void>
  /** Asks the broker over HTTP, not through the page. Fails where it does not succeed. */
  // biome-ignore lint/suspicious/noExplicitAny: the test knows the shape.
  ask(method: string, path: string, body?: unknown): Promise<any>
  /** What went wrong so far. */
  readonly alarms: readonly string[]
}

const actionMsMax = 15_000

/** One browser for the tests of a file. */
let browser: Promise<Browser> | undefined
after(async () => await (await browser)?.close())

function launched(): Promise<Browser> {
  const executablePath = process.env['KASKA_BROWSER']
  assert(executablePath !== undefined, 'run this with: npm run test:browser')
  // Without a user of its own, as in a container, the browser has no sandbox; it meets nothing but the broker.
  const args = process.getuid?.() === 0 ? ['--no-sandbox'] : []
  browser ??= chromium.launch({ executablePath, args })
  return browser
}

export async function openConsole(
  test: TestContext,
  options: ConsoleOptions = {},
): Promise<ConsolePage> {
  const broker = await createBroker({ memory: true, topics: options.topics ?? [] })
  const { port } = await broker.listen({ port: 0, ...options.listen })
  const url = `http://127.0.0.1:${port}`
  const client = await connect(broker)
  const http = options.listen?.http
  const token = http === false ? undefined : http?.token
  const opened = await openPage(test, url, { ...options, token }, async () => {
    await client.close()
    await broker.close()
  })
  return { ...opened, broker, client }
}

/** A page of whoever serves the console at the URL; `close` ends that one behind the test. */
export async function openPage(
  test: TestContext,
  url: string,
  options: PageOptions & { readonly token?: string | undefined },
  close: () => Promise<void>,
): Promise<OpenedPage> {
  const context = await (await launched()).newContext({
    viewport: { width: 1280, height: 800 },
    ...options.browser,
  })
  context.setDefaultTimeout(actionMsMax)
  const alarms: string[] = []
  const alarm = (text: string): void => {
    if (!(options.expected ?? []).some((pattern) => pattern.test(text))) alarms.push(text)
  }
  await watch(context, url, alarm)
  const page = await context.newPage()
  test.after(async () => {
    await context.close()
    await close()
    assert.deepEqual(alarms, [], 'what the page must not do')
  })

  return {
    page,
    context,
    url,
    alarms,
    async open(path) {
      await page.goto(url + path)
      await page.getByRole('heading', { level: 1 }).first().waitFor()
    },
    async ask(method, path, body) {
      const { token } = options
      const headers = {
        ...(body === undefined ? {} : { 'content-type': 'application/json' }),
        ...(token === undefined ? {} : { authorization: `Bearer ${token}` }),
      }
      const response = await fetch(`${url}/api/v1${path}`, {
        method,
        headers,
        ...(body === undefined ? {} : { body: JSON.stringify(body) }),
      })
      const text = await response.text()
      assert(response.ok, `${method} ${path}: ${response.status} ${text}`)
      return text === '' ? undefined : JSON.parse(text)
    },
  }
}

/** Tells of everything that a page here must not do, in every page and frame of the context. */
async function watch(
  context: BrowserContext,
  url: string,
  alarm: (text: string) => void,
): Promise<void> {
  await context.exposeBinding('reportViolation', (_, text: string) => alarm(`policy: ${text}`))
  await context.addInitScript(() => {
    document.addEventListener('securitypolicyviolation', (event) => {
      const { violatedDirective, blockedURI, sample, sourceFile } = event
      const text = [violatedDirective, blockedURI, sample, sourceFile].join(' ')
      ;(window as unknown as { reportViolation(text: string): void }).reportViolation(text)
    })
  })
  const isOurs = (address: string) =>
    address.startsWith(`${url}/`) ||
    address.startsWith(`${url.replace('http', 'ws')}/`) ||
    /^(?:data|blob|about):/.test(address)
  context.on('request', (request) => {
    if (!isOurs(request.url())) alarm(`asked elsewhere: ${request.url()}`)
  })
  context.on('console', (message) => {
    if (message.type() === 'error') alarm(`console: ${message.text()} ${message.location().url}`)
  })
  context.on('weberror', (error) => alarm(`not caught: ${error.error()}`))
  context.on('dialog', (dialog) => {
    alarm(`dialog: ${dialog.message()}`)
    void dialog.dismiss()
  })
  context.on('page', (page) => {
    page.on('crash', () => alarm('the page crashed'))
    page.on('websocket', (socket) => {
      if (!isOurs(socket.url())) alarm(`asked elsewhere: ${socket.url()}`)
    })
  })
}

/** Tries until it does not throw any more; rejects with the last error after `msMax`. */
export async function eventually(check: () => Promise<void> | void, msMax = 10_000): Promise<void> {
  const end = performance.now() + msMax
  for (;;) {
    try {
      await check()
      return
    } catch (error) {
      if (performance.now() > end) throw error
      await new Promise((resolve) => setTimeout(resolve, 50))
    }
  }
}

/** Waits until an element's text, spaces made one, matches. */
export async function hasText(locator: Locator, text: string | RegExp, msMax?: number) {
  await eventually(async () => {
    const found = (await locator.allInnerTexts()).join(' ').replace(/\s+/g, ' ')
    if (typeof text === 'string') assert(found.includes(text), `'${text}' in: ${found}`)
    else assert.match(found, text)
  }, msMax)
}

/** The page, not what scrolls within it, is no wider than the screen. */
export async function fitsScreen(page: Page): Promise<void> {
  const { content, screen } = await page.evaluate(() => ({
    content: document.documentElement.scrollWidth,
    screen: innerWidth,
  }))
  assert(content <= screen, `the page is ${content} px wide, the screen ${screen} px`)
}

/** No column of a table has a head that is cut. */
export async function headsAreWhole(page: Page): Promise<void> {
  const cut = await page
    .locator('thead th, thead th button')
    .evaluateAll((heads) =>
      heads
        .filter((head) => head.scrollWidth > head.clientWidth)
        .map((head) => `${head.textContent}: ${head.scrollWidth} of ${head.clientWidth} px`),
    )
  assert.deepEqual(cut, [])
}

/** The text of the cells of a table's rows, without what holds the place of rows out of sight. */
export async function cells(page: Page, table: string): Promise<string[][]> {
  const rows = page.getByRole('table', { name: table }).locator('tbody tr:not(.spacer)')
  return await rows.evaluateAll((all) =>
    all.map((row) => Array.from(row.querySelectorAll('td, th'), (cell) => cell.textContent.trim())),
  )
}
