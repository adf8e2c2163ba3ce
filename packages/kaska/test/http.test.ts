/** HTTP and WebSocket on the broker's port, as a script or a browser meets them. */
import assert from 'node:assert/strict'
import { connect as connectSocket } from 'node:net'
import process from 'node:process'
import { type TestContext, test } from 'node:test'
import { connect } from '@kaska/client'
import { type Broker, createBroker, type ListenOptions } from '../src/broker.ts'

async function start(context: TestContext, options: ListenOptions = {}, reported: string[] = []) {
  const broker: Broker = await createBroker({
    memory: true,
    topics: [{ name: 'orders', partitions: 2 }],
    report: (line) => reported.push(line),
  })
  context.after(() => broker.close())
  const { port } = await broker.listen({ port: 0, ...options })
  const url = `http://127.0.0.1:${port}`
  return { broker, port, url, api: `${url}/api/v1`, reported }
}

const json = { 'content-type': 'application/json' }

/** Bytes as they are, for what `fetch` would not send. */
function raw(port: number, text: string): Promise<string> {
  return new Promise((resolve, reject) => {
    const socket = connectSocket(port, '127.0.0.1', () => socket.end(text))
    let answer = ''
    socket.setEncoding('latin1')
    socket.on('data', (chunk) => {
      answer += chunk
    })
    socket.on('close', () => resolve(answer))
    socket.on('error', reject)
  })
}

test('probes, metrics and what the broker is', async (context) => {
  const { url, api } = await start(context)
  assert.equal(await (await fetch(`${url}/healthz`)).text(), 'ok\n')
  assert.equal((await fetch(`${url}/readyz`)).status, 200)
  const metrics = await fetch(`${url}/metrics`)
  assert.match(metrics.headers.get('content-type') ?? '', /^text\/plain; version=0\.0\.4/)
  assert.match(await metrics.text(), /^kaska_connections\{protocol="native"\} 0$/m)
  const about = (await (await fetch(`${api}/broker`)).json()) as Record<string, unknown>
  assert.equal(about['topics'], 1)
  const missing = await fetch(`${url}/no-such-path`)
  assert.equal(missing.status, 404)
  assert.equal(missing.headers.get('content-type'), 'application/problem+json')
})

test('topics are made, listed, described and deleted', async (context) => {
  const { api } = await start(context)
  const body = JSON.stringify({
    name: 'a/b c',
    partitions: 3,
    config: { 'max.message.bytes': 2000 },
  })
  const created = await fetch(`${api}/topics`, { method: 'POST', headers: json, body })
  assert.equal(created.status, 201)
  assert.equal(created.headers.get('location'), '/api/v1/topics/a%2Fb%20c')
  const again = await fetch(`${api}/topics`, { method: 'POST', headers: json, body })
  assert.equal(again.status, 409)
  assert.equal(((await again.json()) as { code: string }).code, 'TOPIC_EXISTS')
  const { topics } = (await (await fetch(`${api}/topics`)).json()) as {
    topics: { name: string }[]
  }
  assert.deepEqual(
    topics.map(({ name }) => name),
    ['orders', 'a/b c'],
  )
  const path = `${api}/topics/a%2Fb%20c`
  const described = (await (await fetch(path)).json()) as {
    bounds: unknown[]
    config: { name: string; value: string }[]
  }
  assert.equal(described.bounds.length, 3)
  const setting = described.config.find(({ name }) => name === 'max.message.bytes')
  assert.equal(setting?.value, '2000')
  assert.equal((await fetch(path, { method: 'DELETE' })).status, 204)
  assert.equal((await fetch(path)).status, 404)
})

