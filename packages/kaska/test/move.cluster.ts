/**
 * A running workload moves from a Kaska broker to a cluster of three brokers, and back, by `kaska mirror`
 * and a changed URL, as docs/mirror.md tells it; every program is a process. Over both moves no
 * acknowledged message is lost, repeated or out of order for any consumer.
 */
import assert from 'node:assert/strict'
import { type ChildProcess, spawn } from 'node:child_process'
import { once } from 'node:events'
import process from 'node:process'
import { after, type TestContext, test } from 'node:test'
import { setTimeout as delay } from 'node:timers/promises'
import { fileURLToPath } from 'node:url'
import { connect } from '@kaska/client'
import type { ApacheKafkaCluster } from '../../../compat/lib/apache-kafka-cluster.ts'
import { result, run, ServeProcess, start, temporaryDirectory } from './cli-process.ts'
import { partitionsOfKeys, proveReceived, receivedCount, sentOf } from './move-proof.ts'
import { readRecord, topic } from './move-workload.ts'
import { startCluster } from './start-cluster.ts'

const partitions = 6
const producers = ['red', 'green', 'blue']
/** Consumers: one keeps up, one is always behind, one is killed before a move. */
const groups = ['steady', 'slow', 'killed']
const program = fileURLToPath(new URL('move-workload.ts', import.meta.url))

const cluster = await startCluster()
if (typeof cluster === 'string') test('a workload moves', { skip: cluster }, () => {})
else {
  after(() => cluster.stop())
  test('a running workload moves to a cluster and back', (t) => moves(cluster, t))
}

async function moves(cluster: ApacheKafkaCluster, t: TestContext): Promise<void> {
  await using files = await temporaryDirectory()
  await using old = await ServeProcess.start(['--data', `${files.path}/old`])
  await using back = await ServeProcess.start(['--data', `${files.path}/back`])
  const urls = [old.url, `kafka://${cluster.bootstrap}`, back.url]
  await using workload = new Workload(files.path)

  const [from = '', to = '', last = ''] = urls
  {
    await using client = await connect(from)
    await client.createTopic(topic, { partitions, config: { 'retention.ms': '86400000' } })
  }
  workload.start(from)
  for (const [source, target] of [
    [from, to],
    [to, last],
  ] as const) {
    await workload.goesOn()
    await move(workload, source, target, t)
  }
  await workload.goesOn()
  await workload.stopProducers()
  await workload.stopConsumers()

  const sent = workload.sent
  partitionsOfKeys(sent.values())
  const repeated = groups.map((group) => proveReceived(workload.file(group), sent))
  t.diagnostic(`${sent.size} messages; received again: ${repeated.join(', ')}`)
  assert.deepEqual(repeated.slice(0, 2), [0, 0])
}

/** What docs/mirror.md tells a person to do. */
async function move(workload: Workload, from: string, to: string, t: TestContext): Promise<void> {
  const sides = ['mirror', '--from', from, '--to', to]
  const names = groups.flatMap((group) => ['--group', group])
  let follower = start([...sides, ...names])
  // It is killed in the middle, and started again.
  await mirroredSome(to)
  follower.kill('SIGKILL')
  await once(follower, 'close')
  follower = start([...sides, ...names])
  const ended = result(follower)
  await workload.goesOn()

  await workload.stopProducers()
  await workload.stopConsumers(['slow', 'killed'])
  follower.kill('SIGINT')
  assert.equal((await ended).code, 0, (await ended).stderr)
  const level = await run([...sides, ...names, '--once'])
  assert.equal(level.code, 0, level.stderr)
  const verified = await run([...sides, '--verify'])
  assert.equal(verified.code, 0, verified.stdout + verified.stderr)
  const stoppedAt = workload.lastSentAt
  const sentBefore = workload.sent.size
  workload.start(to)
  while (workload.sent.size === sentBefore) await delay(10)
  t.diagnostic(`the pause was ${workload.firstSentAfter(stoppedAt) - stoppedAt} ms`)
}

async function mirroredSome(url: string): Promise<void> {
  await using client = await connect(url)
  const ends = async () => {
    try {
      return (await client.endOffset(topic, 0)) + (await client.endOffset(topic, 1))
    } catch {
      return 0
    }
  }
  while ((await ends()) === 0) await delay(10)
}

/** The programs and their records. */
class Workload implements AsyncDisposable {
  readonly #directory: string
  readonly #running = new Map<string, ChildProcess>()
  readonly #failures: string[] = []

  constructor(directory: string) {
    this.#directory = directory
  }

  file(name: string): string {
    return `${this.#directory}/${name}.jsonl`
  }

  start(url: string): void {
    for (const name of groups) this.#start('consume', name, url)
    for (const name of producers) this.#start('produce', name, url)
  }

  get sent() {
    return sentOf(producers.map((name) => this.file(name)))
  }

  get #sentTimes(): number[] {
    return producers
      .flatMap((name) => readRecord(this.file(name)))
      .flatMap((line) => (line.is === 'sent' ? [line.at] : []))
  }

  get lastSentAt(): number {
    return this.#sentTimes.reduce((last, at) => Math.max(last, at), 0)
  }

  firstSentAfter(time: number): number {
    return this.#sentTimes.reduce(
      (first, at) => (at > time ? Math.min(first, at) : first),
      Number.POSITIVE_INFINITY,
    )
  }

  /** Resolves when all programs have done some more. */
  async goesOn(): Promise<void> {
    const counts = () => [...producers, ...groups].map((name) => readRecord(this.file(name)).length)
    const before = counts()
    while (counts().some((count, index) => count < (before[index] as number) + 500)) {
      assert.deepEqual(this.#failures, [])
      await delay(100)
    }
  }

  async stopProducers(): Promise<void> {
    await Promise.all(producers.map((name) => this.#end(name, 'SIGTERM')))
    assert.deepEqual(this.#failures, [])
  }

  /** Those that are not among the `early` have received everything first. */
  async stopConsumers(early: readonly string[] = []): Promise<void> {
    const wanted = this.sent.size
    for (const name of groups) {
      while (!early.includes(name) && receivedCount(this.file(name)) < wanted) {
        assert.deepEqual(this.#failures, [])
        await delay(20)
      }
      await this.#end(name, name === 'killed' && early.includes(name) ? 'SIGKILL' : 'SIGTERM')
    }
    assert.deepEqual(this.#failures, [])
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await Promise.all([...this.#running.keys()].map((name) => this.#end(name, 'SIGKILL')))
  }

  #start(role: string, name: string, url: string): void {
    const child = spawn(
      process.execPath,
      ['--conditions=source', program, role, name, this.file(name)],
      { stdio: ['ignore', 'inherit', 'pipe'], env: { ...process.env, KASKA_URL: url } },
    )
    this.#running.set(name, child)
    let said = ''
    child.stderr?.on('data', (chunk: Buffer) => {
      said += chunk.toString()
    })
    child.once('close', (code, signal) => {
      if (code !== 0 && signal !== 'SIGKILL') this.#failures.push(`${name}: ${said}`)
    })
  }

  async #end(name: string, signal: NodeJS.Signals): Promise<void> {
    const child = this.#running.get(name)
    this.#running.delete(name)
    if (child === undefined || child.exitCode !== null || child.signalCode !== null) return
    const closed = once(child, 'close')
    child.kill(signal)
    await closed
  }
}
