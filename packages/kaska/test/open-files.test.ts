/** Connections without end leave the logs the files that they have to open. */
import assert from 'node:assert/strict'
import { once } from 'node:events'
import { connect as connectSocket, type Socket } from 'node:net'
import process from 'node:process'
import { type TestContext, test } from 'node:test'
import { type Client, connect } from '@kaska/client'
import { ServeProcess, temporaryDirectory } from './cli-process.ts'

const openFiles = 200
/** Three quarters, without what the process has open for itself. */
const connectionsMax = 86

test('more connections than there may be files take no partition offline', {
  skip: process.platform === 'linux' ? false : 'only Linux tells how many files may be open',
}, async (t) => {
  await using data = await temporaryDirectory()
  const options = ['--data', data.path, '--sync', 'os']
  await using broker = await ServeProcess.start(options, { openFiles })
  await using client = await connect(broker.url)
  await client.createTopic('first')
  const crowd = await crowdOf(openFiles + 100, broker.port, t)
  assert.equal(await crowd.refused, openFiles + 100 - (connectionsMax - 1))
  for (let topic = 0; topic < 30; topic++) {
    await client.createTopic(`topic-${topic}`)
    assert.equal((await client.send(`topic-${topic}`, 'hello')).offset, 0)
  }
  assert.match(broker.stderr, /there are 86 connections; .*ulimit -n/)
  // Who comes when the broker has seen them go is welcome.
  await crowd.leave()
  await using late = await connectAtLast(broker.url)
  assert.equal((await late.topics()).length, 31)
})

/** Opens so many connections; `refused`: how many the broker closes. */
async function crowdOf(count: number, port: number, t: TestContext) {
  const sockets: Socket[] = []
  let closed = 0
  const { promise: refused, resolve } = Promise.withResolvers<number>()
  for (let index = 0; index < count; index++) {
    const socket = connectSocket({ port, host: '127.0.0.1' })
    sockets.push(socket)
    socket.on('error', () => {})
    socket.on('close', () => {
      closed++
      if (closed === count - (connectionsMax - 1)) resolve(closed)
    })
  }
  const leave = async () => {
    const left = sockets.filter((socket) => !socket.closed)
    await Promise.all(left.map((socket) => once(socket.destroy(), 'close')))
  }
  t.after(leave)
  return { refused, leave }
}

async function connectAtLast(url: string): Promise<Client> {
  for (;;) {
    try {
      return await connect(url)
    } catch {}
  }
}