test('messages go in as JSON, as lines and raw, and come out in each way', async (context) => {
  const { api } = await start(context)
  const path = `${api}/topics/orders/messages`
  const one = await fetch(path, {
    method: 'POST',
    headers: json,
    body: JSON.stringify({ key: 'k', value: 'one', headers: [['h', 'x']], partition: 1 }),
  })
  assert.equal(one.status, 201)
  assert.deepEqual(
    { ...((await one.json()) as object), timestamp: 0 },
    { partition: 1, offset: 0, timestamp: 0 },
  )
  const many = await fetch(path, {
    method: 'POST',
    headers: json,
    body: JSON.stringify({
      messages: [
        { value: { base64: '/wA=' }, partition: 1 },
        { value: null, partition: 1 },
      ],
    }),
  })
  assert.equal(many.status, 201)
  const lines = await fetch(path, {
    method: 'POST',
    headers: { 'content-type': 'application/x-ndjson' },
    body: '{"value":"line 1","partition":1}\n\n{"value":"line 2","partition":1}\n',
  })
  assert.equal(lines.status, 201)
  const bytes = Uint8Array.of(0, 255, 10)
  const rawSent = await fetch(`${path}?partition=1&key=raw&header=a:b&timestamp=17`, {
    method: 'POST',
    headers: { 'content-type': 'application/octet-stream' },
    body: bytes,
  })
  assert.equal(rawSent.status, 201)

  const read = (await (await fetch(`${path}?partition=1&limit=4`)).json()) as {
    messages: { value: unknown; key: unknown; offset: number }[]
    nextOffset: number
    endOffset: number
  }
  assert.deepEqual(
    read.messages.map(({ value }) => value),
    ['one', { base64: '/wA=' }, null, 'line 1'],
  )
  assert.deepEqual([read.nextOffset, read.endOffset], [4, 6])
  const asLines = await fetch(`${path}?partition=1&last=2`, {
    headers: { accept: 'application/x-ndjson' },
  })
  const last = (await asLines.text()).trimEnd().split('\n')
  assert.equal(last.length, 2)
  assert.deepEqual(JSON.parse(last[1] ?? ''), {
    topic: 'orders',
    partition: 1,
    offset: 5,
    timestamp: 17,
    key: 'raw',
    value: { base64: 'AP8K' },
    headers: [['a', 'b']],
  })
  const single = await fetch(`${api}/topics/orders/partitions/1/messages/5`, {
    headers: { accept: 'application/octet-stream' },
  })
  assert.deepEqual(new Uint8Array(await single.arrayBuffer()), bytes)
  assert.equal(single.headers.get('content-disposition'), 'attachment')
  const gone = await fetch(`${api}/topics/orders/partitions/1/messages/6`)
  assert.equal(gone.status, 416)
  assert.equal(((await gone.json()) as { endOffset: number }).endOffset, 6)
})

test('a message as large as a topic takes goes in and comes out', async (context) => {
  const { api } = await start(context)
  const value = new Uint8Array(60 * 1024 * 1024).fill(7)
  const sent = await fetch(`${api}/topics/orders/messages?partition=0`, {
    method: 'POST',
    headers: { 'content-type': 'application/octet-stream' },
    body: value,
  })
  assert.equal(sent.status, 201, await sent.text())
  const path = `${api}/topics/orders/partitions/0/messages/0`
  const raw = await fetch(path, { headers: { accept: 'application/octet-stream' } })
  assert.ok(Buffer.from(value).equals(new Uint8Array(await raw.arrayBuffer())))
  const text = await fetch(path)
  assert.equal(text.status, 413)
  assert.match(await text.text(), /Accept: application\/octet-stream/)
  const tail = await fetch(`${api}/topics/orders/tail?from=start`)
  const reader = tail.body?.getReader()
  let events = ''
  while (!events.includes('event: problem')) {
    events += new TextDecoder().decode((await reader?.read())?.value)
  }
  await reader?.cancel()
  assert.match(events, /^id: 0:1,1:0\nevent: problem\ndata: .*MESSAGE_TOO_LARGE/m)
})

