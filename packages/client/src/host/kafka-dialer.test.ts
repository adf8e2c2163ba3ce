import assert from 'node:assert/strict'
import { execFile } from 'node:child_process'
import { once } from 'node:events'
import { type AddressInfo, createServer, type Socket } from 'node:net'
import path from 'node:path'
import process from 'node:process'
import { type TestContext, test } from 'node:test'
import { setImmediate as turn } from 'node:timers/promises'
import { promisify } from 'node:util'
import { ConnectionError } from '@kaska/protocol'
import { connect } from './connect.ts'
import { createKafkaDialer, kafkaPackage } from './kafka-dialer.ts'

test('where the package is missing, it is said how to install it', async () => {
  const hooks = `
    import { registerHooks } from 'node:module'
    registerHooks({
      resolve(specifier, context, next) {
        if (specifier !== '@platformatic/kafka') return next(specifier, context)
        throw Object.assign(new Error('not there'), { code: 'ERR_MODULE_NOT_FOUND' })
      },
    })`
  const program = `
    import { connect } from ${JSON.stringify(path.join(import.meta.dirname, 'connect.ts'))}
    connect('kafka://127.0.0.1:1').catch(({ code, message }) => console.log(code, message))`
  const { stdout } = await promisify(execFile)(process.execPath, [
    '--conditions=source',
    `--import=data:text/javascript,${encodeURIComponent(hooks)}`,
    '--input-type=module',
    `--eval=${program}`,
  ])
  assert.equal(
    stdout.trim(),
    `INVALID_ARGUMENT kafka:// needs a package that is not installed: npm install ${kafkaPackage}`,
  )
})

test('a cluster of which no broker answers is an error that may be tried again', async () => {
  const never = connect('kafka://127.0.0.1:1,127.0.0.1:2', { connectTimeoutMs: 60_000 })
  await assert.rejects(never, (error) => {
    assert.ok(error instanceof ConnectionError, `${error}`)
    assert.match(error.message, /no broker of the cluster answers: .*ECONNREFUSED/)
    return true
  })
})

const [handshake, versions, authenticate] = [17, 18, 36]

interface SaslBroker {
  readonly address: { readonly host: string; readonly port: number }
  /** The keys of what it was asked, in that order. */
  readonly asked: readonly number[]
  readonly sockets: readonly Socket[]
}

/** A broker that lets anybody in by PLAIN, for so long; `hear` is told of each request before it is answered. */
async function startSaslBroker(
  t: TestContext,
  sessionMs: () => number,
  hear: (asked: readonly number[]) => void = () => {},
): Promise<SaslBroker> {
  const asked: number[] = []
  const sockets: Socket[] = []
  const server = createServer((socket) => {
    sockets.push(socket)
    let bytes = Buffer.alloc(0)
    socket.on('error', () => {})
    socket.on('data', (chunk) => {
      bytes = Buffer.concat([bytes, chunk])
      while (bytes.length >= 4 && bytes.length >= 4 + bytes.readInt32BE()) {
        const frame = bytes.subarray(4, 4 + bytes.readInt32BE())
        bytes = bytes.subarray(4 + frame.length)
        const key = frame.readInt16BE()
        asked.push(key)
        hear(asked)
        const answer = Buffer.concat([
          frame.subarray(4, 8),
          bodyOf(key, frame.readInt16BE(2), sessionMs),
        ])
        const size = Buffer.alloc(4)
        size.writeInt32BE(answer.length)
        socket.write(Buffer.concat([size, answer]))
      }
    })
  })
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')
  t.after(() => {
    for (const socket of sockets) socket.destroy()
    server.close()
  })
  const { port } = server.address() as AddressInfo
  return { address: { host: '127.0.0.1', port }, asked, sockets }
}

function bodyOf(key: number, version: number, sessionMs: () => number): Buffer {
  const body = Buffer.alloc(64)
  let end = body.writeInt16BE(0)
  if (key === versions) {
    end = body.writeInt32BE(3, end)
    for (const [each, max] of [
      [handshake, 1],
      [versions, 1],
      [authenticate, 1],
    ] as const) {
      end = body.writeInt16BE(max, body.writeInt16BE(0, body.writeInt16BE(each, end)))
    }
    if (version > 0) end = body.writeInt32BE(0, end)
  } else if (key === handshake) {
    end = body.writeInt32BE(1, end)
    end = body.writeInt16BE('PLAIN'.length, end)
    end += body.write('PLAIN', end)
  } else {
    end = body.writeInt16BE(-1, end)
    end = body.writeInt32BE(0, end)
    end = body.writeBigInt64BE(BigInt(sessionMs()), end)
  }
  return body.subarray(0, end)
}

function createDialer() {
  const sasl = { mechanism: 'PLAIN', username: 'ada', password: 'x' } as const
  return createKafkaDialer({ clientId: 'test', connectTimeoutMs: 60_000, sasl })
}

const askVersions = { key: versions, version: 0, isFlexible: false }

test('while one shows again who one is, nothing else is asked', async (t) => {
  const dialer = await createDialer()
  let sessions = 0
  const { promise: answered, resolve, reject } = Promise.withResolvers<unknown>()
  const broker = await startSaslBroker(
    t,
    // The first ends at once, the second never.
    () => (sessions++ === 0 ? 1 : 0),
    (asked) => {
      const isAgain = asked.at(-1) === handshake && asked.indexOf(handshake) < asked.length - 1
      if (isAgain) link.request(askVersions, []).then(resolve, reject)
    },
  )
  const link = await dialer.dial(broker.address, new AbortController().signal)
  await answered
  assert.deepEqual(broker.asked, [
    ...[versions, handshake, authenticate],
    ...[handshake, authenticate, versions],
  ])
  assert.equal(link.isClosed, false)
  link.close()
})

test('a connection that has ended, by either side, says so and leaves no timer', async (t) => {
  const dialer = await createDialer()
  const hourMs = 3_600_000
  const broker = await startSaslBroker(t, () => hourMs)
  const timers = () => process.getActiveResourcesInfo().filter((name) => name === 'Timeout').length
  const before = timers()
  const { signal } = new AbortController()
  const ours = await dialer.dial(broker.address, signal)
  assert.equal(timers(), before + 1)
  ours.close()
  assert.equal(ours.isClosed, true)
  assert.equal(timers(), before)
  const theirs = await dialer.dial(broker.address, signal)
  assert.equal(timers(), before + 1)
  broker.sockets.at(-1)?.destroy()
  while (!theirs.isClosed || timers() > before) await turn()
  await assert.rejects(theirs.request(askVersions, []))
})
