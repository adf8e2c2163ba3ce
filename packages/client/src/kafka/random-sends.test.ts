/**
 * A client sends to brokers in memory while leaders change, brokers die, connections break and batches are refused for
 * a while or for good: each message is in the log once, in its order, where its sender was told.
 */
import assert from 'node:assert/strict'
import { type TestContext, test } from 'node:test'
import { InvalidMessageError, kafka as kafkaProtocol } from '@kaska/protocol'
import { SeededRandom } from '../../../../sim/seeded-random.ts'
import { type FakeCluster, fakeCluster } from '../../test/fake-cluster.ts'
import type { SendFault } from '../../test/fake-kafka.ts'

const { errorCode } = kafkaProtocol
const nodes = 3
const topicCount = 30
const partitions = 2
const runMs = 1_000
/** A message that no leader takes. */
const bad = 'bad'

const faults: readonly SendFault[] = [
  { code: 'lost', isStored: false },
  { code: 'lost', isStored: true },
  { code: errorCode.NOT_LEADER_OR_FOLLOWER, isStored: false },
  { code: errorCode.NOT_LEADER_OR_FOLLOWER, isStored: true },
  { code: errorCode.NOT_ENOUGH_REPLICAS, isStored: false },
  { code: errorCode.NOT_ENOUGH_REPLICAS_AFTER_APPEND, isStored: true },
  { code: errorCode.REQUEST_TIMED_OUT, isStored: true },
  { code: errorCode.KAFKA_STORAGE_ERROR, isStored: false },
  { code: errorCode.UNKNOWN_TOPIC_ID, isStored: false },
]

for (const seed of [1, 2, 4, 60]) {
  test(`each message once, in its order (${seed})`, (t) => run(t, seed))
}

async function run(t: TestContext, seed: number): Promise<void> {
  const random = new SeededRandom(seed)
  // Few messages a batch, so that many batches are under way.
  const batchBytes = random.pick([1, 1, 30, 200])
  const cluster = fakeCluster(t, nodes, { batchBytes })
  const { kafka } = cluster
  const leaders = () => Array.from({ length: partitions }, () => random.between(1, nodes))
  const topics = Array.from({ length: topicCount }, (_, index) => {
    const name = `topic-${index}`
    return { name, id: kafka.create(name, leaders()) }
  })
  const isFaulty = { now: true }
  kafka.faultOf = (values) => {
    if (values.some((value) => value.startsWith(bad))) {
      return { code: errorCode.INVALID_RECORD, isStored: false }
    }
    return isFaulty.now && random.chance(0.2) ? random.pick(faults) : undefined
  }
  // What shares a batch with a message that is refused is refused too.
  const sending = send(cluster, random, batchBytes === 1 ? 0.05 : 0)
  await cluster.run(Promise.all([sending, stir(cluster, random, topics)]))
  isFaulty.now = false
  const sent = await cluster.run(Promise.all((await sending).map(outcomeOf)))

  for (const { name, id } of topics) {
    for (let partition = 0; partition < partitions; partition++) {
      const here = sent.filter((one) => one.topic === name && one.partition === partition)
      const good = here.filter(({ value }) => !value.startsWith(bad))
      const { values } = kafka.log(id, partition)
      assert.deepEqual(
        values,
        good.map(({ value }) => value),
      )
      for (const { value, offset } of good) assert.equal(values[offset ?? -1], value)
    }
  }
  t.diagnostic(`${sent.length} messages`)
}

interface Sent {
  readonly topic: string
  readonly partition: number
  readonly value: string
  readonly result: Promise<{ readonly offset: number }>
}

async function outcomeOf({ result, ...sent }: Sent) {
  if (!sent.value.startsWith(bad)) return { ...sent, offset: (await result).offset }
  await assert.rejects(result, InvalidMessageError)
  return { ...sent, offset: undefined }
}

async function send(
  { client, clock }: FakeCluster,
  random: SeededRandom,
  badShare: number,
): Promise<Sent[]> {
  const sent: Sent[] = []
  while (clock.monotonic() < runMs) {
    // One topic after the other is sent to for the first time.
    const known = Math.ceil((topicCount * (clock.monotonic() + 1)) / runMs)
    const topic = `topic-${random.between(Math.max(0, known - 5), Math.min(known, topicCount) - 1)}`
    const partition = random.between(0, partitions - 1)
    for (let count = random.between(1, 12); count > 0; count--) {
      const kind = random.chance(badShare) ? bad : 'good'
      const value = `${kind} ${sent.length}`
      const result = client.send(topic, { value, partition })
      result.catch(() => {})
      sent.push({ topic, partition, value, result })
    }
    await clock.sleep(random.between(0, 10))
  }
  return sent
}

/** All is well again when it resolves. */
async function stir(
  { clock, kafka }: FakeCluster,
  random: SeededRandom,
  topics: readonly { readonly id: string }[],
): Promise<void> {
  while (clock.monotonic() < runMs) {
    await clock.sleep(random.between(1, 60))
    const { id } = random.pick(topics)
    const node = random.between(1, nodes)
    const kind = random.between(0, 9)
    if (kind === 0) kafka.kill(node)
    else if (kind === 1) kafka.cut()
    else if (kind === 2) kafka.lead(id, random.between(0, partitions - 1), -1)
    else if (kind < 6) kafka.lead(id, random.between(0, partitions - 1), node)
    else kafka.revive(node)
  }
  for (let node = 1; node <= nodes; node++) kafka.revive(node)
  for (const { id } of topics) {
    for (let partition = 0; partition < partitions; partition++) {
      kafka.lead(id, partition, random.between(1, nodes))
    }
  }
}
