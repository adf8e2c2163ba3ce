/**
 * What other people's pages and programs must not be able to do over HTTP: reach the broker through
 * somebody's browser, guess its token, or take its memory.
 */
import assert from 'node:assert/strict'
import { once } from 'node:events'
import { request as secureRequest } from 'node:https'
import { connect as connectSocket } from 'node:net'
import { test } from 'node:test'
import { WebSocket } from 'ws'
import * as local from '../../client/test/test-certificate.ts'
import { nodeClock } from '../src/host/node-clock.ts'
import { raw, startHttp } from './http-start.ts'

const upgrade =
  'Upgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Version: 13\r\n' +
  'Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n'
const closing = 'Connection: close\r\n'

/** Asks with a head of one's own; the status. */
async function statusOf(port: number, request: string, fields: string): Promise<number> {
  const answer = await raw(port, `${request} HTTP/1.1\r\n${fields}\r\n`)
  return Number(/^HTTP\/1\.1 (\d+) /.exec(answer)?.[1])
}

test('a request names this broker by an address, localhost or a name that it was given', async (context) => {
  const { port } = await startHttp(context, {
    http: { hosts: ['Kaska.example', 'other.example:9092'] },
  })
  const cases: readonly (readonly [string, number])[] = [
    [`Host: 127.0.0.1:${port}\r\n`, 200],
    ['Host: 192.168.1.5\r\n', 200],
    [`Host: [::1]:${port}\r\n`, 200],
    ['Host: localhost\r\n', 200],
    ['Host: app.localhost:1\r\n', 200],
    ['Host: KASKA.example:443\r\n', 200],
    ['Host: other.example\r\n', 200],
    ['Host: evil.example\r\n', 421],
    ['Host: kaska.example.evil.example\r\n', 421],
    ['Host: 127.0.0.1.evil.example\r\n', 421],
    ['Host: localhost.evil.example\r\n', 421],
    ['Host: evil.example:127.0.0.1\r\n', 400],
    ['Host: localhost@evil.example\r\n', 400],
    ['Host: \r\n', 400],
    ['', 400],
    ['Host: localhost\r\nHost: evil.example\r\n', 421],
  ]
  for (const [fields, status] of cases) {
    assert.equal(await statusOf(port, 'GET /healthz', closing + fields), status, fields)
  }
  const absolute = `${closing}Host: evil.example\r\n`
  assert.equal(await statusOf(port, 'GET http://localhost/healthz', absolute), 421)
})

test('a browser that asks is on a page from here, or follows a link', async (context) => {
  const { port } = await startHttp(context)
  const host = `Host: localhost:${port}\r\n`
  const fetchFrom = (site: string, mode: string, destination: string) =>
    `Sec-Fetch-Site: ${site}\r\nSec-Fetch-Mode: ${mode}\r\nSec-Fetch-Dest: ${destination}\r\n`
  const cases: readonly (readonly [string, string, number])[] = [
    ['GET', `Origin: http://localhost:${port}\r\n`, 200],
    ['GET', `Origin: https://localhost:${port}\r\n`, 200],
    ['GET', 'Origin: http://localhost\r\n', 403],
    ['GET', `Origin: http://localhost:${port + 1}\r\n`, 403],
    ['GET', `Origin: http://127.0.0.1:${port}\r\n`, 403],
    ['GET', 'Origin: http://evil.example\r\n', 403],
    ['GET', `Origin: http://localhost:${port}@evil.example\r\n`, 403],
    ['GET', 'Origin: null\r\n', 403],
    ['GET', 'Origin: \r\n', 403],
    ['GET', fetchFrom('same-origin', 'cors', 'empty'), 200],
    ['GET', fetchFrom('none', 'navigate', 'document'), 200],
    ['GET', fetchFrom('cross-site', 'navigate', 'document'), 200],
    ['GET', fetchFrom('cross-site', 'navigate', 'iframe'), 403],
    ['GET', fetchFrom('cross-site', 'no-cors', 'image'), 403],
    ['GET', fetchFrom('same-site', 'no-cors', 'script'), 403],
    ['GET', fetchFrom('cross-site', 'cors', 'empty'), 403],
    ['POST', fetchFrom('cross-site', 'navigate', 'document'), 403],
    ['DELETE', 'Origin: http://evil.example\r\n', 403],
    ['OPTIONS', 'Origin: http://evil.example\r\nAccess-Control-Request-Method: PUT\r\n', 403],
  ]
  for (const [method, fields, status] of cases) {
    const request = `${method} /api/v1/topics`
    assert.equal(await statusOf(port, request, closing + host + fields), status, fields)
  }
  const open = (fields: string) => statusOf(port, 'GET /ws', upgrade + fields)
  assert.equal(await open(`${host}Origin: http://localhost:${port}\r\n`), 101)
  assert.equal(await open(host), 101)
  assert.equal(await open(`${host}Origin: http://evil.example\r\n`), 403)
  assert.equal(await open(`${host}Origin: null\r\n`), 403)
  const rebound = 'Host: evil.example\r\nOrigin: http://evil.example\r\n'
  assert.equal(await open(rebound), 421)
  assert.equal(await statusOf(port, 'GET /api/v1/topics', closing + rebound), 421)
})

