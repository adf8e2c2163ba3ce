/**
 * Contract 4: a client commits an offset for (client name, topic) in the broker, and reads it back
 * after its own restart and after the broker's, also after `kill -9`. The store of offsets stays small
 * however often is committed.
 */
import assert from 'node:assert/strict'
import { once } from 'node:events'
import { mkdtemp, readdir, rm, stat } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import path from 'node:path'
import { suite, test } from 'node:test'
import { connect } from '@kaska/client'
import { topicNameOf } from '@kaska/protocol'
import { SeededRandom } from '../../../sim/seeded-random.ts'
import { SimulatedDisk } from '../../../sim/simulated-disk.ts'
import { createBroker } from '../src/broker.ts'
import { context } from './batches.ts'
import { start } from './cli-process.ts'

async function inDirectory(use: (directory: string) => Promise<void>): Promise<void> {
  const directory = await mkdtemp(path.join(tmpdir(), 'kaska-commits-'))
  try {
    await use(directory)
  } finally {
    await rm(directory, { recursive: true, force: true })
  }
}

/** Starts `kaska serve` on a directory; resolves with its URL, and with the means to kill it. */
async function serve(data: string): Promise<{ url: string; kill: () => Promise<void> }> {
  const child = start(['serve', '--port', '0', '--data', data])
  let said = ''
  let url: string | undefined
  while (url === undefined) {
    assert.ok(child.stdout !== null)
    const [chunk] = await once(child.stdout, 'data')
    said += String(chunk)
    url = /kaska:\/\/\S+:\d+/.exec(said)?.[0]
  }
  const kill = async () => {
    const exited = once(child, 'exit')
    child.kill('SIGKILL')
    await exited
  }
  return { url, kill }
}

async function bytesIn(directory: string): Promise<number> {
  let bytes = 0
  for (const entry of await readdir(directory, { recursive: true, withFileTypes: true })) {
    if (entry.isFile()) bytes += (await stat(path.join(entry.parentPath, entry.name))).size
  }
  return bytes
}

suite('contract 4: committed offsets', () => {
  test("are there after the client's restart, and after kill -9 of the broker", () =>
    inDirectory(async (data) => {
      const first = await serve(data)
      {
        await using client = await connect(first.url)
        await client.createTopic('orders', { partitions: 2 })
        assert.equal(await client.committed('billing', 'orders'), undefined)
        await client.commit('billing', 'orders', 5)
        await client.commit('billing', 'orders', 9, 1)
        await client.commit('shipping', 'orders', 1)
      }
      {
        await using client = await connect(first.url)
        assert.equal(await client.committed('billing', 'orders'), 5)
        await client.commit('billing', 'orders', 7)
      }
      await first.kill()
      const second = await serve(data)
      {
        await using client = await connect(second.url)
        assert.equal(await client.committed('billing', 'orders'), 7)
        assert.equal(await client.committed('billing', 'orders', 1), 9)
        assert.equal(await client.committed('shipping', 'orders'), 1)
        assert.equal(await client.committed('nobody', 'orders'), undefined)
      }
      await second.kill()
    }))

  test('never go back when the power fails, whatever was acknowledged is there', async () => {
    for (let seed = 0; seed < 10; seed++) {
      const disk = new SimulatedDisk(new SeededRandom(seed))
      const first = await createBroker({ disk, topics: [{ name: 't' }] })
      const [topic] = await first.engine.resolve([topicNameOf('t')], context)
      assert.ok(topic !== undefined)
      let acknowledged = 0
      const commits = Array.from({ length: 50 }, (_, index) => {
        const entry = { topic: topic.id, partition: 0, offset: index + 1 }
        return first.engine.commit('g', [entry], context).then(() => {
          acknowledged = index + 1
        })
      })
      await Promise.race(commits)
      disk.crash()
      await using second = await createBroker({ disk })
      const committed = await second.engine.committed('g', topic.id, 0, context)
      assert.ok(acknowledged > 0)
      assert.ok((committed ?? 0) >= acknowledged, `${committed} of ${acknowledged}`)
    }
  })

  test('many commits by ten names leave little, and start as fast as none', (t) =>
    inDirectory(async (data) => {
      const commits = 120_000
      const first = await createBroker({ data, sync: 'os', topics: [{ name: 't' }] })
      const [topic] = await first.engine.resolve([topicNameOf('t')], context)
      assert.ok(topic !== undefined)
      for (let offset = 0; offset < commits; ) {
        const under: Promise<void>[] = []
        for (let count = 0; count < 2000; count++, offset++) {
          const entry = { topic: topic.id, partition: 0, offset }
          under.push(first.engine.commit(`name-${offset % 10}`, [entry], context))
        }
        await Promise.all(under)
      }
      await first.close()
      const bytes = await bytesIn(path.join(data, 'state', 'offsets'))
      const started = performance.now()
      await using second = await createBroker({ data })
      const ms = performance.now() - started
      t.diagnostic(`${commits} commits leave ${bytes} bytes; a start takes ${ms.toFixed(0)} ms`)
      assert.ok(bytes < 10_000_000, `${bytes} bytes`)
      for (let name = 0; name < 10; name++) {
        const committed = await second.engine.committed(`name-${name}`, topic.id, 0, context)
        assert.equal(committed, commits - 10 + name)
      }
    }))
})
