/**
 * Kills a real broker under load again and again, and starts it again on the same directory and port.
 * The clients are never told: they reconnect and go on by themselves. What they were told, and what
 * they saw, is judged by the checkers of the simulation.
 */
import process from 'node:process'
import { setTimeout as sleep } from 'node:timers/promises'
import { type Client, connect } from '@kaska/client'
import { freePorts } from '../../../compat/lib/broker-process.ts'
import { CommitChecker } from '../../../sim/checkers/commit-checker.ts'
import { DeletionChecker } from '../../../sim/checkers/deletion-checker.ts'
import { MessageChecker } from '../../../sim/checkers/message-checker.ts'
import { TopicChecker } from '../../../sim/checkers/topic-checker.ts'
import type { PlannedTopic } from '../../../sim/plan.ts'
import { SeededRandom } from '../../../sim/seeded-random.ts'
import { Consumer } from '../../../sim/workload/consumer.ts'
import { isExpectedError } from '../../../sim/workload/expected-errors.ts'
import { Producer } from '../../../sim/workload/producer.ts'
import { readEverything } from '../../../sim/workload/read-everything.ts'
import { TopicOwner } from '../../../sim/workload/topic-owner.ts'
import { ServeProcess } from './cli-process.ts'

export interface CrashOptions {
  readonly data: string
  readonly sync: 'always' | 'os'
  readonly rounds: number
  /** A round lasts until so many messages, or fewer, were acknowledged in it. */
  readonly acknowledgementsMax: number
  /** It goes on behind the last round until so many messages were acknowledged and seen, and something was
   * committed. */
  readonly messagesMin?: number
  readonly seed?: number
  readonly progress?: (line: string) => void
}

export interface CrashResult {
  readonly messages: MessageChecker['counts']
  readonly seen: number
  readonly commits: number
  readonly topicsCreated: number
  /** How often a start was read that retention had moved. */
  readonly retained: number
}

const topics: readonly PlannedTopic[] = [
  { name: 'orders', partitions: 1, config: {}, isTrimmed: false },
  {
    name: 'payments',
    partitions: 3,
    config: { 'segment.ms': '300', 'retention.ms': '1000' },
    isTrimmed: true,
  },
  { name: 'Ünïcode ✓', partitions: 2, config: { 'segment.bytes': '1048576' }, isTrimmed: false },
]

export async function crashRounds(options: CrashOptions): Promise<CrashResult> {
  const { acknowledgementsMax, data, progress, rounds, sync } = options
  const seed = options.seed ?? process.pid
  const random = new SeededRandom(seed)
  const retention = ['--config', 'log.retention.check.interval.ms=100']
  const port = (await freePorts(1)).join()
  const serve = ['--data', data, '--sync', sync, '--port', port, ...retention]
  let broker = await ServeProcess.start(serve)
  const { url } = broker
  const clients: Client[] = []
  const open = async (clientId: string): Promise<Client> => {
    const client = await connect(url, { clientId })
    clients.push(client)
    return client
  }
  const messages = new MessageChecker(Date.now)
  const deletions = new DeletionChecker({
    messages,
    topics,
    isFirm: true,
    hasJumps: false,
    now: Date.now,
  })
  const commits = new CommitChecker()
  const topicChecker = new TopicChecker()
  let isOver = false
  const common = (name: string) => ({
    name,
    clock: { sleep: (ms: number) => sleep(ms) as Promise<void> },
    random: random.fork(name),
    isExpected: isExpectedError,
    isOver: () => isOver,
  })
  try {
    const admin = await open('admin')
    for (const { config, name, partitions } of topics) {
      await admin.createTopic(name, { partitions, config })
    }
    const producers = await Promise.all(
      [0, 1, 2].map(async (index) => {
        const name = `producer-${index}`
        const client = await open(name)
        return new Producer({
          ...common(name),
          client,
          topics,
          checker: messages,
          messageBytesMax: index === 0 ? 100_000 : 2000,
          pauseMsMax: 20,
        })
      }),
    )
    const consumers = [0, 1].map((index) => {
      const name = `consumer-${index}`
      return new Consumer({
        ...common(name),
        group: name,
        groups: ['consumer-0', 'consumer-1'],
        connect: () => open(name),
        topics,
        messages,
        commits,
        deletions,
        pollMs: [0, 50, 500],
      })
    })
    const owner = new TopicOwner({
      ...common('owner'),
      client: await open('owner'),
      topics: topicChecker,
    })
    const actors = Promise.all([...producers, ...consumers, owner].map((actor) => actor.run()))
    let hasFailed = false
    const kills = async (): Promise<void> => {
      for (let round = 1; round <= rounds; round++) {
        // Under load: some way into it, and then at any moment.
        const until = messages.acknowledgements + random.between(0, acknowledgementsMax)
        while (messages.acknowledgements < until && !hasFailed) await sleep(1)
        await sleep(random.between(0, 20))
        if (hasFailed) return
        // A clean stop now and then: the clients are not told of that either.
        await broker.stop(random.chance(0.2) ? 'SIGTERM' : 'SIGKILL')
        broker = await ServeProcess.start(serve)
        progress?.(`round ${round}: ${JSON.stringify(messages.counts)}`)
      }
      const { messagesMin = 0 } = options
      const seen = (): number => consumers.reduce((sum, consumer) => sum + consumer.seen, 0)
      const isEnough = (): boolean =>
        messages.acknowledgements >= messagesMin &&
        seen() >= messagesMin &&
        commits.counts.acknowledged > 0
      while (!isEnough() && !hasFailed) await sleep(1)
      isOver = true
    }
    const working = actors.catch((error: unknown) => {
      hasFailed = true
      throw error
    })
    await Promise.all([kills(), working])
    await readEverything(admin, topics, messages, deletions)
    await owner.list()
    for (const consumer of consumers) await consumer.check(admin)
    await broker.stop('SIGKILL')
    broker = await ServeProcess.start(serve)
    await readEverything(admin, topics, messages, deletions)
    return {
      messages: messages.counts,
      seen: consumers.reduce((sum, { seen }) => sum + seen, 0),
      commits: commits.counts.acknowledged,
      topicsCreated: topicChecker.counts.created,
      retained: deletions.counts.retained,
    }
  } catch (error) {
    throw new Error(`seed ${seed}: ${String(error)}\nthe broker said: ${broker.stderr}`, {
      cause: error,
    })
  } finally {
    isOver = true
    await Promise.allSettled(clients.map((client) => client.close()))
    await broker.stop('SIGKILL')
  }
}
