/**
 * Contract 12: all of a request, and all of a response, leaves in one gathered write; responses that
 * are ready together may share one. Counted where the session writes, and as system calls by strace.
 */
import assert from 'node:assert/strict'
import { execFileSync } from 'node:child_process'
import { mkdtempSync, readFileSync, rmSync } from 'node:fs'
import { connect as connectSocket } from 'node:net'
import { tmpdir } from 'node:os'
import path from 'node:path'
import process from 'node:process'
import { type TestContext, test } from 'node:test'
import { connect } from '@kaska/client'
import {
  type Chunks,
  createTransportPair,
  joinChunks,
  native,
  noTopicId,
  type Transport,
} from '@kaska/protocol'
import { batchOf } from './batches.ts'
import { startBrokerProcess } from './broker-process.ts'
import { encodeBatch, KafkaTestClient } from './kafka-client.ts'
import { startNativeBroker } from './native-broker.ts'
import { RawClient } from './raw-client.ts'

const { operation } = native
const value = new Uint8Array(5000)

/** The pair's far side, counting what is written to it. */
function counting(transport: Transport, writes: Chunks[]): Transport {
  return {
    remoteAddress: transport.remoteAddress,
    get unsentBytes() {
      return transport.unsentBytes
    },
    write: (chunks, sent) => {
      writes.push(chunks)
      transport.write(chunks, sent)
    },
    pause: () => transport.pause(),
    resume: () => transport.resume(),
    end: () => transport.end(),
    destroy: (reason) => transport.destroy(reason),
  }
}

test('a session makes one write of each response, however many views it has', async () => {
  await using broker = await startNativeBroker()
  const [near, far] = createTransportPair()
  const writes: Chunks[] = []
  far.attach(broker.accept(counting(far, writes)))
  const client = new RawClient({
    write: (chunks) => near.write(chunks),
    destroy: () => near.destroy(),
  })
  near.attach({ received: (chunk) => client.received(chunk), closed: () => {} })
  client.write(new Uint8Array([...native.magic, native.version]))
  const ref = await client.createTopic('x')
  for (let count = 0; count < 20; count++) await client.send(ref, [value, value, value])
  writes.length = 0
  const { batches } = await client.poll(ref, 0)
  assert.equal(batches.length, 20)
  assert.equal(writes.length, 1)
  assert(writes[0] && writes[0].length > 20, 'views, not a copy')

  // Requests that arrive together are answered together.
  writes.length = 0
  const pings = native.encodeRequest(operation.ping, 7)[0] as Uint8Array
  const tags = [7, 7, 7, 7].map((tag) => client.answer(tag))
  client.write(Uint8Array.from([...pings, ...pings, ...pings, ...pings]))
  await tags.at(-1)
  assert.equal(writes.length, 1)
})

/** The system calls on sockets that strace saw, as lines. */
function socketCalls(file: string): string[] {
  return readFileSync(file, 'utf8')
    .split('\n')
    .filter((line) => /(write|writev|sendto|sendmsg)\(\d+<TCP/.test(line) && !/ENOTCONN/.test(line))
}

function straceMissing(): string | false {
  try {
    execFileSync('strace', ['-f', '-e', 'trace=write', '-o', '/dev/null', 'true'], {
      stdio: 'ignore',
    })
    return false
  } catch {
    return 'strace is not here, or may not trace'
  }
}

function traceFile(context: TestContext): string {
  const directory = mkdtempSync(path.join(tmpdir(), 'kaska-strace-'))
  context.after(() => rmSync(directory, { recursive: true }))
  return path.join(directory, 'calls')
}

test('one system call for each response of the broker', {
  skip: straceMissing(),
}, async (context) => {
  const file = traceFile(context)
  const calls = 'trace=write,writev,sendto,sendmsg'
  const broker = await startBrokerProcess({}, ['strace', '-f', '-yy', '-e', calls, '-o', file])
  const rounds = 50
  let requests = 0
  {
    await using client = await connect(`kaska://127.0.0.1:${broker.port}`)
    await client.createTopic('x')
    await client.subscribe(['x'])
    await client.send('x', value)
    await client.poll({ timeoutMs: 1000 })
    requests = (await broker.status()).counters.requests
    for (let round = 0; round < rounds; round++) {
      await client.send('x', { key: value, value, headers: { name: value } })
      await client.poll({ timeoutMs: 1000 })
    }
    requests = (await broker.status()).counters.requests
  }
  await broker.close()
  const lines = socketCalls(file)
  assert(requests >= 2 * rounds)
  assert.equal(lines.length, requests, lines.slice(-5).join('\n'))
  // The polls' answers have views of what was sent, so they are gathered writes.
  assert(lines.filter((line) => line.includes('writev(')).length >= rounds)
})

test('one system call for each request of the client library', {
  skip: straceMissing(),
}, async (context) => {
  const file = traceFile(context)
  await using broker = await startBrokerProcess()
  const calls = 'trace=write,writev,sendto,sendmsg'
  const program = `
    import { connect } from '@kaska/client'
    const client = await connect('kaska://127.0.0.1:${broker.port}')
    await client.createTopic('x')
    const value = new Uint8Array(5000)
    for (let round = 0; round < 50; round++) {
      await client.send('x', { key: value, value, headers: { name: value } })
    }
    await client.close()`
  const node = [process.execPath, '--conditions=source', '--input-type=module', '-e', program]
  execFileSync('strace', ['-f', '-yy', '-e', calls, '-o', file, ...node], {
    cwd: import.meta.dirname,
  })
  const { counters } = await broker.status()
  assert(counters.requests >= 50)
  const lines = socketCalls(file)
  assert.equal(lines.length, counters.requests, lines.slice(0, 5).join('\n'))
})

test("one system call for each response of Kafka's protocol", {
  skip: straceMissing(),
}, async (context) => {
  const file = traceFile(context)
  const calls = 'trace=write,writev,sendto,sendmsg'
  const broker = await startBrokerProcess({}, ['strace', '-f', '-yy', '-e', calls, '-o', file])
  const socket = connectSocket(broker.port, '127.0.0.1')
  const client = new KafkaTestClient((chunks) => socket.write(joinChunks(chunks)))
  socket.on('data', (chunk) => client.received(chunk))
  const wanted = { topics: [{ name: 'x', topicId: noTopicId }], allowAutoTopicCreation: true }
  await client.ask(3, 9, wanted)
  const rounds = 50
  for (let round = 0; round < rounds; round++) {
    const partitionData = [{ index: 0, records: encodeBatch(batchOf([value])) }]
    const topicData = [{ name: 'x', partitionData }]
    await client.ask(0, 9, { transactionalId: null, acks: -1, timeoutMs: 1000, topicData })
    const partitions = [{ partition: 0, fetchOffset: round, partitionMaxBytes: 1 << 20 }]
    const topics = [{ topic: 'x', partitions }]
    await client.ask(1, 12, { maxWaitMs: 1000, minBytes: 1, maxBytes: 1 << 20, topics })
  }
  socket.destroy()
  await broker.close()
  const lines = socketCalls(file)
  assert.equal(lines.length, 1 + 2 * rounds, lines.slice(-5).join('\n'))
  assert(lines.filter((line) => line.includes('writev(')).length >= rounds)
})
