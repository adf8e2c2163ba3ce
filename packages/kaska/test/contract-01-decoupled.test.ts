/**
 * Contract 1: the broker is a single process. Producers and consumers know only topics: neither needs
 * the other alive.
 */
import assert from 'node:assert/strict'
import { readdir, readFile } from 'node:fs/promises'
import process from 'node:process'
import { suite, test } from 'node:test'
import { connect } from '@kaska/client'
import { SeededRandom } from '../../../sim/seeded-random.ts'
import { SimulatedDisk } from '../../../sim/simulated-disk.ts'
import { startBroker } from '../src/testing.ts'
import { result, start } from './cli-process.ts'

suite('contract 1: one process, and clients that know only topics', () => {
  test('a producer that is gone is read by a consumer that comes later, after a restart', async () => {
    const disk = new SimulatedDisk(new SeededRandom(1))
    {
      await using kaska = await startBroker({ disk })
      await using producer = await connect(kaska.url)
      await producer.createTopic('orders')
      await producer.send('orders', 'for whom it may concern')
    }
    await using kaska = await startBroker({ disk })
    await using consumer = await connect(kaska.url)
    await consumer.subscribe(['orders'])
    consumer.seek('orders', 0)
    const message = await consumer.poll({ timeoutMs: 5000 })
    assert.equal(new TextDecoder().decode(message?.value ?? undefined), 'for whom it may concern')
  })

  test('a consumer that waits hears of what a producer sends that comes later', async () => {
    await using kaska = await startBroker({ topics: [{ name: 'orders' }] })
    await using consumer = await connect(kaska.url)
    await consumer.subscribe(['orders'])
    const waiting = consumer.poll({ timeoutMs: 30_000 })
    {
      await using producer = await connect(kaska.url)
      await producer.send('orders', 'now')
    }
    assert.equal((await waiting)?.offset, 0)
  })

  test('the broker has no process beside itself', { skip: noProc() }, async () => {
    const child = start(['serve', '--port', '0', '--memory'])
    await new Promise((resolve) => child.stdout?.once('data', resolve))
    const children: string[] = []
    for (const pid of await readdir('/proc')) {
      if (!/^\d+$/.test(pid)) continue
      const stat = await readFile(`/proc/${pid}/stat`, 'utf8').catch(() => '')
      const parent = stat.slice(stat.lastIndexOf(')') + 2).split(' ')[1]
      if (parent === String(child.pid)) children.push(pid)
    }
    child.kill('SIGTERM')
    const { code } = await result(child)
    assert.deepEqual(children, [])
    assert.equal(code, 0)
  })
})

function noProc(): string | false {
  return process.platform === 'linux' ? false : 'needs /proc to look at the processes'
}
