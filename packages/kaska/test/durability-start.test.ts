/**
 * A start after a kill with 100,000 topics opens only what was being written, and that when it is
 * first used: seen from inside, by a disk that counts, and from outside, by the system calls of the real
 * process.
 */
import assert from 'node:assert/strict'
import { spawn, spawnSync } from 'node:child_process'
import { once } from 'node:events'
import { readFile } from 'node:fs/promises'
import path from 'node:path'
import { performance } from 'node:perf_hooks'
import process from 'node:process'
import { type TestContext, test } from 'node:test'
import { connect } from '@kaska/client'
import { createBroker } from '../src/broker.ts'
import { openNodeDisk } from '../src/host/node-disk.ts'
import type { Disk } from '../src/log/disk.ts'
import { context } from './batches.ts'
import { binary, ServeProcess, said, temporaryDirectory } from './cli-process.ts'

const topicCount = 100_000
const writtenCount = 20

/** A directory with many topics, of which some were written when the process was killed. */
async function killedDirectory(data: string): Promise<void> {
  const script = path.join(import.meta.dirname, 'written-topics.ts')
  const argv = ['--conditions=source', script, data, String(topicCount), String(writtenCount)]
  const child = spawn(process.execPath, argv, { stdio: ['ignore', 'pipe', 'inherit'] })
  await said(child, 'stdout', /written/)
  const closed = once(child, 'close')
  child.kill('SIGKILL')
  await closed
}

/** Counts what is opened and listed, by the first two parts of its path. */
function counting(disk: Disk, counts: Map<string, number>): Disk {
  const count = (name: string): void => {
    const key = name.startsWith('topics/') ? 'a partition' : name
    counts.set(key, (counts.get(key) ?? 0) + 1)
  }
  return new Proxy(disk, {
    get: (target, name) => {
      const member: unknown = Reflect.get(target, name, target)
      if (typeof member !== 'function') return member
      return (...argv: unknown[]) => {
        if (name === 'open' || name === 'list') count(String(argv[0]))
        return member.apply(target, argv)
      }
    },
  })
}

test('a start after a kill with 100,000 topics opens only what was being written', async (t) => {
  await using directory = await temporaryDirectory()
  const data = path.join(directory.path, 'data')
  await killedDirectory(data)
  await inside(t, data)
  await outside(t, data)
})

async function inside(t: TestContext, data: string): Promise<void> {
  const counts = new Map<string, number>()
  const startedAt = performance.now()
  await using broker = await createBroker({ disk: counting(await openNodeDisk(data), counts) })
  t.diagnostic(`recovered in ${(performance.now() - startedAt).toFixed(0)} ms`)
  assert.equal(await broker.engine.topicCount(context), topicCount)
  assert.equal(counts.get('a partition') ?? 0, 0)
  const opened = [...counts.values()].reduce((sum, count) => sum + count, 0)
  t.diagnostic(JSON.stringify(Object.fromEntries(counts)))
  assert.ok(opened < 50, `${opened} files and directories`)

  // What was written is there, and is opened by its use: its log, its indexes, its checkpoint.
  const { topics } = await broker.engine.listTopics(0, context)
  const id = topics[0]?.id ?? ''
  assert.deepEqual(await broker.engine.offsets(id, 0, context), { startOffset: 0, endOffset: 1 })
  const used = counts.get('a partition') ?? 0
  assert.ok(used > 0 && used < 10, `${used} for one partition`)
}

const hasStrace = spawnSync('strace', ['-V']).status === 0

async function outside(t: TestContext, data: string): Promise<void> {
  if (!hasStrace) {
    t.diagnostic('the system calls were not counted: there is no strace here')
    return
  }
  const trace = `${data}.trace`
  const serve = [binary, 'serve', '--port', '0', '--data', data]
  // With -D the child is the broker, and strace looks on from aside.
  const options = ['-D', '-f', '-e', 'trace=open,openat', '-o', trace]
  const child = spawn('strace', [...options, process.execPath, ...serve])
  t.after(() => child.kill('SIGKILL'))
  const [, url = ''] = await said(child, 'stdout', /ready on (kaska:\/\/\S+:\d+)/)
  const client = await connect(url)
  assert.equal(await client.topicCount(), topicCount)
  await client.close()
  const closed = once(child, 'close')
  child.kill('SIGTERM')
  await closed
  const calls = (await readFile(trace, 'utf8')).split('\n').filter((line) => line.includes(data))
  const partitions = calls.filter((line) => line.includes(`${data}/topics/`))
  assert.ok(calls.length > 0, 'the trace shows the data directory')
  assert.ok(partitions.length <= writtenCount, `${partitions.length} of ${calls.length} opens`)
  t.diagnostic(`${calls.length} opens in the data directory, ${partitions.length} of partitions`)
}

test('after a restart what was being written is all there', async () => {
  await using directory = await temporaryDirectory()
  const serve = ['--data', directory.path]
  const topics = Array.from({ length: 30 }, (_, index) => `topic-${index}`)
  await using broker = await ServeProcess.start(serve)
  const client = await connect(broker.url)
  for (const topic of topics) await client.createTopic(topic, { partitions: 2 })
  await Promise.all(topics.map((topic) => client.send(topic, { value: topic, partition: 1 })))
  await broker.stop('SIGKILL')
  await client.close()
  await using again = await ServeProcess.start(serve)
  const reader = await connect(again.url)
  for (const topic of topics) {
    assert.equal(await reader.endOffset(topic, 0), 0)
    assert.equal(await reader.endOffset(topic, 1), 1)
  }
  await reader.close()
})
