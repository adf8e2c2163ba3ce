/** Node's HTTP server under clients that are slow, stuck, many or hostile: each limit, given small. */
import assert from 'node:assert/strict'
import { once } from 'node:events'
import { connect, createServer, type Socket } from 'node:net'
import { type TestContext, test } from 'node:test'
import type { Transport } from '@kaska/protocol'
import { opcodes, openWebSocket } from '../../test/raw-web-socket.ts'
import { createHttpServer, type HttpLimits, type HttpServerOptions } from './http-server.ts'

async function serve(
  context: TestContext,
  limits: Partial<HttpLimits>,
  options: Partial<HttpServerOptions> = {},
) {
  const received: Uint8Array[] = []
  const reported: string[] = []
  const http = createHttpServer({
    fetch: () => new Response('hello'),
    refuseUpgrade: () => undefined,
    accept: (transport: Transport) => ({
      received: (chunk) => {
        received.push(chunk)
        if (chunk[0] === 0xee) transport.write([new Uint8Array(chunk.length)])
      },
      closed: () => {},
    }),
    limits,
    report: (line) => reported.push(line),
    ...options,
  })
  const server = createServer((socket) =>
    socket.once('data', (chunk) => http.accept(socket, chunk as Buffer)),
  )
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')
  context.after(async () => {
    server.close()
    await http.close()
  })
  const { port } = server.address() as { port: number }
  const dial = (text = ''): Socket & { text: Promise<string> } => {
    const socket = connect(port, '127.0.0.1')
    context.after(() => void socket.destroy())
    let answer = ''
    socket.setEncoding('latin1')
    socket.on('data', (chunk) => {
      answer += chunk
    })
    socket.on('error', () => {})
    if (text !== '') socket.write(text)
    return Object.assign(socket, {
      text: new Promise<string>((resolve) => socket.on('close', () => resolve(answer))),
    })
  }
  return { port, dial, received, reported }
}

const get = 'GET / HTTP/1.1\r\nHost: x\r\n\r\n'

test('half a request line, half a head and half a body are ended by a time-out', async (context) => {
  const { dial } = await serve(
    context,
    { headMs: 50, requestMs: 150 },
    { fetch: async (request) => new Response(await request.text()) },
  )
  assert.match(await dial('GET /').text, /^HTTP\/1\.1 408 /)
  assert.match(await dial('GET / HTTP/1.1\r\nHost: x\r\nX-').text, /^HTTP\/1\.1 408 /)
  const head = 'POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 10\r\n\r\n'
  assert.equal(await dial(`${head}half`).text, '', 'an answer was under way')
})

test('a connection without a request is closed after a while', async (context) => {
  const { dial } = await serve(context, { idleMs: 50 })
  assert.match(await dial(get).text, /^HTTP\/1\.1 200 /)
})

test('of too many connections those without a request are closed first', async (context) => {
  const waits: ((response: Response) => void)[] = []
  const { dial, reported } = await serve(
    context,
    { connectionsMax: 2 },
    {
      fetch: ({ url }) =>
        url.endsWith('/waits')
          ? new Promise((resolve) => waits.push(resolve))
          : new Response('hello'),
    },
  )
  const waiting = dial(get.replace('/', '/waits'))
  const idle = dial(get)
  await once(idle, 'data')
  const third = dial(get)
  await Promise.all([idle.text, once(third, 'data')])
  assert.deepEqual(reported, [])
  const other = dial(get.replace('/', '/waits'))
  await third.text
  assert.equal(await dial(get).text, '')
  assert.match(reported[0] ?? '', /there are 2 connections/)
  const answered = Promise.all([waiting, other].map((socket) => once(socket, 'data')))
  for (const answer of waits) answer(new Response('at last'))
  for (const data of await answered) assert.match(String(data), /^HTTP\/1\.1 200 /)
})

test('an answer that nobody reads ends its connection', async (context) => {
  const ended = Promise.withResolvers<void>()
  const { dial } = await serve(
    context,
    { stuckMs: 100 },
    {
      fetch: (_request, _peer, whenEnded) => {
        whenEnded(ended.resolve)
        return new Response(new Uint8Array(64 * 1024 * 1024))
      },
    },
  )
  const socket = dial(get)
  socket.pause()
  await ended.promise
})

