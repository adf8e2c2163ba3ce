/**
 * A running workload moves from a Kaska broker to a cluster of three brokers, and back, by `kaska mirror`
 * and a changed URL, as docs/mirror.md tells it; every program is a process. Over both moves no
 * acknowledged message is lost, repeated or out of order for any consumer.
 */
import assert from 'node:assert/strict'
import { type ChildProcess, spawn } from 'node:child_process'
import { once } from 'node:events'
import { statSync } from 'node:fs'
import { readFile } from 'node:fs/promises'
import process from 'node:process'
import { after, type TestContext, test } from 'node:test'
import { setTimeout as delay } from 'node:timers/promises'
import { fileURLToPath } from 'node:url'
import { connect } from '@kaska/client'
import { Admin } from '@platformatic/kafka'
import type { ApacheKafkaCluster } from '../../../compat/lib/apache-kafka-cluster.ts'
import {
  type RunResult,
  result,
  run,
  ServeProcess,
  said,
  start,
  temporaryDirectory,
} from './cli-process.ts'
import { partitionsOfKeys, proveReceived, receivedCount, sentOf } from './move-proof.ts'
import { readRecord, topic } from './move-workload.ts'
import { startCluster } from './start-cluster.ts'

const partitions = 6
const producers = ['red', 'green', 'blue']
/** As they are named in the recipe: one keeps up, one is always behind, one is killed before a move. */
const groups = ['billing', 'reports', 'audit']
const slow = 'reports'
const killed = 'audit'
/** How many messages of partition 0 are deleted before the first move. */
const oldest = 10
/** How often is looked, and how much a program is to have written to its record: some hundred messages. */
const lookMs = 200
const recordBytes = 40_000
const program = fileURLToPath(new URL('move-workload.ts', import.meta.url))
const recipe = fileURLToPath(new URL('../../../docs/mirror.md', import.meta.url))

const cluster = await startCluster()
if (typeof cluster === 'string') test('a workload moves', { skip: cluster }, () => {})
else {
  after(() => cluster.stop())
  test('a running workload moves to a cluster and back', (t) => moves(cluster, t))
}

async function moves(cluster: ApacheKafkaCluster, t: TestContext): Promise<void> {
  await using files = await temporaryDirectory()
  await using broker = await ServeProcess.start(['--data', `${files.path}/data`])
  await using workload = new Workload(files.path)
  const kaska = broker.url
  const kafka = `kafka://${cluster.bootstrap}`
  const commands = await readRecipe()

  await using client = await connect(kaska)
  await client.createTopic(topic, { partitions, config: { 'retention.ms': '86400000' } })
  workload.start(kaska)
  await workload.goesOn()
  // A message's offset is not the same on both sides.
  await deleteOldest(broker.port)
  const ends = await move(workload, commands.move, kaska, kafka, t)
  assert.equal(ends.NEW, ends.OLD - oldest)

  await workload.goesOn()
  await kaskaDoes(commands.remove, { OLD: kaska, NEW: kafka })
  await move(workload, commands.move, kafka, kaska, t)

  await workload.goesOn()
  await workload.stopProducers()
  await workload.stopConsumers(groups)

  const sent = workload.sent
  partitionsOfKeys(sent.values())
  const repeated = groups.map((group) => proveReceived(workload.file(group), sent))
  t.diagnostic(`${sent.size} messages; received again: ${repeated.join(', ')}`)
  for (const [index, group] of groups.entries()) {
    if (group !== killed) assert.equal(repeated[index], 0)
  }
}

interface Recipe {
  readonly move: readonly string[]
  readonly remove: string
}

/** The commands of docs/mirror.md, as they stand there. */
async function readRecipe(): Promise<Recipe> {
  const text = await readFile(recipe, 'utf8')
  const move = text.match(/^kaska mirror --from \$OLD .*$/gm) ?? []
  const [remove = ''] = /^kaska topic delete .*\$OLD$/m.exec(text) ?? []
  assert.equal(move.length, 4)
  for (const group of groups) assert.match(move[0] ?? '', new RegExp(`--group ${group}`))
  return { move, remove }
}

type Sides = Readonly<Record<'OLD' | 'NEW', string>>

function argumentsOf(command: string, sides: Sides): string[] {
  const words = command.split(' ').slice(1)
  return words.map((word) => word.replace(/^\$(OLD|NEW)$/, (_, name: 'OLD' | 'NEW') => sides[name]))
}

/** Runs a command of the recipe, which has to succeed. */
async function kaskaDoes(command: string, sides: Sides): Promise<RunResult> {
  const done = await run(argumentsOf(command, sides))
  assert.equal(done.code, 0, `${command}: ${done.stdout}${done.stderr}`)
  return done
}

