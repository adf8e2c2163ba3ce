/**
 * A client and the process that it runs in: somebody who waits keeps the process running, and a
 * client that is closed, or that nobody waits for, lets it end.
 */
import assert from 'node:assert/strict'
import { spawn } from 'node:child_process'
import { once } from 'node:events'
import path from 'node:path'
import process from 'node:process'
import { test } from 'node:test'
import { startBroker } from '../src/testing.ts'
import { FaultyProxy } from './faulty-proxy.ts'

/** Runs a program of its own; what it printed, and how it ended. */
async function run(program: string): Promise<{ out: string; code: number | null; ms: number }> {
  const start = performance.now()
  const child = spawn(
    process.execPath,
    ['--conditions=source', '--input-type=module', '--eval', program],
    { cwd: path.resolve(import.meta.dirname, '..'), stdio: ['ignore', 'pipe', 'inherit'] },
  )
  let out = ''
  child.stdout.on('data', (chunk) => {
    out += chunk
  })
  const [code] = await once(child, 'close')
  return { out, code, ms: performance.now() - start }
}

test('it ends when the client is closed', async () => {
  await using kaska = await startBroker({ topics: [{ name: 'orders' }] })
  const { out, code, ms } = await run(`
    import { connect } from '@kaska/client'
    const client = await connect('${kaska.url}')
    await client.subscribe(['orders'])
    client.poll({ timeoutMs: 60000 }).catch((error) => console.log(error.code))
    await client.send('orders', 'x')
    client.send('orders', 'y').then(({ offset }) => console.log(offset))
    await client.close()
    console.log('closed')
  `)
  assert.deepEqual([out.trim().split('\n').sort(), code], [['1', 'CLOSED', 'closed'], 0])
  // Not when the poll's time is up.
  assert.ok(ms < 30_000, `${ms}`)
})

test('a poll that waits keeps it running, also without a socket', async () => {
  const { out, code } = await run(`
    import { connect } from '@kaska/client'
    import { createBroker } from 'kaska'
    const broker = await createBroker({ memory: true, topics: [{ name: 'orders' }] })
    const client = await connect(broker)
    await client.subscribe(['orders'])
    console.log(await client.poll({ timeoutMs: 300 }))
    await client.send('orders', 'x')
    console.log((await client.poll()).offset)
    await broker.close()
  `)
  assert.deepEqual([out, code], ['undefined\n0\n', 0])
})

test('a send that waits for a connection keeps it running', async () => {
  await using kaska = await startBroker({ topics: [{ name: 'orders' }] })
  await using proxy = await FaultyProxy.start(kaska.port)
  const running = run(`
    import { connect } from '@kaska/client'
    const client = await connect('${proxy.url}', { deliveryTimeoutMs: 3000 })
    await client.send('orders', 'x')
    console.log('sent')
    for (;;) {
      try {
        await client.send('orders', 'y')
      } catch (error) {
        console.log(error.code)
        break
      }
    }
    await client.close()
  `)
  while ((await endOf(kaska)) < 10) await new Promise((resolve) => setImmediate(resolve))
  proxy.refuse(true)
  proxy.cut()
  assert.deepEqual(await running.then(({ out, code }) => [out, code]), [
    'sent\nDELIVERY_TIMEOUT\n',
    0,
  ])
})

async function endOf(kaska: Awaited<ReturnType<typeof startBroker>>): Promise<number> {
  const { connect } = await import('@kaska/client')
  await using client = await connect(kaska.broker)
  return await client.endOffset('orders')
}