test('a range ends before a message that is too long for it', async (context) => {
  const { api, broker } = await start(context)
  await using client = await connect(broker)
  const value = new Uint8Array(9 * 1024 * 1024)
  await client.sendBatch('orders', [
    { value: 'short', partition: 0 },
    { value, partition: 0 },
  ])
  const path = `${api}/topics/orders/messages`
  const range = (await (await fetch(path)).json()) as { messages: unknown[]; nextOffset: number }
  assert.deepEqual([range.messages.length, range.nextOffset], [1, 1])
  assert.equal((await fetch(`${path}?offset=1`)).status, 413)
})

test('of a batch that was taken in part it is said what became of each message', async (context) => {
  const { api } = await start(context)
  await fetch(`${api}/topics/orders`, {
    method: 'PATCH',
    headers: json,
    body: JSON.stringify({ config: { 'max.message.bytes': 2000 } }),
  })
  const messages = [
    { value: 'short', partition: 0 },
    { value: 'long'.repeat(1000), partition: 1 },
  ]
  const path = `${api}/topics/orders/messages`
  const body = JSON.stringify({ messages })
  const answer = await fetch(path, { method: 'POST', headers: json, body })
  assert.equal(answer.status, 413)
  const { code, results } = (await answer.json()) as { code: string; results: object[] }
  assert.equal(code, 'SEND_BATCH')
  assert.deepEqual({ ...results[0], timestamp: 0 }, { partition: 0, offset: 0, timestamp: 0 })
  assert.partialDeepStrictEqual(results[1], { partition: 1, code: 'MESSAGE_TOO_LARGE' })
})

test('what is wrong with a request is said', async (context) => {
  const { api } = await start(context)
  const path = `${api}/topics/orders/messages`
  const post = (body: string) => fetch(path, { method: 'POST', headers: json, body })
  const lines = { 'content-type': 'application/x-ndjson' }
  const postLines = (body: string) => fetch(path, { method: 'POST', headers: lines, body })
  for (const [answer, status, text] of [
    [await post('{'), 400, /not JSON/],
    [await post('{"valu":1}'), 400, /unknown field 'valu'/],
    [await post('{"value":"x","partition":7}'), 404, /there is no 7/],
    [await postLines('\n{"value":"x"}\n\r\n{"value":1}\n'), 400, /^.*line 4 /],
    [await postLines('1\n'.repeat(10)), 400, /line 1 /],
    [await postLines('{"value":""}\n'.repeat(100_001)), 413, /at most 100000 messages/],
    [await fetch(`${path}?offset=99`), 416, /99/],
    [await fetch(`${path}?limit=0`), 400, /limit/],
    [await fetch(`${path}?offset=1&last=2`), 400, /exclude/],
    [await fetch(`${api}/topics/nothing/messages`), 404, /nothing/],
    [await fetch(`${api}/topics/nothing/tail`), 404, /nothing/],
  ] as const) {
    assert.equal(answer.status, status)
    assert.match(await answer.text(), text)
  }
})

test('64 MiB of lines hold up nobody, whatever they are', async (context) => {
  const { api } = await start(context)
  const size = 64 * 1024 * 1024
  const long = Buffer.alloc(size, ' ')
  // As long as a line may be.
  for (let line = 0; line < 8; line++) {
    long.write('{"value":"', line * (size / 8))
    long.write('"}\n', (line + 1) * (size / 8) - 3)
  }
  for (const [body, status] of [
    [Buffer.alloc(size, '\n'), 201],
    [Buffer.alloc(size, '1\n'), 400],
    [long, 201],
  ] as const) {
    // In processor time of this thread: what other programs take is not counted.
    const spent = () => {
      const { user, system } = process.threadCpuUsage()
      return (user + system) / 1000
    }
    let gapMax = 0
    let last = spent()
    let isOver = false
    const turn = () => {
      const now = spent()
      gapMax = Math.max(gapMax, now - last)
      last = now
      if (!isOver) setImmediate(turn)
    }
    turn()
    const answer = await fetch(`${api}/topics/orders/messages`, {
      method: 'POST',
      headers: { 'content-type': 'application/x-ndjson' },
      body,
    })
    isOver = true
    context.diagnostic(`${status}: at most ${Math.round(gapMax)} ms`)
    assert.equal(answer.status, status, await answer.text())
    assert(gapMax < 1000, `${status}: nobody had a turn for ${gapMax} ms`)
  }
})