test('that an answer has ended is heard of afterwards too', async (context) => {
  const begun = Promise.withResolvers<void>()
  const heard = Promise.withResolvers<void>()
  const { dial } = await serve(
    context,
    {},
    {
      fetch: async ({ signal }, _peer, whenEnded) => {
        begun.resolve()
        await new Promise((resolve) => signal.addEventListener('abort', resolve))
        whenEnded(heard.resolve)
        return new Response('too late')
      },
    },
  )
  const socket = dial(get)
  await begun.promise
  socket.destroy()
  await heard.promise
})

test('too long a head is refused', async (context) => {
  const { dial } = await serve(context, { headBytesMax: 2000 })
  const long = 'a'.repeat(3000)
  assert.match(await dial(`GET /${long} HTTP/1.1\r\n`).text, /^HTTP\/1\.1 431 /)
  assert.match(await dial(`GET / HTTP/1.1\r\nX: ${long}\r\n`).text, /^HTTP\/1\.1 431 /)
  assert.match(await dial('NONSENSE\r\n\r\n').text, /^HTTP\/1\.1 400 /)
})

test('requests on one connection wait for each other', async (context) => {
  let running = 0
  let runningMax = 0
  const { dial } = await serve(
    context,
    {},
    {
      fetch: async (request) => {
        runningMax = Math.max(runningMax, ++running)
        await new Promise((resolve) => setImmediate(resolve))
        running--
        return new Response(new URL(request.url).pathname)
      },
    },
  )
  const paths = Array.from({ length: 50 }, (_, n) => `/n${n};`)
  const socket = dial(paths.map((path) => get.replace('/', path)).join(''))
  let text = ''
  while (!text.includes('/n49;')) text += await once(socket, 'data')
  assert.deepEqual(text.match(/\/n\d+;/g), paths)
  assert.equal(runningMax, 1)
})

test('a connection on which too many requests wait is closed', async (context) => {
  const asked: string[] = []
  const { dial, reported } = await serve(
    context,
    { waitingMax: 3 },
    {
      fetch: ({ url }) => {
        asked.push(url)
        return new Promise(() => {})
      },
    },
  )
  assert.equal(await dial(get.repeat(1000)).text, '')
  assert.equal(asked.length, 1)
  assert.match(reported.join(), /^http 127\.0\.0\.1:\d+: closed: more than 3 requests wait on it$/)
})

test('an upgrade that is refused leaves nothing behind, and its reset concerns nobody', async (context) => {
  const { dial } = await serve(
    context,
    {},
    { refuseUpgrade: () => new Response('no', { status: 403, headers: { 'x-why': 'because' } }) },
  )
  const upgrade = get.replace('\r\n\r\n', '\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\r\n')
  const reset = dial(upgrade)
  await once(reset, 'connect')
  setImmediate(() => reset.resetAndDestroy())
  await reset.text
  const refused = dial(upgrade)
  assert.match(await refused.text, /^HTTP\/1\.1 403 .*x-why: because\r\n.*\r\n\r\nno$/s)
})

test('another upgrade than that to WebSocket is passed over', async (context) => {
  const { dial } = await serve(context, { idleMs: 50 })
  const upgrade = get.replace('\r\n\r\n', '\r\nConnection: Upgrade\r\nUpgrade: h2c\r\n\r\n')
  assert.match(await dial(upgrade).text, /^HTTP\/1\.1 200 .*hello/s)
})

test('WebSocket: what is not of the protocol ends the connection', async (context) => {
  const { port, received } = await serve(context, { messageBytesMax: 1000 })
  const text = await openWebSocket(port)
  text.send(opcodes.text, Buffer.from('hello'))
  text.send(opcodes.binary, Buffer.from('after that'))
  text.send(opcodes.close, Buffer.alloc(0))
  assert.equal(await text.closed, 1003)
  assert.deepEqual(received, [])

  // It need not say goodbye itself.
  const silent = await openWebSocket(port)
  silent.send(opcodes.text, Buffer.from('hello'))
  assert.equal(await silent.closed, 1003)

  const large = await openWebSocket(port)
  large.send(opcodes.binary, new Uint8Array(1001))
  large.send(opcodes.close, Buffer.alloc(0))
  assert.equal(await large.closed, 1009)

  const parts = await openWebSocket(port)
  for (let n = 0; n < 3; n++) {
    const opcode = n === 0 ? opcodes.binary : opcodes.continuation
    parts.send(opcode, new Uint8Array(400), { isLast: false })
  }
  parts.send(opcodes.close, Buffer.alloc(0))
  assert.equal(await parts.closed, 1009, 'the parts count together')

  const crumbs = await openWebSocket(port)
  crumbs.send(opcodes.binary, Buffer.alloc(0), { isLast: false })
  for (let n = 0; n < 20_000; n++) {
    crumbs.send(opcodes.continuation, Buffer.alloc(0), { isLast: false })
  }
  crumbs.send(opcodes.close, Buffer.alloc(0))
  assert.equal(await crumbs.closed, 1008, 'so do empty ones')
  assert.deepEqual(received, [])
})

