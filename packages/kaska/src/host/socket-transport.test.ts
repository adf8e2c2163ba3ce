import assert from 'node:assert/strict'
import { once } from 'node:events'
import { type AddressInfo, connect, createServer, type Socket } from 'node:net'
import { type TestContext, test } from 'node:test'
import tls from 'node:tls'
import { certificate, privateKey } from '../../../client/test/test-certificate.ts'
import { formatAddress, SocketTransport } from './socket-transport.ts'

/** A transport over an accepted socket, and the socket at the other end. */
async function pair(context: TestContext) {
  const server = createServer({ noDelay: true })
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')
  const address = server.address()
  assert(typeof address === 'object' && address !== null)
  const far = connect({ port: address.port, host: '127.0.0.1' })
  const [near] = (await once(server, 'connection')) as [Socket]
  server.close()
  const transport = new SocketTransport(near)
  const received: Uint8Array[] = []
  const closed = new Promise<Error | undefined>((resolve) => {
    transport.attach({ received: (chunk) => received.push(chunk), closed: resolve })
  })
  context.after(() => {
    far.destroy()
    near.destroy()
  })
  return { transport, near, far, received, closed }
}

/** Counts the system calls that Node makes for what is written to a socket. */
function countWrites(socket: Socket): number[] {
  const writes: number[] = []
  const inner = socket as unknown as {
    _write(chunk: Uint8Array, encoding: string, done: () => void): void
    _writev(chunks: unknown[], done: () => void): void
  }
  const [write, writev] = [inner._write, inner._writev]
  inner._write = (chunk, encoding, done) => {
    writes.push(1)
    write.call(socket, chunk, encoding, done)
  }
  inner._writev = (chunks, done) => {
    writes.push(chunks.length)
    writev.call(socket, chunks, done)
  }
  return writes
}

test('all that is written in one turn leaves in one gathered write', async (context) => {
  const { transport, near, far } = await pair(context)
  const writes = countWrites(near)
  const sent: number[] = []
  transport.write([new Uint8Array([1]), new Uint8Array([2, 3])], () => sent.push(1))
  transport.write([new Uint8Array([4])])
  await Promise.resolve().then(() => Promise.resolve())
  transport.write([new Uint8Array([5, 6])], () => sent.push(2))
  assert.equal(transport.unsentBytes, 6)
  const [bytes] = (await once(far, 'data')) as [Uint8Array]
  assert.deepEqual([...bytes], [1, 2, 3, 4, 5, 6])
  assert.deepEqual(writes, [4])
  transport.write([new Uint8Array([7])], () => sent.push(3))
  await once(far, 'data')
  assert.deepEqual(writes, [4, 1])
  assert.deepEqual(sent, [1, 2, 3])
  assert.equal(transport.unsentBytes, 0)
})

test('what leaves of a long write is seen while it is under way', async (context) => {
  const { transport, far } = await pair(context)
  far.pause()
  const length = 64 * 1024 * 1024
  const sent = new Promise<void>((resolve) => transport.write([new Uint8Array(length)], resolve))
  transport.write([new Uint8Array(10)])
  await new Promise((resolve) => setImmediate(resolve))
  const before = transport.unsentBytes
  assert(before > 0 && before < length)
  far.resume()
  // The kernel's buffers take some megabytes before more leaves.
  for (let read = 0; read < length / 2; ) {
    const [chunk] = (await once(far, 'data')) as [Uint8Array]
    read += chunk.length
  }
  assert(transport.unsentBytes < before)
  await sent
})

test('every write is told that it is over, also when the connection dies', async (context) => {
  const { transport, far, closed } = await pair(context)
  far.pause()
  let sent = 0
  const count = () => {
    sent++
  }
  transport.write([new Uint8Array(64 * 1024 * 1024)], count)
  await new Promise((resolve) => setImmediate(resolve))
  transport.write([new Uint8Array(10)], count)
  assert.equal(sent, 0)
  transport.destroy()
  await closed
  assert.equal(sent, 2)
  transport.write([new Uint8Array(10)], count)
  await new Promise((resolve) => setImmediate(resolve))
  assert.equal(sent, 3)
})

test('end sends what was written, and takes nothing more', async (context) => {
  const { transport, far, closed } = await pair(context)
  const chunks: Uint8Array[] = []
  far.on('data', (chunk: Uint8Array) => chunks.push(chunk))
  transport.write([new Uint8Array(3_000_000)])
  transport.end()
  transport.write([new Uint8Array(1)])
  await once(far, 'end')
  assert.equal(
    chunks.reduce((sum, { length }) => sum + length, 0),
    3_000_000,
  )
  assert.equal(await closed, undefined)
})

test('what the peer sends waits while the transport is paused', async (context) => {
  const { transport, far, received } = await pair(context)
  transport.pause()
  far.write('hello')
  far.write('world')
  await new Promise((resolve) => far.write('!', resolve))
  assert.equal(received.length, 0)
  transport.resume()
  far.end()
  await once(far, 'close')
  assert.equal(Buffer.concat(received).toString(), 'helloworld!')
})

test('an address is written so that people know it', () => {
  assert.equal(formatAddress('127.0.0.1', 9092), '127.0.0.1:9092')
  assert.equal(formatAddress('::ffff:10.0.0.1', 1), '10.0.0.1:1')
  assert.equal(formatAddress('::1', 9092), '[::1]:9092')
  assert.equal(formatAddress(undefined, undefined), 'unknown')
})

test('over TLS a long write leaves in parts, and is seen leaving', async (context) => {
  const server = tls.createServer({ cert: certificate, key: privateKey })
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')
  const { port } = server.address() as AddressInfo
  const far = tls.connect({ port, host: '127.0.0.1', ca: certificate })
  const [near] = (await once(server, 'secureConnection')) as [tls.TLSSocket]
  server.close()
  context.after(() => {
    far.destroy()
    near.destroy()
  })
  const transport = new SocketTransport(near)
  transport.attach({ received: () => {}, closed: () => {} })
  far.pause()
  const long = new Uint8Array(48 * 1024 * 1024).map((_, index) => index % 251)
  const small = Array.from({ length: 5000 }, (_, index) => Uint8Array.of(index & 0xff, 7))
  let isSent = false
  transport.write([long.subarray(0, 1000), ...small, long.subarray(1000)], () => {
    isSent = true
  })
  const last = new Promise<void>((resolve) => transport.write([Uint8Array.of(1, 2, 3)], resolve))
  const total = long.length + 10_000 + 3
  assert.equal(transport.unsentBytes, total)
  await new Promise((resolve) => setImmediate(resolve))
  // No more of it is encrypted than leaves.
  assert.ok(near.writableLength <= 256 * 1024)
  const received: Uint8Array[] = []
  let length = 0
  let seen = 0
  let before = transport.unsentBytes
  far.on('data', (chunk: Uint8Array) => {
    received.push(chunk)
    length += chunk.length
    if (transport.unsentBytes < before) seen++
    before = transport.unsentBytes
  })
  far.resume()
  while (length < total) await once(far, 'data')
  await last
  assert.ok(isSent && seen > 3, `seen ${seen} times`)
  assert.equal(transport.unsentBytes, 0)
  const expected = [long.subarray(0, 1000), ...small, long.subarray(1000), Uint8Array.of(1, 2, 3)]
  assert.ok(Buffer.concat(received).equals(Buffer.concat(expected)))
})
