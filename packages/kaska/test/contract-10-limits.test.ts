/**
 * Contract 10: no fixed limit on topics, clients or stored messages: memory per idle topic is small
 * and measured, and open files are bounded by a cache, not by the number of topics. (Idle connections:
 * contract-10-connections.test.ts.)
 */
import assert from 'node:assert/strict'
import { fork } from 'node:child_process'
import { once } from 'node:events'
import { mkdtemp, readdir, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import path from 'node:path'
import process from 'node:process'
import { suite, test } from 'node:test'
import { fileURLToPath } from 'node:url'
import { type TopicInfo, topicNameOf } from '@kaska/protocol'
import { createBroker } from '../src/broker.ts'
import { openNodeDisk } from '../src/host/node-disk.ts'
import type { Disk } from '../src/log/disk.ts'
import { batchOf, context } from './batches.ts'
import type { ManyTopics } from './many-topics.ts'

async function inDirectory(use: (directory: string) => Promise<void>): Promise<void> {
  const directory = await mkdtemp(path.join(tmpdir(), 'kaska-limits-'))
  try {
    await use(directory)
  } finally {
    await rm(directory, { recursive: true, force: true })
  }
}

suite('contract 10: limits', () => {
  test('100,000 topics take little memory each, and a start with them little time', async (t) => {
    // In a process of its own, whose memory is nobody else's.
    const program = fileURLToPath(new URL('./many-topics.ts', import.meta.url))
    const execArgv = ['--expose-gc', '--conditions=source']
    const child = fork(program, ['100000'], { execArgv })
    const [result] = await once(child, 'message')
    const { createdBytes, startedBytes, createMs, startMs } = result as ManyTopics
    t.diagnostic(
      `an idle topic takes ${createdBytes} bytes, after a restart ${startedBytes}; ` +
        `100,000 are created in ${createMs} ms, and there ${startMs} ms after a start`,
    )
    assert.ok(createdBytes < 500, `${createdBytes} bytes a topic`)
    assert.ok(startedBytes < 500, `${startedBytes} bytes a topic`)
    assert.ok(startMs < 3000, `${startMs} ms`)
  })

  test('1,000 topics that are written and read leave no more files open than the cache has', () =>
    inDirectory(async (data) => {
      const filesBefore = await openFiles()
      const disk = withIdleFiles(await openNodeDisk(data), 512)
      await using broker = await createBroker({ disk, sync: 'os' })
      const { engine } = broker
      const topics: TopicInfo[] = []
      for (let index = 0; index < 1000; index++) {
        const request = { name: topicNameOf(`t${index}`), partitions: 1, config: new Map() }
        topics.push(await engine.createTopic(request, context))
      }
      for (let start = 0; start < topics.length; start += 100) {
        const sends = topics.slice(start, start + 100).map(({ id }) => {
          const part = { topic: id, partition: 0, baseSequence: -1, batch: batchOf(['x']) }
          return engine.send({ producer: undefined, parts: [part] }, context)
        })
        for (const [result] of await Promise.all(sends)) assert.equal(result?.error, undefined)
      }
      const parts = topics.map(({ id }) => ({ topic: id, partition: 0, offset: 0 }))
      const polled = await engine.poll({ parts, waitMs: 0, bytesMax: 1 << 20 }, context)
      assert.equal(polled.batches.length, 1000)
      polled.release()
      const files = (await openFiles()) - filesBefore
      if (process.platform === 'linux') assert.ok(files < 600, `${files} files are open`)
    }))
})

/** The same disk, on which the log keeps at most so many files open that nobody uses. */
function withIdleFiles(disk: Disk, idleFilesMax: number): Disk {
  return new Proxy(disk, {
    get: (target, name) => {
      if (name === 'idleFilesMax') return idleFilesMax
      const member: unknown = Reflect.get(target, name, target)
      return typeof member === 'function' ? member.bind(target) : member
    },
  })
}

/** How many files this process has open; 0 where the system does not tell. */
async function openFiles(): Promise<number> {
  if (process.platform !== 'linux') return 0
  return (await readdir('/proc/self/fd')).length
}
