/**
 * `kaska mirror` as a process between two brokers that are processes: killed in the middle again and
 * again, with a source that goes on being written, and brokers that are killed too.
 */
import assert from 'node:assert/strict'
import type { ChildProcess } from 'node:child_process'
import { test } from 'node:test'
import { type Client, ConnectionError, connect } from '@kaska/client'
import { topicNameOf } from '@kaska/protocol'
import { freePorts } from '../../../compat/lib/broker-process.ts'
import { context } from './batches.ts'
import {
  type RunResult,
  result,
  run,
  ServeProcess,
  said,
  start,
  temporaryDirectory,
} from './cli-process.ts'
import { contentsOf, numbered, readPartition } from './mirror-harness.ts'

/** Small batches at the target: many requests, and kills within them. */
const config = { 'max.message.bytes': '20000' }
/** A poll waits for what comes; this is how long where nothing does. */
const waitMs = 10_000

/** Resolves when the topic's partitions have so many messages together; with how many there are. */
async function reached(client: Client, partitions: number, count: number): Promise<number> {
  for (;;) {
    try {
      const [info] = await client.engine.resolve([topicNameOf('t')], context)
      const topic = info?.id ?? assert.fail('no topic')
      const ends = await Promise.all(
        Array.from({ length: partitions }, (_, partition) => client.endOffset('t', partition)),
      )
      const total = ends.reduce((sum, end) => sum + end, 0)
      if (total >= count) return total
      const parts = ends.map((offset, partition) => ({ topic, partition, offset }))
      const news = await client.engine.poll({ parts, waitMs, bytesMax: 1 }, context)
      news.release()
    } catch (error) {
      if (!(error instanceof ConnectionError)) throw error
    }
  }
}

/** A mirror that is to run until it is ended. */
class Follower {
  readonly #child: ChildProcess
  readonly #ended: Promise<RunResult>

  constructor(source: ServeProcess, target: ServeProcess) {
    this.#child = start(['mirror', '--from', source.url, '--to', target.url])
    this.#ended = result(this.#child)
  }

  /** Resolves with what was waited for; rejects where the mirror ends before. */
  async until<T>(promise: Promise<T>): Promise<T> {
    const early = this.#ended.then(({ stderr }) => assert.fail(`it ended: ${stderr}`))
    return await Promise.race([promise, early])
  }

  end(signal: NodeJS.Signals): Promise<RunResult> {
    this.#child.kill(signal)
    return this.#ended
  }
}

