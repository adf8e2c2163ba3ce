/** TLS on the broker's one port: both protocols within it, what is refused, and what clients are told. */
import assert from 'node:assert/strict'
import { once } from 'node:events'
import net from 'node:net'
import { networkInterfaces } from 'node:os'
import { type TestContext, test } from 'node:test'
import tls from 'node:tls'
import { connect } from '@kaska/client'
import { joinChunks } from '@kaska/protocol'
import * as local from '../../client/test/test-certificate.ts'
import { createBroker, type ListenOptions } from '../src/broker.ts'
import type { KafkaTestClient } from './kafka-client.ts'
import { kafkaOver } from './kafka-socket.ts'
import * as named from './name-certificate.ts'

const [fetch, metadata] = [1, 3]
const localTls = { cert: local.certificate, key: local.privateKey }
const namedTls = { cert: named.certificate, key: named.privateKey }

async function secureKafka(options: tls.ConnectionOptions) {
  const socket = tls.connect(options)
  await once(socket, 'secureConnect')
  return kafkaOver(socket)
}

async function toldTo(client: KafkaTestClient): Promise<string> {
  const [row] = (await client.ask(metadata, 9, { topics: [] })).brokers
  return `${row.host}:${row.port}`
}

function closed(socket: net.Socket): Promise<void> {
  return new Promise((resolve) => {
    if (socket.closed) resolve()
    else socket.once('close', () => resolve())
  })
}

async function start(options: ListenOptions, context: TestContext) {
  const reports: string[] = []
  const broker = await createBroker({ memory: true, report: (line) => reports.push(line) })
  context.after(() => broker.close())
  const listening = await broker.listen({ port: 0, ...options })
  /** Resolves when there is a line like this. */
  const reported = async (pattern: RegExp) => {
    while (!reports.some((line) => pattern.test(line))) {
      await new Promise((resolve) => setImmediate(resolve))
    }
  }
  return { ...listening, broker, reports, reported }
}

test('both protocols are spoken within TLS, and beside it on this machine', async (context) => {
  const { port, url } = await start({ tls: localTls }, context)
  assert.equal(url, `kaskas://127.0.0.1:${port}`)
  await assert.rejects(connect(url), { code: 'CONNECTION' }, 'nobody trusts it')
  await using client = await connect(url, { tls: { ca: local.certificate } })
  await client.createTopic('x')
  await client.subscribe(['x'])
  const value = new Uint8Array(3_000_000).map((_, index) => index % 251)
  for (let part = 0; part < 3; part++) {
    await client.send('x', value.subarray(part * 900_000, (part + 1) * 900_000))
    const message = await client.poll({ timeoutMs: 5000 })
    const sent = value.subarray(part * 900_000, (part + 1) * 900_000)
    assert.ok(Buffer.from(sent).equals(message?.value ?? new Uint8Array(0)))
  }
  const ca = local.certificate
  using kafka = await secureKafka({ port, host: '127.0.0.1', ca })
  const partitions = [{ partition: 0, fetchOffset: 1, partitionMaxBytes: 1 << 20 }]
  const wanted = {
    maxWaitMs: 0,
    minBytes: 1,
    maxBytes: 1 << 20,
    topics: [{ topic: 'x', partitions }],
  }
  const { responses } = await kafka.ask(fetch, 12, wanted)
  const records = Buffer.from(joinChunks(responses[0].partitions[0].records))
  assert.ok(records.includes(Buffer.from(value.subarray(900_000, 1_800_000))))
  await using plain = await connect(`kaska://127.0.0.1:${port}`)
  assert.equal((await plain.topics()).length, 1)
})

test('a client is told the name that it trusts, which its certificate has', async (context) => {
  const { port } = await start({ tls: namedTls, host: '::', http: false }, context)
  const ca = named.certificate
  for (const host of ['127.0.0.1', '::1']) {
    using byName = await secureKafka({ port, host, ca, servername: named.name })
    assert.equal(await toldTo(byName), `${named.name}:${port}`)
    using nameless = await secureKafka({ port, host, ca, checkServerIdentity: () => undefined })
    assert.equal(await toldTo(nameless), `${host}:${port}`)
    using plain = kafkaOver(net.connect(port, host))
    assert.equal(await toldTo(plain), `${host}:${port}`)
  }
  using odd = await secureKafka({
    port,
    host: '127.0.0.1',
    ca,
    servername: 'a b"<c>',
    checkServerIdentity: () => undefined,
  })
  assert.equal(await toldTo(odd), `127.0.0.1:${port}`)
})