test('a form makes no message, wherever it comes from', async (context) => {
  const { port, ask } = await startHttp(context)
  const path = '/api/v1/topics/orders/messages'
  const host = `Host: 127.0.0.1:${port}\r\n`
  const body = '{"value":"x"}'
  const sends = (origin: string, type: string) => {
    const fields = `${closing}${host}${origin}${type}Content-Length: ${body.length}\r\n`
    return raw(port, `POST ${path} HTTP/1.1\r\n${fields}\r\n${body}`)
  }
  const types = [
    'Content-Type: text/plain\r\n',
    'Content-Type: application/x-www-form-urlencoded\r\n',
    'Content-Type: multipart/form-data; boundary=x\r\n',
    'Content-Type: text/plain; application/json\r\n',
    '',
  ]
  for (const type of types) {
    for (const origin of ['Origin: http://evil.example\r\n', 'Origin: null\r\n']) {
      assert.match(await sends(origin, type), /^HTTP\/1\.1 403 /, origin + type)
    }
    // A browser of long ago, which does not say where its form comes from.
    assert.match(await sends('', type), /^HTTP\/1\.1 415 /, type)
  }
  const json = 'Content-Type: application/json\r\n'
  assert.match(await sends('Origin: http://evil.example\r\n', json), /^HTTP\/1\.1 403 /)
  const bounds = (await ask('GET', '/topics/orders')).json.bounds
  assert.deepEqual(bounds.at(0), { startOffset: 0, endOffset: 0, bytes: 0 })
  assert.deepEqual(bounds.at(1), { startOffset: 0, endOffset: 0, bytes: 0 })
  assert.match(await sends('', json), /^HTTP\/1\.1 201 /)
})

test('nothing tells a browser that another page may read, embed or guess', async (context) => {
  const { url, api } = await startHttp(context)
  for (const path of ['/', '/healthz', '/api/v1/topics', '/api/v1/nothing', '/metrics']) {
    const { headers } = await fetch(url + path)
    assert.equal(headers.get('access-control-allow-origin'), null)
    assert.equal(headers.get('x-content-type-options'), 'nosniff', path)
    assert.equal(headers.get('cross-origin-resource-policy'), 'same-origin', path)
    assert.match(headers.get('content-security-policy') ?? '', /^default-src 'none'/, path)
    assert.match(headers.get('content-security-policy') ?? '', /frame-ancestors 'none'/, path)
  }
  const refused = await fetch(`${api}/topics`, { headers: { origin: 'http://evil.example' } })
  assert.equal(refused.headers.get('x-content-type-options'), 'nosniff')
  assert.equal(refused.headers.get('access-control-allow-origin'), null)
})

test('pages of an origin that was named may ask, and are told so', async (context) => {
  const origin = 'http://localhost:3000'
  const { api, port, broker } = await startHttp(context, {
    http: { origins: [origin], token: 'right' },
  })
  const preflight = await fetch(`${api}/topics/orders`, {
    method: 'OPTIONS',
    headers: { origin, 'access-control-request-method': 'PATCH' },
  })
  assert.equal(preflight.status, 204)
  assert.match(preflight.headers.get('access-control-allow-methods') ?? '', /PATCH/)
  assert.match(preflight.headers.get('access-control-allow-headers') ?? '', /authorization/)
  const missing = await fetch(`${api}/topics`, { headers: { origin } })
  assert.equal(missing.status, 401)
  assert.equal(missing.headers.get('access-control-allow-origin'), origin, 'it may know why')
  const headers = { origin, authorization: 'Bearer right' }
  const answer = await fetch(`${api}/topics`, { headers })
  assert.equal(answer.status, 200)
  assert.equal(answer.headers.get('access-control-allow-origin'), origin)
  assert.equal(answer.headers.get('access-control-allow-credentials'), null)
  for (const other of ['http://localhost:3001', 'https://localhost:3000', 'null', 'http://evil']) {
    const refused = await fetch(`${api}/topics`, { headers: { ...headers, origin: other } })
    assert.equal(refused.status, 403, other)
    assert.equal(refused.headers.get('access-control-allow-origin'), null)
  }
  const open = (from: string) =>
    statusOf(
      port,
      'GET /ws',
      `Host: localhost:${port}\r\nOrigin: ${from}\r\nAuthorization: Bearer right\r\n${upgrade}`,
    )
  assert.equal(await open(origin), 101)
  assert.equal(await open('http://localhost:3001'), 403)
  for (const odd of ['localhost:3000', 'http://localhost:3000/', '*', 'null']) {
    await assert.rejects(broker.listen({ port: 0, http: { origins: [odd] } }), /origin/, odd)
  }
})