test('messages that are sent take what they are in memory from the byte budget', async (context) => {
  const broker = await createBroker({
    memory: true,
    topics: [{ name: 'orders' }],
    memoryBytesMax: 16 * 1024 * 1024,
  })
  context.after(() => broker.close())
  const { port } = await broker.listen({ port: 0 })
  const post = (type: string, body: string) =>
    fetch(`http://127.0.0.1:${port}/api/v1/topics/orders/messages`, {
      method: 'POST',
      headers: { 'content-type': type },
      body,
    })
  const message = '{"value":""}'
  const sends: readonly (readonly [string, (count: number) => string])[] = [
    ['application/x-ndjson', (count) => `${message}\n`.repeat(count)],
    ['application/json', (count) => `{"messages":[${Array(count).fill(message).join()}]}`],
  ]
  for (const [type, bodyOf] of sends) {
    const refused = await post(type, bodyOf(100_000))
    assert.equal(refused.status, 503, type)
    assert.equal(((await refused.json()) as { code: string }).code, 'OVERLOADED')
    const sent = await post(type, bodyOf(10_000))
    assert.equal(sent.status, 201, await sent.text())
  }
})

test('a tail goes on where it was, also where that is no longer there, and with many partitions', async (context) => {
  const { api, broker } = await start(context)
  await using client = await connect(broker)
  for (let n = 0; n < 5; n++) await client.send('orders', { value: `${n}`, partition: 0 })
  await fetch(`${api}/topics/orders/truncate`, {
    method: 'POST',
    headers: json,
    body: JSON.stringify({ partition: 0, before: 3 }),
  })
  const resume = (topic: string, id: string) =>
    fetch(`${api}/topics/${topic}/tail`, { headers: { 'last-event-id': id } })
  for await (const { id, message } of eventsOf(await resume('orders', '0:1,1:0'))) {
    assert.deepEqual([id, message.value], ['0:4,1:0', '3'])
    break
  }
  for (const [partitions, status] of [
    [500, 200],
    [501, 400],
  ] as const) {
    const topic = `wide-${partitions}`
    await client.createTopic(topic, { partitions })
    const id = Array.from({ length: 500 }, (_, each) => `${each}:${Number.MAX_SAFE_INTEGER}`)
    const answer = await resume(topic, id.join(','))
    assert.equal(answer.status, status)
    await answer.body?.cancel()
  }
})

test('what a tail has read is in the byte budget until it was sent', async (context) => {
  const { api, broker, port } = await start(context)
  await using client = await connect(broker)
  const value = new Uint8Array(2 * 1024 * 1024).fill(0x61)
  for (let n = 0; n < 20; n++) await client.send('orders', { value, partition: 0 })
  const used = async () => {
    const stats = (await (await fetch(`${api}/stats`)).json()) as {
      memory: { budgetUsedBytes: number }
    }
    return stats.memory.budgetUsedBytes
  }
  const before = await used()
  const socket = connectSocket(port, '127.0.0.1')
  context.after(() => void socket.destroy())
  socket.pause()
  socket.write('GET /api/v1/topics/orders/tail?from=start HTTP/1.1\r\nHost: localhost\r\n\r\n')
  while ((await used()) < before + value.length);
  socket.destroy()
  while ((await used()) > before);
})