test('behind a relay on another port clients are told what is advertised', async (context) => {
  const relay = net.createServer((near) => {
    const far = net.connect(target, '127.0.0.1')
    for (const socket of [near, far]) socket.on('error', () => {})
    near.pipe(far).pipe(near)
    near.on('close', () => far.destroy())
  })
  relay.listen(0, '127.0.0.1')
  context.after(() => relay.close())
  await once(relay, 'listening')
  const { port } = relay.address() as net.AddressInfo
  const advertise = { host: named.name, port }
  const { port: target } = await start({ tls: namedTls, advertise }, context)
  const ca = named.certificate
  using secure = await secureKafka({ port, host: '127.0.0.1', ca, servername: named.name })
  assert.equal(await toldTo(secure), `${named.name}:${port}`)
  using plain = kafkaOver(net.connect(port, '127.0.0.1'))
  assert.equal(await toldTo(plain), `${named.name}:${port}`)
})

test('without a certificate a TLS hello is refused, with what to do', async (context) => {
  const { port, reported } = await start({}, context)
  const socket = tls.connect({ port, host: '127.0.0.1' })
  await assert.rejects(once(socket, 'secureConnect'))
  await reported(/^connection 127\.0\.0\.1:\d+: closed: it speaks TLS, .*--tls-cert/)
})

test('with a certificate other machines have to speak TLS, unless it is said', async (context) => {
  const addresses = Object.values(networkInterfaces()).flat()
  const host = addresses.find((one) => one?.internal === false && one.family === 'IPv4')?.address
  if (host === undefined) {
    context.skip('this machine has no address but its own')
    return
  }
  const { port, reported } = await start({ tls: localTls, host: '0.0.0.0', http: false }, context)
  using plain = kafkaOver(net.connect(port, host))
  plain.send(metadata, 9, { topics: [] })
  await plain.closed()
  await reported(/closed: it does not speak TLS: .*--plaintext/)
  const secured = { port, host, ca: local.certificate, servername: 'localhost' }
  using secure = await secureKafka(secured)
  assert.equal(await toldTo(secure), `localhost:${port}`)
  const open = await start(
    { tls: localTls, host: '0.0.0.0', http: false, plaintext: true },
    context,
  )
  using allowed = kafkaOver(net.connect(open.port, host))
  assert.equal(await toldTo(allowed), `${host}:${open.port}`)
})

test('a hello that is none, is cut or never ends closes its connection alone', async (context) => {
  const { port, reports, reported, broker } = await start({ tls: localTls }, context)
  const ca = local.certificate
  using good = await secureKafka({ port, host: '127.0.0.1', ca })
  const hellos: Buffer[] = [
    Buffer.from([0x16, 3, 1, 0xff, 0xff, ...Buffer.alloc(70_000, 0xff)]),
    Buffer.from([0x16, 3, 1, 0, 5, 1, 0xff, 0xff, 0xff, 0]),
    Buffer.from([0x16, 3, 1, 0, 4, 2, 0, 0, 0]),
    Buffer.from([0x16, 0, 0, 0, 0]),
    Buffer.concat([Buffer.from([0x16, 3, 1, 0x02, 0]), Buffer.alloc(512)]),
  ]
  for (const hello of hellos) {
    const socket = net.connect(port, '127.0.0.1')
    socket.on('error', () => {})
    socket.resume()
    socket.write(hello)
    await closed(socket)
  }
  await reported(/closed: the TLS handshake failed/)
  // Who goes away in the middle is not spoken of.
  const before = reports.length
  const half = net.connect(port, '127.0.0.1')
  half.on('error', () => {})
  half.write(Buffer.from([0x16, 3, 1, 0, 100, 1, 0, 0, 96, 3]))
  await once(half, 'connect')
  half.resetAndDestroy()
  // Within TLS the first byte has to be known too.
  const odd = await secureKafka({ port, host: '127.0.0.1', ca })
  odd.write(Uint8Array.of(0x16, 3, 1))
  await odd.closed()
  await reported(/no protocol begins with 0x16/)
  assert.equal(reports.length, before + 1)
  assert.equal(await toldTo(good), `127.0.0.1:${port}`)
  const waiting = net.connect(port, '127.0.0.1')
  waiting.on('error', () => {})
  waiting.write(Buffer.from([0x16, 3, 1]))
  await once(waiting, 'connect')
  await broker.close()
  await closed(waiting)
})

test('what is no certificate, no key, or another key is refused', async (context) => {
  const cases: [ListenOptions['tls'], RegExp][] = [
    [{ cert: 'x', key: local.privateKey }, /certificate is not a certificate in PEM/],
    [{ cert: local.certificate, key: 'x' }, /key is not a key in PEM/],
    [{ cert: local.certificate, key: '-----BEGIN ENCRYPTED PRIVATE KEY-----\n' }, /passphrase/],
    [{ cert: local.certificate, key: named.privateKey }, /not the key of the certificate/],
  ]
  const broker = await createBroker({ memory: true })
  context.after(() => broker.close())
  for (const [identity, message] of cases) {
    const listening = broker.listen({ port: 0, ...(identity ? { tls: identity } : {}) })
    await assert.rejects(listening, { code: 'INVALID_ARGUMENT', message })
  }
})
