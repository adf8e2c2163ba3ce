/**
 * Two brokers cannot open one directory, and the lock dies with its process: also after `kill -9`, also
 * where every process has the same id, as the first process of each container has.
 */
import assert from 'node:assert/strict'
import { type ChildProcess, spawn, spawnSync } from 'node:child_process'
import { once } from 'node:events'
import process from 'node:process'
import { test } from 'node:test'
import { connect } from '@kaska/client'
import { binary, result, run, ServeProcess, said, temporaryDirectory } from './cli-process.ts'

test('a second broker is refused, and the first one goes on', async () => {
  await using directory = await temporaryDirectory()
  const serve = ['--data', directory.path]
  await using broker = await ServeProcess.start(serve)
  const client = await connect(broker.url)
  await client.createTopic('orders')
  const { code, stderr, stdout } = await run(['serve', '--port', '0', ...serve])
  assert.equal(code, 1)
  assert.equal(stdout, '')
  assert.match(stderr, /^kaska: [^\n]*\n$/)
  assert.ok(stderr.includes(directory.path), stderr)
  assert.equal((await client.send('orders', 'still here')).offset, 0)
  await client.close()
})

test('the lock dies with kill -9, and is free at once', async () => {
  await using directory = await temporaryDirectory()
  const serve = ['--data', directory.path]
  for (let round = 0; round < 3; round++) {
    await using broker = await ServeProcess.start(serve)
    await broker.stop('SIGKILL')
  }
})

const unshare = ['--pid', '--fork', '--kill-child', '--mount-proc']
const canUnshare = spawnSync('unshare', [...unshare, 'true']).status === 0

test('the lock holds where every process has the same id', {
  skip: !canUnshare && 'this user, or this system, cannot make process namespaces',
}, async (t) => {
  await using directory = await temporaryDirectory()
  const children: ChildProcess[] = []
  const startAlone = (): ChildProcess => {
    const serve = ['serve', '--port', '0', '--data', directory.path]
    const child = spawn('unshare', [...unshare, process.execPath, binary, ...serve])
    children.push(child)
    return child
  }
  t.after(() => {
    for (const child of children) child.kill('SIGKILL')
  })
  const first = startAlone()
  await said(first, 'stdout', /ready on/)
  const refused = await result(startAlone())
  assert.equal(refused.code, 1)
  assert.ok(refused.stderr.includes(directory.path), refused.stderr)
  const closed = once(first, 'close')
  // With --kill-child the broker, process 1 of its namespace, is killed too.
  first.kill('SIGKILL')
  await closed
  const second = startAlone()
  await said(second, 'stdout', /ready on/)
})
