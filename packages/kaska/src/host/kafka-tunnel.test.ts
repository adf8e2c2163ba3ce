/** Tunnels between sockets: to a broker that answers, under back-pressure, and when either side goes away. */
import assert from 'node:assert/strict'
import { once } from 'node:events'
import { connect, createServer, type Server, type Socket } from 'node:net'
import { Duplex } from 'node:stream'
import { type TestContext, test } from 'node:test'
import { createServer as createTlsServer } from 'node:tls'
import { ManualClock } from '../../../../sim/manual-clock.ts'
import { certificate, privateKey } from '../../../client/test/test-certificate.ts'
import { ConnectionLog } from '../figures/connection-log.ts'
import { createKafkaTunnel, type KafkaTunnelOptions } from './kafka-tunnel.ts'
import { listen } from './listener.ts'
import { nodeClock } from './node-clock.ts'

/** A broker's port; what it does with a connection is the test's. */
async function startFar(t: TestContext, server: Server = createServer()) {
  const sockets: Socket[] = []
  server.on(server.listenerCount('connection') > 0 ? 'secureConnection' : 'connection', (one) => {
    one.on('error', () => {})
    sockets.push(one)
  })
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')
  t.after(() => {
    for (const socket of sockets) socket.destroy()
    server.close()
  })
  const { port } = server.address() as { port: number }
  const accepted = async (index = 0): Promise<Socket> => {
    while (sockets[index] === undefined) await once(server, 'connection')
    return sockets[index] as Socket
  }
  return { server, address: { host: '127.0.0.1', port }, sockets, accepted }
}

/** A port with tunnels, and a way to connect to it. */
async function startNear(
  t: TestContext,
  options: Pick<KafkaTunnelOptions, 'brokers'> & Partial<KafkaTunnelOptions>,
) {
  const reports: string[] = []
  const { clock = nodeClock } = options
  const connections = new ConnectionLog(clock)
  const report = (line: string) => void reports.push(line)
  // Nothing of a test is given up because the machine is slow.
  const patient = { dialMs: 60_000, endMs: 60_000 }
  const tunnel = createKafkaTunnel({ connections, clock, report, ...patient, ...options })
  const listener = await listen({
    host: '127.0.0.1',
    port: 0,
    protocols: [tunnel],
    clock: nodeClock,
    report,
  })
  t.after(async () => {
    await listener.close()
    await tunnel.close()
  })
  const dial = async (first: Uint8Array | undefined = Uint8Array.of(0, 1, 2)) => {
    const socket = connect(listener.port, '127.0.0.1')
    socket.on('error', () => {})
    t.after(() => socket.destroy())
    await once(socket, 'connect')
    if (first !== undefined) socket.write(first)
    return socket
  }
  return { tunnel, connections, reports, dial }
}

/** So many bytes from a socket. */
async function take(socket: Socket, count: number): Promise<Buffer> {
  const chunks: Buffer[] = []
  let length = 0
  while (length < count) {
    const chunk = (socket.read() as Buffer | null) ?? undefined
    if (chunk === undefined) await once(socket, 'readable')
    else {
      chunks.push(chunk)
      length += chunk.length
    }
  }
  return Buffer.concat(chunks)
}

const gone = { host: '127.0.0.1', port: 1 }
const chunkBytes = 64 * 1024

/** A client in memory: takes nothing until it is told to. */
class Reluctant extends Duplex {
  readonly remoteAddress = '127.0.0.1'
  readonly remotePort = 1
  taken = 0
  #isTaking = false
  #held: (() => void) | undefined

  override _read(): void {}

  override _write(chunk: Uint8Array, _encoding: string, done: () => void): void {
    this.taken += chunk.length
    if (this.#isTaking) done()
    else {
      this.#held = done
      this.emit('held')
    }
  }

  override _final(done: () => void): void {
    this.push(null)
    done()
  }

  takeAll(): void {
    this.#isTaking = true
    this.#held?.()
  }
}

/** A client in memory that sends without end: as much as is taken of it. */
class Talkative extends Duplex {
  readonly remoteAddress = '127.0.0.1'
  readonly remotePort = 2
  readonly #chunk = Buffer.alloc(chunkBytes)
  readonly #chunksMax: number
  #chunks = 0