test('killed in the middle again and again: nothing lost, nothing repeated', async () => {
  await using source = await ServeProcess.start(['--sync', 'os'])
  await using target = await ServeProcess.start(['--sync', 'os'])
  await using from = await connect(source.url)
  await using to = await connect(target.url)
  const partitions = 4
  await from.createTopic('t', { partitions })
  await to.createTopic('t', { partitions, config })
  let sent = 0
  let mirrored = 0
  let isWriting = true
  let moved = Promise.withResolvers<void>()
  const write = async (): Promise<void> => {
    while (isWriting) {
      // Ahead of the mirror, but not far.
      if (sent * partitions > mirrored + 8000) {
        await moved.promise
        continue
      }
      const batches = Array.from({ length: partitions }, (_, partition) =>
        numbered(50, partition, sent),
      )
      await Promise.all(batches.map((batch) => from.sendBatch('t', batch)))
      sent += 50
    }
  }
  const writing = write()
  try {
    for (let round = 0; round < 8; round++) {
      const mirror = new Follower(source, target)
      // A different moment each time, the first batches among them.
      const wanted = mirrored + 1 + round * 700
      mirrored = await mirror.until(reached(to, partitions, wanted))
      await mirror.end('SIGKILL')
      moved.resolve()
      moved = Promise.withResolvers()
    }
  } finally {
    isWriting = false
    moved.resolve()
    await writing
  }
  const last = await run(['mirror', '--from', source.url, '--to', target.url, '--once'])
  assert.equal(last.code, 0, last.stderr)
  for (let partition = 0; partition < partitions; partition++) {
    const original = await readPartition(from.engine, 't', partition)
    const copy = await readPartition(to.engine, 't', partition)
    assert.equal(original.length, sent)
    assert.deepEqual(
      copy.map(({ origin }) => origin),
      original.map(({ offset }) => offset),
    )
    assert.deepEqual(contentsOf(copy), contentsOf(original))
  }
  const verified = await run(['mirror', '--from', source.url, '--to', target.url, '--verify'])
  assert.equal(verified.code, 0, verified.stderr)
  assert.match(verified.stdout, new RegExp(`t/0 +${sent} +[0-9a-f]{8} +${sent} +[0-9a-f]{8} +same`))
  await to.send('t', { value: 'mine', partition: 2 })
  const differs = await run(['mirror', '--from', source.url, '--to', target.url, '--verify'])
  assert.equal(differs.code, 1)
  assert.match(differs.stdout, /t\/2 .*DIFFERENT/)
  assert.match(differs.stderr, /kaska: t\/2: the target's offset \d+ is not at the source\n/)
})

test('brokers that are killed or stopped while it runs: it waits, and goes on', async () => {
  await using files = await temporaryDirectory()
  const [sourcePort, targetPort] = await freePorts(2)
  const ports = { source: String(sourcePort), target: String(targetPort) }
  const serve = (side: 'source' | 'target') =>
    ServeProcess.start(['--data', `${files.path}/${side}`, '--port', ports[side]])
  let source = await serve('source')
  let target = await serve('target')
  await using from = await connect(source.url)
  await using to = await connect(target.url)
  await from.createTopic('t', { partitions: 2 })
  await to.createTopic('t', { partitions: 2, config })
  const mirror = new Follower(source, target)
  let sent = 0
  try {
    for (const [side, signal] of [
      ['target', 'SIGKILL'],
      ['source', 'SIGKILL'],
      ['target', 'SIGTERM'],
      ['source', 'SIGTERM'],
    ] as const) {
      await Promise.all([0, 1].map((each) => from.sendBatch('t', numbered(2000, each, sent))))
      sent += 2000
      await mirror.until(reached(to, 2, sent * 2 - 3000))
      if (side === 'target') {
        await target.stop(signal)
        target = await serve('target')
      } else {
        await source.stop(signal)
        source = await serve('source')
      }
    }
    await mirror.until(reached(to, 2, sent * 2))
    const { code, stderr } = await mirror.end('SIGINT')
    assert.equal(code, 0, stderr)
    assert.match(stderr, /Mirrored \d+ messages/)
    for (const partition of [0, 1]) {
      const copy = await readPartition(to.engine, 't', partition)
      assert.deepEqual(
        copy.map(({ value }) => value),
        Array.from({ length: sent }, (_, index) => `v${index}`),
      )
    }
  } finally {
    await mirror.end('SIGKILL')
    await source.stop('SIGKILL')
    await target.stop('SIGKILL')
  }
})

test('two mirrors at once on the same topic repeat nothing', async () => {
  await using source = await ServeProcess.start(['--sync', 'os'])
  await using target = await ServeProcess.start(['--sync', 'os'])
  await using from = await connect(source.url)
  await using to = await connect(target.url)
  await from.createTopic('t', { partitions: 2 })
  await to.createTopic('t', { partitions: 2, config })
  for (const partition of [0, 1]) await from.sendBatch('t', numbered(5000, partition))
  const once = ['mirror', '--from', source.url, '--to', target.url, '--once']
  const both = await Promise.all([0, 1].map(() => run(once)))
  const last = await run(once)
  assert.equal(last.code, 0, `${last.stderr}${both.map(({ stderr }) => stderr).join('')}`)
  for (const partition of [0, 1]) {
    const copy = await readPartition(to.engine, 't', partition)
    assert.deepEqual(
      copy.map(({ origin }) => origin),
      [...Array(5000).keys()],
    )
  }
})

test('the command: its options, its output and its exit codes', async () => {
  await using source = await ServeProcess.start()
  await using target = await ServeProcess.start()
  const sides = ['mirror', '--from', source.url, '--to', target.url]
  await source.run(['topic', 'create', 'orders', 'other', '-c', 'retention.ms=1000000'])
  await source.run(['produce', 'orders'], { input: 'a\nb\nc\n' })
  await source.run(['offset', 'commit', 'billing', 'orders', '2'])
  const chosen = ['--topic', 'ord*', '--group', 'billing', '--setting', 'retention.ms=77']
  const once = await run([...sides, '--once', ...chosen])
  assert.deepEqual([once.code, once.stdout], [0, ''])
  assert.match(once.stderr, /^Mirrored 3 messages \(0\.0 MB\); 1 topic, 1 partition, 0 messages/m)
  assert.equal((await target.run(['topic', 'list', '-q'])).stdout, 'orders\n')
  assert.equal((await target.run(['offset', 'committed', 'billing', 'orders'])).stdout, '2\n')
  const described = await target.run(['topic', 'describe', 'orders', '--json'])
  assert.match(described.stdout, /"name":"retention.ms","value":"77"/)

  const follower = start([...sides, ...chosen])
  const ended = result(follower)
  await said(follower, 'stderr', /; up to date; following until Ctrl-C\n/)
  const reader = target.start(['consume', 'orders', '-o', 'start', '-n', '4'])
  const read = result(reader)
  await source.run(['produce', 'orders'], { input: 'd\n' })
  assert.equal((await read).stdout, 'a\nb\nc\nd\n')
  follower.kill('SIGINT')
  assert.equal((await ended).code, 0)

  const cut = await run([...sides, '--cut-over', ...chosen])
  assert.equal(cut.code, 0, cut.stderr)
  assert.match(cut.stderr, /kaska: billing goes on at the target with 2 messages to come\n/)
  assert.match(cut.stderr, /\nCut over: start the programs with the new address\.\n$/)
  const misspelled = await run([...sides, '--cut-over', '--topic', 'orders', '--group', 'biling'])
  assert.equal(misspelled.code, 1)
  assert.match(
    misspelled.stderr,
    /\nkaska: not cut over: see above; the programs are to stay where/,
  )
  const newest = await run([...sides, '--verify', '--since', '1h', '--topic', 'orders'])
  assert.match(newest.stdout, /orders\/0 +4 +[0-9a-f]{8} +4 .* same\n/)
  for (const since of [
    ['--since', '1h'],
    ['--verify', '--since', 'soon'],
  ]) {
    assert.equal((await run([...sides, ...since])).code, 2)
  }

  const none = await run([...sides, '--once', '--topic', 'nothing'])
  assert.equal(none.code, 1)
  assert.match(none.stderr, /no topic matches/)
  assert.equal((await run(['mirror', '--from', source.url])).code, 2)
  const clash = await run([...sides, '--verify', '--once'])
  assert.equal(clash.code, 2)
  await target.run(['topic', 'create', 'other'])
  await target.run(['produce', 'other'], { input: 'mine\n' })
  const refused = await run([...sides, '--once'])
  assert.equal(refused.code, 1)
  assert.match(refused.stderr, /other\/0 is not mirrored any more: .*was not written by a mirror/)
})