test('a token is taken from the header and the cookie, and never from an address', async (context) => {
  const token = 'a+b/c==; x=ü "'
  const { api, url } = await startHttp(context, { http: { token } })
  const json = { 'content-type': 'application/json' }
  const signIn = (shown: string) =>
    fetch(`${api}/session`, {
      method: 'POST',
      headers: json,
      body: JSON.stringify({ token: shown }),
    })
  assert.equal((await fetch(`${api}/topics?token=${encodeURIComponent(token)}`)).status, 401)
  assert.equal((await fetch(`${api}/topics?access_token=${encodeURIComponent(token)}`)).status, 401)
  assert.equal((await signIn('wrong')).status, 401)
  const signed = await signIn(token)
  assert.equal(signed.status, 204)
  const [pair = '', ...attributes] = (signed.headers.get('set-cookie') ?? '').split('; ')
  assert.deepEqual(attributes, ['Path=/', 'HttpOnly', 'SameSite=Strict'])
  const withCookie = (cookie: string) => fetch(`${api}/topics`, { headers: { cookie } })
  assert.equal((await withCookie(`other=1; ${pair}`)).status, 200)
  const stale = await withCookie('kaska_token=wrong')
  assert.equal(stale.status, 401)
  assert.match(stale.headers.get('set-cookie') ?? '', /^kaska_token=; .*Max-Age=0$/)
  // The page asks for it, and holds nothing itself.
  assert.equal((await fetch(`${url}/topics/orders`)).status, 200)
  for (const path of ['/metrics', '/api/v1/broker', '/api', '/ws', '/nothing', '//', '/topicsx']) {
    assert.equal((await fetch(url + path)).status, 401, path)
  }
  assert.equal((await fetch(`${url}/`, { method: 'POST' })).status, 401)
})

test('wrong tokens are bounded, whichever way they are shown', async (context) => {
  // However long this takes, no try is given back.
  const clock = { ...nodeClock, monotonic: () => 0 }
  const { api, port } = await startHttp(context, { http: { token: 'right' } }, { clock })
  const bearer = (token: string) => ({ headers: { authorization: `Bearer ${token}` } })
  const statuses = new Set<number>()
  for (let n = 0; n < 30; n++) statuses.add((await fetch(`${api}/topics`, bearer(`${n}`))).status)
  assert.deepEqual([...statuses], [401, 429])
  const right = await fetch(`${api}/topics`, bearer('right'))
  assert.equal(right.status, 429, 'nor is it told whether this one is right')
  assert.equal(right.headers.get('retry-after'), '1')
  const fields = `Host: localhost:${port}\r\nAuthorization: Bearer right\r\n${upgrade}`
  assert.equal(await statusOf(port, 'GET /ws', fields), 429)
  assert.equal((await fetch(`${api}/topics`)).status, 401, 'none is not a wrong one')
})