test('WebSocket: the parts of a message arrive as one stream', async (context) => {
  const { port, received } = await serve(context, {})
  const socket = await openWebSocket(port)
  socket.send(opcodes.binary, Buffer.from('ab'), { isLast: false })
  socket.send(opcodes.continuation, Buffer.from('c'), { isLast: false })
  socket.send(opcodes.ping, Buffer.from('?'))
  socket.send(opcodes.continuation, Buffer.from('d'))
  socket.send(opcodes.close, Buffer.alloc(0))
  await socket.closed
  assert.equal(Buffer.concat(received).toString(), 'abcd')
})

test('WebSocket: what is left unsent tells whether the other side reads', async (context) => {
  const transports: Transport[] = []
  const ends: string[] = []
  const { port } = await serve(
    context,
    {},
    {
      accept: (transport) => {
        transports.push(transport)
        return { received: () => {}, closed: () => ends.push('closed') }
      },
    },
  )
  const { socket } = await openWebSocket(port)
  socket.pause()
  const [transport] = transports
  assert.ok(transport)
  const length = 16 * 1024 * 1024
  // As chunks of an answer: small ones and one that is large.
  const chunks = [new Uint8Array(10), new Uint8Array(0), new Uint8Array(length - 10)]
  transport.write(chunks, () => ends.push('sent'))
  transport.write([new Uint8Array(1)], () => ends.push('sent too'))
  transport.end()
  assert.ok(transport.unsentBytes >= length - 1024 * 1024)
  const seen = new Set<number>()
  await new Promise<void>((resolve) => {
    const read = () => {
      seen.add(transport.unsentBytes)
      if (transport.unsentBytes === 0) resolve()
      else setImmediate(read)
      socket.read(Math.min(65_536, socket.readableLength))
    }
    read()
  })
  assert.ok(seen.size > 4, `${seen.size} steps`)
  assert.deepEqual(ends, ['sent', 'sent too'])
  socket.destroy()
})

test('WebSocket: what was not sent when the connection ends is told of', async (context) => {
  const transports: Transport[] = []
  const ends: string[] = []
  const told = Promise.withResolvers<void>()
  const { port } = await serve(
    context,
    {},
    {
      accept: (transport) => {
        transports.push(transport)
        const closed = () => {
          ends.push('closed')
          told.resolve()
        }
        return { received: () => {}, closed }
      },
    },
  )
  const { socket, closed } = await openWebSocket(port)
  socket.pause()
  transports[0]?.write([new Uint8Array(32 * 1024 * 1024)], () => ends.push('sent'))
  socket.destroy()
  await Promise.all([closed, told.promise])
  assert.deepEqual(ends, ['sent', 'closed'])
  transports[0]?.write([new Uint8Array(1)], () => ends.push('after'))
  await Promise.resolve()
  assert.equal(ends[2], 'after')
})

test('WebSocket: who asks whether we live and never reads is cut', async (context) => {
  const { port } = await serve(context, {})
  const socket = await openWebSocket(port)
  socket.socket.pause()
  const closed = new Promise((resolve) => socket.socket.on('close', resolve))
  const ping = Buffer.alloc(125)
  const flood = () => {
    for (let n = 0; n < 1000; n++) {
      if (socket.socket.destroyed) return
      if (!socket.send(opcodes.ping, ping)) {
        socket.socket.once('drain', flood)
        return
      }
    }
    setImmediate(flood)
  }
  flood()
  await closed
})
