/**
 * The client where there is no Node: bundled for browsers (the bundler refuses every built-in of Node),
 * and run in a context that has the globals of the web and no others. Its WebSocket is a bridge to a
 * broker's port: the frames are the same.
 */
import assert from 'node:assert/strict'
import net from 'node:net'
import path from 'node:path'
import { before, test } from 'node:test'
import vm from 'node:vm'
import { build } from 'esbuild'
import { startBroker } from 'kaska/testing'

type Handler = ((event: { readonly data?: ArrayBuffer }) => void) | null

/** What the client uses of a WebSocket, over TCP. A message is what arrives at once. */
class BridgeWebSocket {
  binaryType = 'blob'
  readyState = 0
  bufferedAmount = 0
  onopen: Handler = null
  onmessage: Handler = null
  onerror: Handler = null
  onclose: Handler = null
  readonly #socket: net.Socket

  constructor(url: string, protocol: string) {
    assert.equal(protocol, 'kaska')
    const { hostname, port } = new URL(url)
    this.#socket = net.connect(Number(port), hostname)
    this.#socket.on('connect', () => {
      this.readyState = 1
      this.onopen?.({})
    })
    this.#socket.on('data', (chunk) => {
      assert.equal(this.binaryType, 'arraybuffer')
      this.onmessage?.({ data: new Uint8Array(chunk).buffer })
    })
    this.#socket.on('error', () => this.onerror?.({}))
    this.#socket.on('close', () => {
      this.readyState = 3
      this.onclose?.({})
    })
  }

  send(data: Uint8Array): void {
    // A WebSocket takes a copy.
    this.#socket.write(new Uint8Array(data))
  }

  close(): void {
    this.#socket.end()
  }
}

/** The globals that every browser has, as far as the client may use them, and nothing of Node. */
const webGlobals = {
  AbortController,
  AbortSignal,
  ArrayBuffer,
  DataView,
  Uint8Array,
  TextDecoder,
  TextEncoder,
  URL,
  WebSocket: BridgeWebSocket,
  clearTimeout,
  crypto,
  performance,
  queueMicrotask,
  setTimeout,
}

let bundle = ''
before(async () => {
  const { outputFiles } = await build({
    entryPoints: [path.join(import.meta.dirname, '../src/browser.ts')],
    conditions: ['source'],
    bundle: true,
    write: false,
    platform: 'browser',
    format: 'iife',
    globalName: 'kaska',
    target: 'es2024',
    logLevel: 'silent',
  })
  bundle = outputFiles[0]?.text ?? ''
})

/** Runs a script, the body of an async function, in a page that has loaded the client. */
function runInPage(script: string, given: Readonly<Record<string, unknown>>): Promise<unknown> {
  const page = vm.createContext({ ...webGlobals, ...given })
  return vm.runInContext(`${bundle}\n;(async () => {${script}})()`, page)
}

test('a page has nothing of Node', async () => {
  const script = 'return [typeof process, typeof Buffer, typeof require, typeof kaska.connect]'
  const types = await runInPage(script, {})
  assert.deepEqual(JSON.parse(JSON.stringify(types)), [
    'undefined',
    'undefined',
    'undefined',
    'function',
  ])
})

test('in a page the client creates a topic, sends, reads, commits and goes on after a lost connection', async () => {
  await using broker = await startBroker()
  const sockets: BridgeWebSocket[] = []
  class RecordedWebSocket extends BridgeWebSocket {
    constructor(url: string, protocol: string) {
      super(url, protocol)
      sockets.push(this)
    }
  }
  const result = await runInPage(
    `const client = await kaska.connect(url)
     await client.createTopic('orders', { partitions: 2 })
     await client.send('orders', { value: 'first', partition: 1, headers: { a: 'b' } })
     await client.subscribe(['orders'])
     client.seek('orders', 0, 1)
     const first = await client.poll({ timeoutMs: 10000 })
     loseConnection()
     await client.send('orders', { value: new Uint8Array(100000).fill(7), partition: 0 })
     const second = await client.poll({ timeoutMs: 10000 })
     await client.commit('billing', 'orders', second.offset + 1)
     const committed = await client.committed('billing', 'orders')
     const unknown = await client.send('nowhere', 'x').catch((error) => error.code)
     await client.close()
     return JSON.stringify({
       first: new TextDecoder().decode(first.value),
       headers: first.headers.map(([name, value]) => [name, new TextDecoder().decode(value)]),
       second: second.value.length + ':' + second.value[99999],
       committed,
       unknown,
     })`,
    {
      WebSocket: RecordedWebSocket,
      url: broker.url.replace('kaska:', 'ws:'),
      loseConnection: () => sockets[0]?.close(),
    },
  )
  assert.deepEqual(JSON.parse(String(result)), {
    first: 'first',
    headers: [['a', 'b']],
    second: '100000:7',
    committed: 1,
    unknown: 'UNKNOWN_TOPIC',
  })
  assert.equal(sockets.length, 2)
})

test('in a page connect says what is wrong', async () => {
  const script = `
    const codeOf = (url, options) => kaska.connect(url, options).catch((error) => error.code)
    return JSON.stringify([await codeOf('kaska://127.0.0.1:1'), await codeOf(refused)])`
  const result = await runInPage(script, { refused: 'ws://127.0.0.1:1' })
  assert.deepEqual(JSON.parse(String(result)), ['INVALID_ARGUMENT', 'CONNECTION'])
})
