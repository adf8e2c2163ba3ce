/**
 * Readers of random partitions poll brokers in memory in random ways, while messages come, leaders change, logs
 * lose their beginnings and polls are aborted: each reader sees each message once, in order, and soon.
 */
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { OffsetOutOfRangeError, type PollPart, type TopicId } from '@kaska/protocol'
import { ManualClock } from '../../../../sim/manual-clock.ts'
import { SeededRandom } from '../../../../sim/seeded-random.ts'
import { FakeKafka } from '../../test/fake-kafka.ts'
import { Cluster } from './cluster.ts'
import { FetchLanes } from './fetch-lanes.ts'
import { KafkaPoller } from './kafka-poller.ts'

const context = { principal: null, clientId: 'test', address: 'in-process' }
const nodes = 3
const topicCount = 30
const partitions = 3
const readers = 30
const runMs = 600
const connectionsMax = 8
const aborted = new Error('enough')

for (const seed of [1, 2]) {
  test(`each message once, in order, and soon (${seed})`, () => run(seed, false))
  test(`each message once, in order, while leaders change (${seed})`, () => run(seed, true))
}

interface World {
  readonly clock: ManualClock
  readonly kafka: FakeKafka
  readonly poller: KafkaPoller
  readonly random: SeededRandom
  readonly topics: readonly TopicId[]
  readonly isStirred: boolean
  isOver: boolean
}

async function run(seed: number, isStirred: boolean): Promise<void> {
  const random = new SeededRandom(seed)
  const clock = new ManualClock()
  const kafka = new FakeKafka(clock, nodes)
  kafka.latencyMs = 0.5
  const { bootstrap } = kafka
  const cluster = new Cluster({ dialer: kafka, bootstrap, clock, connectTimeoutMs: 1000 })
  const lanes = new FetchLanes(cluster, clock)
  const offsets = (topic: TopicId, partition: number) =>
    Promise.resolve(kafka.boundsOf(topic, partition))
  const poller = new KafkaPoller({ cluster, lanes, clock, offsets })
  const topics = Array.from({ length: topicCount }, (_, index) =>
    kafka.create(
      `topic-${index}`,
      Array.from({ length: partitions }, () => random.between(1, nodes)),
    ),
  )
  const world = { clock, kafka, poller, random, topics, isStirred, isOver: false }
  await clock.runUntil(cluster.control(), 1000)
  const reading = Array.from({ length: readers }, () => new Reader(world).run())
  const work = Promise.all([...reading, write(world)])
  await clock.runUntil(work, 5_000_000)
  for (let node = 1; node <= nodes; node++) assert.ok(kafka.fetching(node) <= connectionsMax)
  cluster.close()
  lanes.close()
}

/** Messages of all sizes to all partitions, and what else happens to them. */
async function write(world: World): Promise<void> {
  const { clock, kafka, random, topics, isStirred } = world
  while (clock.monotonic() < runMs) {
    await clock.sleep(random.between(0, 7))
    const topic = random.pick(topics)
    const partition = random.between(0, partitions - 1)
    const kind = isStirred ? random.between(0, 39) : 39
    if (kind === 0) kafka.lead(topic, partition, -1)
    else if (kind < 4) kafka.lead(topic, partition, random.between(1, nodes))
    else if (kind === 4) kafka.trim(topic, partition, kafka.boundsOf(topic, partition).endOffset)
    else kafka.append(topic, partition, new Uint8Array(random.between(0, 2999)))
  }
  for (const topic of topics) {
    for (let partition = 0; partition < partitions; partition++) {
      if (isStirred) kafka.lead(topic, partition, random.between(1, nodes))
    }
  }
  world.isOver = true
}

class Reader {
  readonly #world: World
  #parts: PollPart[] = []

  constructor(world: World) {
    this.#world = world
    const { random, topics } = world
    const places = new Set<string>()
    for (let count = random.between(1, 20); count > 0; count--) {
      const topic = random.pick(topics)
      const partition = random.between(0, partitions - 1)
      if (places.has(`${topic} ${partition}`)) continue
      places.add(`${topic} ${partition}`)
      this.#parts.push({ topic, partition, offset: 0 })
    }
  }

  async run(): Promise<void> {
    const { clock, random } = this.#world
    for (;;) {
      const isLast = this.#world.isOver
      const hadAll = await this.#poll()
      if (isLast && hadAll) return
      // Some are busy with what they got.
      if (random.between(0, 3) === 0) await clock.sleep(random.between(0, 29))
    }
  }

  /** True if there is nothing more. */
  async #poll(): Promise<boolean> {
    const { clock, kafka, poller, random, isStirred } = this.#world
    const waitMs = random.pick([0, 0, 3, 40, 700])
    const bytesMax = random.pick([1, 1000, 10_000, 1_000_000])
    const ends = this.#parts.map((part) => kafka.boundsOf(part.topic, part.partition).endOffset)
    const start = clock.monotonic()
    const aborting = new AbortController()
    const parts = [...this.#parts]
    const request = { parts, waitMs, bytesMax }
    const polled = poller.poll(request, { ...context, signal: aborting.signal })
    if (random.between(0, 9) === 0)
      clock.after(random.between(0, 49), () => aborting.abort(aborted))
    let result: Awaited<typeof polled>
    try {
      result = await polled
    } catch (error) {
      if (error === aborted || isStirred) return false
      throw error
    }
    let bytes = 0
    for (const batch of result.batches) {
      const part = this.#take(batch.topic, batch.partition)
      assert.equal(batch.baseOffset, part.offset)
      this.#parts.push({ ...part, offset: batch.baseOffset + batch.recordCount })
      bytes += batch.recordsLength
    }
    assert.ok(result.batches.length === 1 || bytes <= bytesMax)
    for (const { topic, partition, error } of result.failures) {
      assert.ok(isStirred && error instanceof OffsetOutOfRangeError, `${error}`)
      this.#parts.push({ ...this.#take(topic, partition), offset: error.startOffset })
    }
    const isEmpty = result.batches.length === 0 && result.failures.length === 0
    if (!isStirred) {
      const tookMs = clock.monotonic() - start
      assert.ok(tookMs <= waitMs + 10, `${tookMs} ms of ${waitMs}`)
      // What was there when it began is never said not to be.
      const hadSomething = parts.some(({ offset }, index) => offset < (ends[index] as number))
      assert.ok(!(isEmpty && hadSomething))
    }
    return isEmpty && this.#hasAll()
  }

  #take(topic: TopicId, partition: number): PollPart {
    const index = this.#parts.findIndex((one) => one.topic === topic && one.partition === partition)
    assert.ok(index >= 0)
    return this.#parts.splice(index, 1)[0] as PollPart
  }

  #hasAll(): boolean {
    const { kafka } = this.#world
    return this.#parts.every(
      ({ topic, partition, offset }) => offset === kafka.boundsOf(topic, partition).endOffset,
    )
  }
}