test('bodies are bounded, also before a token is shown, and those without an end', async (context) => {
  const { port, api } = await startHttp(context, { http: { token: 'right' } })
  const json = { 'content-type': 'application/json' }
  const body = JSON.stringify({ token: 'x'.repeat(10_000) })
  const long = await fetch(`${api}/session`, { method: 'POST', headers: json, body })
  assert.equal(long.status, 413)

  const head = (path: string, type: string, length: string) =>
    `POST /api/v1/${path} HTTP/1.1\r\nHost: localhost:${port}\r\nAuthorization: Bearer right\r\n` +
    `Content-Type: ${type}\r\n${length}\r\n\r\n`
  const announced = connectSocket(port, '127.0.0.1')
  announced.write(head('topics', 'application/json', 'Content-Length: 9000000'))
  const [answer] = await once(announced, 'data')
  assert.match(String(answer), /^HTTP\/1\.1 413 /, 'before any of it came')
  announced.destroy()

  for (const [path, type] of [
    ['session', 'application/json'],
    ['topics', 'application/json'],
  ] as const) {
    const endless = connectSocket(port, '127.0.0.1')
    let text = ''
    endless.on('data', (chunk) => {
      text += chunk
    })
    endless.on('error', () => {})
    endless.write(head(path, type, 'Transfer-Encoding: chunked'))
    const chunk = Buffer.concat([
      Buffer.from('10000\r\n'),
      Buffer.alloc(65536, 32),
      Buffer.from('\r\n'),
    ])
    const push = () => {
      while (!endless.destroyed && endless.write(chunk));
    }
    endless.on('drain', push)
    push()
    await new Promise((resolve) => endless.on('close', resolve))
    assert.match(text, /^HTTP\/1\.1 413 /, path)
  }
})

test('what a path takes and gives is said: HEAD, OPTIONS, 405, 406, 415', async (context) => {
  const { api, url, broker } = await startHttp(context)
  const head = await fetch(`${api}/topics`, { method: 'HEAD' })
  assert.equal(head.status, 200)
  assert.equal(await head.text(), '')
  const tail = await fetch(`${api}/topics/orders/tail`, { method: 'HEAD' })
  assert.equal(tail.headers.get('content-type'), 'text/event-stream')
  const options = await fetch(`${api}/topics/orders`, { method: 'OPTIONS' })
  assert.equal(options.status, 204)
  const allowed = new Set(options.headers.get('allow')?.split(', '))
  assert.deepEqual(allowed, new Set(['GET', 'HEAD', 'PATCH', 'DELETE', 'OPTIONS']))
  const put = await fetch(`${api}/topics/orders`, { method: 'PUT' })
  assert.equal(put.status, 405)
  assert.ok(put.headers.get('allow')?.includes('PATCH'))
  assert.equal((await fetch(`${url}/healthz`, { method: 'POST' })).status, 405)
  assert.equal((await fetch(`${api}/nothing`, { method: 'POST' })).status, 404)
  const accepting = async (accept: string, path = '/topics/orders/messages') =>
    (await fetch(api + path, { headers: { accept } })).status
  assert.equal(await accepting('text/html, */*;q=0.1'), 200)
  assert.equal(await accepting('application/*'), 200)
  assert.equal(await accepting('text/html'), 406)
  assert.equal(await accepting('application/json;q=0, application/x-ndjson;q=0'), 406)
  assert.equal(await accepting('application/json', '/topics/orders/tail'), 406)
  const xml = { method: 'POST', headers: { 'content-type': 'application/xml' }, body: '<x/>' }
  const unsupported = await fetch(`${api}/topics`, xml)
  assert.equal(unsupported.status, 415)
  assert.equal(unsupported.headers.get('accept'), 'application/json')
  assert.equal(await broker.engine.topicCount({ principal: null, clientId: '', address: '' }), 1)
})

test('HTTPS and wss work, and the cookie is for TLS alone', async (context) => {
  const { port } = await startHttp(context, {
    tls: { cert: local.certificate, key: local.privateKey },
    http: { token: 'right' },
  })
  const ca = local.certificate
  const body = '{"token":"right"}'
  const signing = secureRequest({
    port,
    host: '127.0.0.1',
    ca,
    agent: false,
    method: 'POST',
    path: '/api/v1/session',
    headers: { 'content-type': 'application/json', 'content-length': body.length },
  })
  signing.end(body)
  const [signed] = await once(signing, 'response')
  signed.resume()
  assert.equal(signed.statusCode, 204)
  const [cookie = ''] = signed.headers['set-cookie'] ?? []
  assert.match(cookie, /; HttpOnly; SameSite=Strict; Secure$/)
  const open = (headers: Record<string, string>, origin: string) =>
    new Promise<string>((resolve) => {
      const socket = new WebSocket(`wss://127.0.0.1:${port}/ws`, { ca, headers, origin })
      socket.on('open', () => {
        socket.terminate()
        resolve('open')
      })
      socket.on('error', ({ message }) => resolve(message))
    })
  const origin = `https://127.0.0.1:${port}`
  const headers = { cookie: cookie.split(';')[0] ?? '' }
  assert.equal(await open(headers, origin), 'open')
  assert.match(await open({}, origin), /401/)
  assert.match(await open(headers, 'https://evil.example'), /403/)
})