  constructor(bytesMax: number) {
    super()
    this.#chunksMax = bytesMax / chunkBytes
  }

  override _read(): void {
    this.push(this.#chunks++ < this.#chunksMax ? this.#chunk : null)
  }

  override _write(_chunk: Uint8Array, _encoding: string, done: () => void): void {
    done()
  }
}

test('bytes pass both ways, from the first on, and are counted', async (t) => {
  const far = await startFar(t)
  const { dial, connections } = await startNear(t, { brokers: () => [far.address] })
  const client = await dial()
  const broker = await far.accepted()
  assert.deepEqual([...(await take(broker, 3))], [0, 1, 2])
  broker.write('answer')
  assert.equal(String(await take(client, 6)), 'answer')
  client.write('more')
  assert.equal(String(await take(broker, 4)), 'more')
  const [connection] = connections.from(0)
  assert.equal(connection?.protocol, 'kafka')
  assert.deepEqual([connection?.bytes.bytesIn, connection?.bytes.bytesOut], [7, 6])
  assert.equal(connections.count.kafka, 1)
})

test('brokers that do not answer are passed over; they take turns', async (t) => {
  const one = await startFar(t)
  const two = await startFar(t)
  const { dial, reports } = await startNear(t, { brokers: () => [gone, one.address, two.address] })
  for (let round = 0; round < 3; round++) await dial()
  // From the first on (which is gone), from the second on, from the third on.
  await one.accepted(1)
  await two.accepted(0)
  assert.deepEqual([one.sockets.length, two.sockets.length, reports], [2, 1, []])
})

test('a broker that is named twice has no more of them than another', async (t) => {
  const one = await startFar(t)
  const two = await startFar(t)
  const brokers = () => [one.address, two.address, { ...one.address }]
  const { dial } = await startNear(t, { brokers })
  for (let round = 0; round < 6; round++) await dial()
  const servers = [one.server, two.server]
  while (one.sockets.length + two.sockets.length < 6) {
    await Promise.race(servers.map((server) => once(server, 'connection')))
  }
  assert.deepEqual([one.sockets.length, two.sockets.length], [3, 3])
})

test('where none answers the connection is closed, and why is reported', async (t) => {
  const { dial, reports, connections } = await startNear(t, { brokers: () => [gone] })
  const client = await dial()
  await once(client.resume(), 'close')
  assert.match(
    reports[0] ?? '',
    /^kafka 127\.0\.0\.1:\d+: closed: no broker .*127\.0\.0\.1:1: .*REFUSED/,
  )
  assert.match(connections.notes[0]?.text ?? '', /no broker/)
  assert.equal(connections.count.kafka, 0)
})

test('a broker that takes a connection and says nothing is given up', async (t) => {
  // It never shakes hands.
  const silent = await startFar(t)
  const { dial, reports } = await startNear(t, {
    brokers: () => [silent.address],
    tls: { ca: certificate },
    dialMs: 50,
  })
  const client = await dial()
  await once(client.resume(), 'close')
  assert.match(reports[0] ?? '', /no answer in 50 ms$/)
})

test('a cluster over TLS is dialled over TLS, and has to be trusted', async (t) => {
  const far = await startFar(t, createTlsServer({ cert: certificate, key: privateKey }))
  const trusting = await startNear(t, { brokers: () => [far.address], tls: { ca: certificate } })
  await trusting.dial()
  await once(far.server, 'secureConnection')
  assert.deepEqual([...(await take(await far.accepted(), 3))], [0, 1, 2])
  const wary = await startNear(t, { brokers: () => [far.address], tls: {} })
  await once((await wary.dial()).resume(), 'close')
  assert.match(wary.reports[0] ?? '', /self-signed certificate/)
})

test('what a side has said is passed on before the other is ended', async (t) => {
  const far = await startFar(t)
  const { dial, connections } = await startNear(t, { brokers: () => [far.address] })
  const last = Buffer.alloc(1 << 20, 7)
  const client = await dial()
  const broker = await far.accepted()
  client.end(last)
  let length = 0
  broker.on('data', (chunk: Buffer) => {
    length += chunk.length
  })
  await once(broker, 'close')
  assert.equal(length, last.length + 3)

  const other = await dial()
  const second = await far.accepted(1)
  second.end(last)
  length = 0
  other.on('data', (chunk: Buffer) => {
    length += chunk.length
  })
  await once(other, 'close')
  assert.equal(length, last.length)
  while (connections.count.kafka > 0) await new Promise(setImmediate)
})

test('a client that does not read stops the broker', async (t) => {
  const far = await startFar(t)
  const { tunnel, dial } = await startNear(t, { brokers: () => [far.address] })
  const client = new Reluctant()
  const held = once(client, 'held')
  tunnel.accept(client as unknown as Socket, Uint8Array.of(0, 1, 2))
  const broker = await far.accepted()
  const total = 16 << 20
  broker.end(Buffer.alloc(total))
  await held
  // In the turns that these round trips take, whatever is not stopped is read on.
  const other = await dial()
  const echo = await far.accepted(1)
  echo.pipe(echo)
  await take(other, 3)
  for (let round = 0; round < 100; round++) {
    other.write('.')
    await take(other, 1)
  }
  const kept = client.writableLength
  assert.ok(kept <= 2 * chunkBytes, `${kept} bytes are kept`)
  client.takeAll()
  await once(client, 'close')
  assert.equal(client.taken, total)
})

test('a broker that does not read stops the client', async (t) => {
  const far = await startFar(t)
  const { tunnel } = await startNear(t, { brokers: () => [far.address] })
  const total = 512 << 20
  const client = new Talkative(total)
  tunnel.accept(client as unknown as Socket, Uint8Array.of(0, 1, 2))
  // All of it was taken, or no more for now.
  await Promise.race([once(client, 'pause'), once(client, 'end')])
  assert.ok(client.isPaused())
  const broker = await far.accepted()
  const resumed = once(client, 'resume')
  broker.resume()
  await resumed
  client.destroy()
  await once(broker, 'close')
})

test('what is said to a side that is gone is dropped, and the other is ended', async (t) => {
  const clock = new ManualClock()
  const far = await startFar(t)
  const { dial, connections } = await startNear(t, { brokers: () => [far.address], clock })
  const client = await dial()
  const broker = await far.accepted()
  await take(broker, 3)
  // It has more to say than the sockets hold.
  broker.end(Buffer.alloc(64 << 20))
  await once(client, 'readable')
  client.destroy()
  await once(broker.resume(), 'close')
  while (connections.count.kafka > 0) await new Promise(setImmediate)
})

test('a tunnel in which nothing moves is ended, one that is used is not', async (t) => {
  const clock = new ManualClock()
  const far = await startFar(t)
  const { dial, connections } = await startNear(t, {
    brokers: () => [far.address],
    clock,
    idleMs: 1000,
  })
  const idle = await dial()
  const idleEnded = once(idle.resume(), 'close')
  await far.accepted()
  const used = await dial()
  const broker = await far.accepted(1)
  await take(broker, 3)
  for (let step = 0; step < 8; step++) {
    used.write('.')
    await take(broker, 1)
    await clock.advance(250)
  }
  await idleEnded
  assert.equal(connections.count.kafka, 1)
  used.write('!')
  assert.equal(String(await take(broker, 1)), '!')
})

test('a client that goes away while a broker is dialled leaves nothing', async (t) => {
  const silent = await startFar(t)
  const { dial, connections, reports } = await startNear(t, {
    brokers: () => [silent.address],
    tls: {},
  })
  const client = await dial()
  const broker = await silent.accepted()
  client.destroy()
  await once(broker.resume(), 'close')
  assert.deepEqual([connections.count.kafka, reports], [0, []])
})

test('the end of the port ends all of them', async (t) => {
  const far = await startFar(t)
  const { dial, tunnel, connections } = await startNear(t, { brokers: () => [far.address] })
  const client = await dial()
  const broker = await far.accepted()
  await take(broker, 3)
  const ended = [once(client.resume(), 'close'), once(broker.resume(), 'close')]
  await Promise.all([tunnel.close(), ...ended])
  assert.equal(connections.count.kafka, 0)
})
