/** A process may have so many files and sockets open: what a broker does with few. */
import assert from 'node:assert/strict'
import { once } from 'node:events'
import { connect as connectSocket } from 'node:net'
import process from 'node:process'
import { type TestContext, test } from 'node:test'
import { type Client, connect } from '@kaska/client'
import { ServeProcess, temporaryDirectory } from './cli-process.ts'

const openFiles = 200
/** Three quarters, without what the process has open for itself. */
const connectionsMax = 86
const skip = process.platform === 'linux' ? false : 'only Linux tells how many files may be open'

test('more connections than there may be files take no partition offline', { skip }, async (t) => {
  await using data = await temporaryDirectory()
  const options = ['--data', data.path, '--sync', 'os']
  await using broker = await ServeProcess.start(options, { openFiles })
  await using client = await connect(broker.url)
  await client.createTopic('first')
  const crowd = crowdOf(openFiles + 100, broker.port, t)
  await crowd.refused
  for (let topic = 0; topic < 30; topic++) {
    await client.createTopic(`topic-${topic}`)
    assert.equal((await client.send(`topic-${topic}`, 'hello')).offset, 0)
  }
  // The others are there all the time: nobody was closed for another reason.
  assert.equal(crowd.open, connectionsMax - 1)
  assert.match(broker.stderr, /there are 86 connections; .*ulimit -n/)
  // Who comes when the broker has seen them go is welcome.
  await crowd.leave()
  await using late = await connectAtLast(broker.url)
  assert.equal((await late.topics()).length, 31)
})

test('more partitions are written at once than there may be files', { skip }, async () => {
  await using data = await temporaryDirectory()
  await using broker = await ServeProcess.start(['--data', data.path], { openFiles })
  await using client = await connect(broker.url)
  const partitions = 3 * openFiles
  await client.createTopic('wide', { partitions })
  for (let round = 0; round < 2; round++) {
    const sent = Array.from({ length: partitions }, (_, partition) =>
      client.send('wide', { value: 'hello', partition }),
    )
    for (const { offset } of await Promise.all(sent)) assert.equal(offset, round)
  }
  assert.equal(broker.stderr, '')
})

/** Opens so many connections; `refused` resolves when as many are closed as are too many. */
function crowdOf(count: number, port: number, t: TestContext) {
  const { promise: refused, resolve } = Promise.withResolvers<void>()
  let open = count
  const sockets = Array.from({ length: count }, () => {
    const socket = connectSocket({ port, host: '127.0.0.1' })
    socket.on('error', () => {})
    socket.on('close', () => {
      open--
      if (open === connectionsMax - 1) resolve()
    })
    return socket
  })
  const leave = async () => {
    const left = sockets.filter((socket) => !socket.closed)
    await Promise.all(left.map((socket) => once(socket.destroy(), 'close')))
  }
  t.after(leave)
  return {
    refused,
    leave,
    get open() {
      return open
    },
  }
}

async function connectAtLast(url: string): Promise<Client> {
  for (;;) {
    try {
      return await connect(url)
    } catch {}
  }
}