test('a tail sends what comes, and goes on where it broke off', async (context) => {
  const { api, broker } = await start(context)
  await using client = await connect(broker)
  const first = await fetch(`${api}/topics/orders/tail`)
  assert.equal(first.headers.get('content-type'), 'text/event-stream')
  const events = eventsOf(first)
  await client.send('orders', { value: 'a', partition: 0 })
  const a = await events.next()
  assert.equal(a.value?.message.value, 'a')
  await events.return(undefined)
  await client.send('orders', { value: 'b', partition: 0 })
  await client.send('orders', { value: 'c', partition: 1 })
  const resumed = await fetch(`${api}/topics/orders/tail`, {
    headers: { 'last-event-id': a.value?.id ?? '' },
  })
  const seen: unknown[] = []
  for await (const { message } of eventsOf(resumed)) {
    seen.push(message.value)
    if (seen.length === 2) break
  }
  assert.deepEqual(seen.sort(), ['b', 'c'])
})

async function* eventsOf(response: Response) {
  const decoder = new TextDecoder()
  let text = ''
  for await (const chunk of response.body as unknown as AsyncIterable<Uint8Array>) {
    text += decoder.decode(chunk, { stream: true })
    for (let end = text.indexOf('\n\n'); end >= 0; end = text.indexOf('\n\n')) {
      const event = text.slice(0, end)
      text = text.slice(end + 2)
      const match = /^id: (.*)\ndata: (.*)$/.exec(event)
      if (match === null) continue
      yield { id: match[1] ?? '', message: JSON.parse(match[2] ?? '') as { value: unknown } }
    }
  }
}

test('offsets are committed, and read, under a name', async (context) => {
  const { api, broker } = await start(context)
  await using client = await connect(broker)
  const path = `${api}/groups/billing/offsets/orders/1`
  assert.deepEqual(await (await fetch(path)).json(), { offset: null })
  const body = JSON.stringify({ offset: 4 })
  assert.equal((await fetch(path, { method: 'PUT', headers: json, body })).status, 200)
  assert.equal(await client.committed('billing', 'orders', 1), 4)
  assert.deepEqual(await (await fetch(path)).json(), { offset: 4 })
})

test('a client of the library works over WebSocket', async (context) => {
  const { port } = await start(context)
  await using client = await connect(`ws://127.0.0.1:${port}/ws`)
  const value = new Uint8Array(3_000_000).fill(7)
  await client.subscribe(['orders'])
  await client.send('orders', { value, partition: 1, key: 'k' })
  const message = await client.poll({ timeoutMs: 10_000 })
  assert.deepEqual(message?.value, value)
})

test('a page of another origin, or under a foreign name, is refused, on WebSocket too', async (context) => {
  const { port, api } = await start(context, { http: { hosts: ['kaska.example'] } })
  const ask = (head: string, path = '/api/v1/topics') =>
    raw(port, `GET ${path} HTTP/1.1\r\nConnection: close\r\n${head}\r\n\r\n`)
  assert.match(await ask(`Host: localhost:${port}`), /^HTTP\/1\.1 200 /)
  assert.match(await ask(`Host: [::1]:${port}`), /^HTTP\/1\.1 200 /)
  assert.match(await ask('Host: kaska.example'), /^HTTP\/1\.1 200 /)
  assert.match(await ask('Host: evil.example'), /^HTTP\/1\.1 421 /)
  assert.match(await ask('Host: 127.0.0.1.evil.example'), /^HTTP\/1\.1 421 /)
  const foreign = await fetch(`${api}/topics`, { headers: { origin: 'http://evil.example' } })
  assert.equal(foreign.status, 403)
  const upgrade =
    'Upgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Version: 13\r\n' +
    'Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ=='
  const host = `Host: 127.0.0.1:${port}`
  assert.match(
    await ask(`${host}\r\nOrigin: http://evil.example\r\n${upgrade}`, '/ws'),
    /^HTTP\/1\.1 403 /,
  )
  assert.match(await ask(`Host: evil.example\r\n${upgrade}`, '/ws'), /^HTTP\/1\.1 421 /)
  assert.match(await ask(`${host}\r\n${upgrade}`, '/elsewhere'), /^HTTP\/1\.1 404 /)
  assert.match(await ask(`${host}\r\n${upgrade}`, '/ws'), /^HTTP\/1\.1 101 /)
})

