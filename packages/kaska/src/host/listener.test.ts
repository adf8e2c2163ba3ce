import assert from 'node:assert/strict'
import { once } from 'node:events'
import { connect } from 'node:net'
import { type TestContext, test } from 'node:test'
import { AddressInUseError, InvalidArgumentError, type Transport } from '@kaska/protocol'
import { ManualClock } from '../../../../sim/manual-clock.ts'
import { certificate, privateKey } from '../../../client/test/test-certificate.ts'
import { listen, overSockets } from './listener.ts'
import { createTlsPort } from './tls-port.ts'

/** A protocol that begins with this byte, and says its name to whoever speaks it. */
function echo(name: string, byte: number) {
  const bytes: Uint8Array[] = []
  const transports: Transport[] = []
  const protocol = {
    name,
    matches: (first: number) => first === byte,
    accept: (transport: Transport) => {
      transports.push(transport)
      return {
        received: (chunk: Uint8Array) => {
          bytes.push(chunk)
          transport.write([new TextEncoder().encode(`${name}:${chunk.length};`)])
        },
        closed: () => {},
      }
    },
    close: () => Promise.resolve(),
  }
  return { bytes, transports, protocol }
}

async function start(context: TestContext) {
  const clock = new ManualClock()
  const reports: string[] = []
  const [one, two] = [echo('one', 0x4b), echo('two', 0x47)]
  const listener = await listen({
    host: '127.0.0.1',
    port: 0,
    protocols: [overSockets(one.protocol), overSockets(two.protocol)],
    clock,
    report: (line) => reports.push(line),
    firstByteMs: 1000,
  })
  context.after(async () => {
    await listener.close()
    for (const transport of [...one.transports, ...two.transports]) transport.destroy()
  })
  const dial = async () => {
    const socket = connect({ port: listener.port, host: '127.0.0.1' })
    socket.on('error', () => {})
    context.after(() => socket.destroy())
    await once(socket, 'connect')
    return socket
  }
  return { listener, reports, clock, dial, one, two }
}

test('the first byte tells the protocol, which is given all that was read', async (context) => {
  const { dial, one, two } = await start(context)
  const [a, b] = [await dial(), await dial()]
  a.write('KSK')
  b.write('GET')
  assert.equal(String(await once(a, 'data')), 'one:3;')
  assert.equal(String(await once(b, 'data')), 'two:3;')
  a.write('more')
  assert.equal(String(await once(a, 'data')), 'one:4;')
  assert.equal(one.transports[0]?.remoteAddress, `127.0.0.1:${a.localPort}`)
  assert.equal(two.bytes.length, 1)
})

test('a byte that nobody knows, and silence, close the connection', async (context) => {
  const { dial, reports, clock } = await start(context)
  const unknown = await dial()
  unknown.write(new Uint8Array([0xff, 1, 2]))
  await once(unknown, 'close')
  assert.match(reports.join(), /no protocol begins with 0xff/)
  const [silent, reset] = [await dial(), await dial()]
  reset.resetAndDestroy()
  await once(reset, 'close')
  // The listener hears of a connection only after the dialler does.
  while (clock.waiting < 3) await new Promise((resolve) => setImmediate(resolve))
  await clock.advance(1000)
  await once(silent, 'close')
  assert.match(reports.join(), /it has sent nothing/)
})

test('a port in use is an error that names it and the way out', async (context) => {
  const { listener } = await start(context)
  const { port } = listener
  const again = listen({
    host: '127.0.0.1',
    port,
    protocols: [],
    clock: new ManualClock(),
    report: () => {},
  })
  await assert.rejects(again, (error) => {
    assert(error instanceof AddressInUseError)
    assert.match(error.message, new RegExp(`port ${port} .*another port with --port`))
    return true
  })
})

test('an address that is not of this machine is refused', async () => {
  const nowhere = listen({
    host: '203.0.113.1',
    port: 0,
    protocols: [],
    clock: new ManualClock(),
    report: () => {},
  })
  await assert.rejects(nowhere, InvalidArgumentError)
})

test('closing takes no more connections, and leaves those of the protocols to them', async (context) => {
  const { listener, dial } = await start(context)
  const [taken, undecided] = [await dial(), await dial()]
  taken.write('K')
  await once(taken, 'data')
  await listener.close()
  await once(undecided, 'close')
  taken.write('still')
  assert.equal(String(await once(taken, 'data')), 'one:5;')
  await assert.rejects(dial())
})

test('a handshake that takes long, or was begun when it closes, is ended', async (context) => {
  const clock = new ManualClock()
  const reports: string[] = []
  const report = (line: string) => void reports.push(line)
  const identity = { cert: certificate, key: privateKey }
  const listener = await listen({
    host: '127.0.0.1',
    port: 0,
    protocols: [],
    clock,
    report,
    tls: createTlsPort(identity, { clock, report, handshakeMs: 500 }),
  })
  context.after(() => listener.close())
  const hello = async () => {
    const socket = connect({ port: listener.port, host: '127.0.0.1' })
    context.after(() => socket.destroy())
    socket.write(new Uint8Array([0x16, 3, 1]))
    await once(socket, 'connect')
    return socket
  }
  // Of each connection there are two timers by then: for its first byte, and for its handshake.
  const timers = async (count: number) => {
    while (clock.waiting < count) await new Promise((resolve) => setImmediate(resolve))
  }
  const slow = await hello()
  await timers(2)
  await clock.advance(500)
  await once(slow, 'close')
  assert.match(reports.join(), /TLS handshake took longer than 500 ms/)
  const before = clock.waiting
  const last = await hello()
  await timers(before + 2)
  await listener.close()
  await once(last, 'close')
})