/**
 * What docs/mirror.md tells a person to do; the mirror is killed meanwhile, and started again. Resolves with where
 * partition 0 ended on both sides before the programs were started again.
 */
async function move(
  workload: Workload,
  commands: readonly string[],
  from: string,
  to: string,
  t: TestContext,
): Promise<Record<'OLD' | 'NEW', number>> {
  const sides = { OLD: from, NEW: to }
  const [follow = '', compare = '', cutOver = '', compareNew = ''] = commands
  await using first = new Follower(argumentsOf(follow, sides))
  await mirroredSome(to)
  await first[Symbol.asyncDispose]()
  await using second = new Follower(argumentsOf(follow, sides))
  const follower = second.child
  const ended = result(follower)
  await said(follower, 'stderr', /up to date; following until Ctrl-C\n/)
  await kaskaDoes(compare, sides)
  await workload.goesOn()

  await workload.stopProducers()
  await workload.stopConsumers(['billing'])
  follower.kill('SIGINT')
  assert.equal((await ended).code, 0, (await ended).stderr)
  const stoppedAt = Date.now()
  const { stderr } = await kaskaDoes(cutOver, sides)
  const cutAt = Date.now()
  assert.match(stderr, /billing goes on at the target with 0 messages to come\n/)
  assert.match(stderr, /reports goes on at the target with [1-9]\d* messages to come\n/)
  assert.match(stderr, /\nCut over: start the programs with the new address\.\n$/)
  await kaskaDoes(compareNew, sides)
  const ends = { OLD: await endOffset(from), NEW: await endOffset(to) }
  const startedAt = Date.now()
  const lastSentAt = workload.lastSentAt
  const sentBefore = workload.sent.size
  workload.start(to)
  // When it was is in the records: to look for it often would slow it down.
  while (workload.sent.size === sentBefore) await delay(lookMs)
  const firstSentAt = workload.firstSentAfter(lastSentAt)
  t.diagnostic(
    `the pause was ${firstSentAt - lastSentAt} ms: stop ${stoppedAt - lastSentAt}, cut over ${cutAt - stoppedAt}, compare ${startedAt - cutAt}, start ${firstSentAt - startedAt}`,
  )
  return ends
}

/** `kaska mirror`, killed at the end unless it has ended. */
class Follower implements AsyncDisposable {
  readonly child: ChildProcess

  constructor(args: readonly string[]) {
    this.child = start(args)
  }

  async [Symbol.asyncDispose](): Promise<void> {
    if (this.child.exitCode !== null || this.child.signalCode !== null) return
    const closed = once(this.child, 'close')
    this.child.kill('SIGKILL')
    await closed
  }
}

/** The oldest messages of a partition are gone, as by retention. */
async function deleteOldest(port: number): Promise<void> {
  const admin = new Admin({ clientId: 'retention', bootstrapBrokers: [`127.0.0.1:${port}`] })
  const partitions = [{ partition: 0, offset: BigInt(oldest) }]
  await admin.deleteRecords({ topics: [{ name: topic, partitions }] })
  await admin.close()
}

async function endOffset(url: string): Promise<number> {
  await using client = await connect(url)
  return await client.endOffset(topic)
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
    for (const name of groups) this.#start(name === slow ? 'consume-slowly' : 'consume', name, url)
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
    const sizes = () => [...producers, ...groups].map((name) => this.#recordBytes(name))
    const before = sizes()
    while (sizes().some((size, index) => size < (before[index] as number) + recordBytes)) {
      assert.deepEqual(this.#failures, [])
      await delay(lookMs)
    }
  }

  #recordBytes(name: string): number {
    return statSync(this.file(name), { throwIfNoEntry: false })?.size ?? 0
  }

  async stopProducers(): Promise<void> {
    await Promise.all(producers.map((name) => this.#end(name, 'SIGTERM')))
    assert.deepEqual(this.#failures, [])
  }

  /** The consumers named have received everything before they are stopped. */
  async stopConsumers(toTheEnd: readonly string[]): Promise<void> {
    const wanted = this.sent.size
    await Promise.all(
      groups.map(async (name) => {
        while (toTheEnd.includes(name) && receivedCount(this.file(name)) < wanted) {
          assert.deepEqual(this.#failures, [])
          await delay(lookMs)
        }
        const isKilled = name === killed && !toTheEnd.includes(name)
        await this.#end(name, isKilled ? 'SIGKILL' : 'SIGTERM')
      }),
    )
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