test('a token is asked for everywhere but by probes', async (context) => {
  const { url, api, port } = await start(context, { http: { token: 's3cret' } })
  assert.equal((await fetch(`${url}/healthz`)).status, 200)
  const refused = await fetch(`${api}/topics`)
  assert.equal(refused.status, 401)
  assert.match(refused.headers.get('www-authenticate') ?? '', /^Bearer/)
  const bearer = { authorization: 'Bearer s3cret' }
  assert.equal((await fetch(`${api}/topics`, { headers: bearer })).status, 200)
  const signIn = (token: string) =>
    fetch(`${api}/session`, { method: 'POST', headers: json, body: JSON.stringify({ token }) })
  assert.equal((await signIn('wrong')).status, 401)
  const cookie = (await signIn('s3cret')).headers.get('set-cookie') ?? ''
  assert.match(cookie, /HttpOnly; SameSite=Strict/)
  const headers = { cookie: cookie.split(';')[0] ?? '' }
  assert.equal((await fetch(`${api}/topics`, { headers })).status, 200)
  await assert.rejects(connect(`ws://127.0.0.1:${port}/ws`, { connectTimeoutMs: 2000 }))
})

test('HTTP is not open to other machines unless that is said', async () => {
  await using broker = await createBroker({ memory: true })
  await assert.rejects(broker.listen({ port: 0, host: '0.0.0.0' }), /token/)
  await broker.listen({ port: 0, host: '0.0.0.0', http: false })
  await broker.listen({ port: 0, host: '0.0.0.0', http: { token: 'x' } })
})

test('closing ends the connections that wait, and those that follow', async (context) => {
  const { api, broker, url } = await start(context)
  await fetch(`${url}/healthz`)
  const tail = await fetch(`${api}/topics/orders/tail`)
  const ended = (async () => {
    for await (const _ of eventsOf(tail)) assert.fail('nothing was sent')
  })().catch(() => {})
  await broker.close()
  await ended
})

test('the console is at every address of a view, and reaches nothing but this broker', async (context) => {
  const { url, port } = await start(context)
  for (const path of [
    '/',
    '/topics',
    '/topics/a%2Fb/messages?offset=3',
    '/groups/x',
    '/connections',
  ]) {
    const page = await fetch(url + path)
    assert.equal(page.status, 200, path)
    assert.match(page.headers.get('content-type') ?? '', /^text\/html/)
    const policy = page.headers.get('content-security-policy') ?? ''
    assert.match(policy, /^default-src 'none'; script-src 'self';/)
    assert.doesNotMatch(policy, /unsafe/)
    assert.match(await page.text(), /<div id="root">/)
  }
  const script = await fetch(`${url}/assets/main.js`, { headers: { 'accept-encoding': 'br' } })
  assert.equal(script.headers.get('content-encoding'), 'br')
  const etag = script.headers.get('etag') ?? ''
  assert.notEqual((await script.text()).length, 0)
  const again = await fetch(`${url}/assets/main.js`, { headers: { 'if-none-match': etag } })
  assert.equal(again.status, 304)
  const missing = await fetch(`${url}/assets/nothing.js`)
  assert.equal(missing.status, 404)
  assert.equal(missing.headers.get('content-type'), 'application/problem+json')
  for (const [accepted, encoding] of [
    ['gzip, br', 'br'],
    ['br ; q=0, GZIP;q=0.5', 'gzip'],
    ['br;q=0.000', null],
    ['abracadabra', null],
  ] as const) {
    const head = await raw(
      port,
      `HEAD /assets/main.js HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\nAccept-Encoding: ${accepted}\r\n\r\n`,
    )
    assert.equal(/^content-encoding: (.*)\r$/im.exec(head)?.[1] ?? null, encoding, accepted)
  }
})
