/**
 * `kaska mirror` between a Kaska broker and a cluster of three, in both directions, with all that messages
 * and topics may be: nulls, repeated headers, times of the future, compressed batches, transactions, offsets
 * that Kafka's clients have committed, other writers, members of a group that still run, and a killed broker.
 */
import assert from 'node:assert/strict'
import { once } from 'node:events'
import { after, type TestContext, test } from 'node:test'
import { type Client, ClosedError, connect } from '@kaska/client'
import { Admin, Consumer, Producer } from '@platformatic/kafka'
import type { ApacheKafkaCluster } from '../../../compat/lib/apache-kafka-cluster.ts'
import { type RunResult, result, run, ServeProcess, said, start } from './cli-process.ts'
import { contentsOf, numbered, readPartition } from './mirror-harness.ts'
import { startCluster } from './start-cluster.ts'

const cluster = await startCluster()
if (typeof cluster === 'string') test('a mirror and a cluster', { skip: cluster }, () => {})
else {
  after(() => cluster.stop())
  const url = `kafka://${cluster.bootstrap}`
  test('odd messages, settings and offsets go to a cluster and back', (t) => odd(url, t))
  test("a transaction's messages, and offsets of Kafka's clients", () => transactions(cluster, url))
  test('a group whose members run, and other writers, are told of', () => others(cluster, url))
  test('a broker of the cluster is killed meanwhile', () => outage(cluster, url))
}

async function succeeds(args: readonly string[]): Promise<RunResult> {
  const done = await run(args)
  assert.equal(done.code, 0, `${args.join(' ')}: ${done.stdout}${done.stderr}`)
  return done
}

function sides(from: string, to: string, topic: string): string[] {
  return ['mirror', '--from', from, '--to', to, '--topic', topic]
}

async function odd(url: string, t: TestContext): Promise<void> {
  await using first = await ServeProcess.start()
  await using second = await ServeProcess.start()
  await using from = await connect(first.url)
  await using to = await connect(url)
  await using back = await connect(second.url)
  const config = { 'retention.ms': '864000000', 'segment.bytes': '1048576' }
  await from.createTopic('odd', { partitions: 3, config })
  const future = Date.now() + 10 * 86_400_000
  const messages = [
    { value: null, key: null },
    { value: '', key: '' },
    { value: { base64: '/wAB' }, key: { base64: '/v8=' }, timestamp: 0 },
    {
      value: 'x',
      key: null,
      headers: [
        ['a', '1'],
        ['a', null],
        ['', ''],
        ['ü', { base64: '/w==' }],
      ],
    },
    { value: 'tomorrow', timestamp: future },
    { value: 'from an earlier move', headers: [['kaska-mirror', '17']], timestamp: 1 },
    { value: 'z'.repeat(300_000), key: 'large' },
  ]
  const lines = messages.flatMap((message) =>
    [0, 1].map((partition) => JSON.stringify({ partition, ...message })),
  )
  await first.run(['produce', 'odd', '--json'], { input: lines.join('\n') })
  await Promise.all(['gzip', 'snappy', 'lz4', 'zstd'].map((name) => produce(first.port, name)))
  await from.commit('g', 'odd', 5, 1)
  await from.commit('g', 'odd', 7)

  const names = ['--group', 'g']
  const there = await succeeds([...sides(first.url, url, 'odd'), ...names, '--cut-over'])
  assert.match(there.stderr, /g goes on at the target with \d+ messages to come/)
  await succeeds([...sides(first.url, url, 'odd'), '--verify'])
  await succeeds([...sides(url, second.url, 'odd'), ...names, '--cut-over'])
  await succeeds([...sides(url, second.url, 'odd'), '--verify'])
  let count = 0
  for (const partition of [0, 1, 2]) {
    const original = await readPartition(from.engine, 'odd', partition)
    count += original.length
    for (const client of [to, back]) {
      const copy = await readPartition(client.engine, 'odd', partition)
      assert.deepEqual(contentsOf(copy), contentsOf(original))
    }
  }
  t.diagnostic(`${count} messages`)
  for (const client of [to, back]) {
    const described = await client.describeTopic('odd')
    assert.equal(described.partitions, 3)
    for (const [name, value] of Object.entries(config)) {
      assert.equal(described.config.find((entry) => entry.name === name)?.value, value)
    }
    assert.deepEqual(
      [await client.committed('g', 'odd', 0), await client.committed('g', 'odd', 1)],
      [7, 5],
    )
  }

  // A name that Kafka does not take is told of.
  await from.createTopic('näme')
  const refused = await run([...sides(first.url, url, 'n?me'), '--cut-over'])
  assert.equal(refused.code, 1)
  assert.match(refused.stderr, /^kaska: näme is not mirrored: .*name is invalid/)

  async function produce(port: number, compression: string): Promise<void> {
    const bootstrapBrokers = [`127.0.0.1:${port}`]
    const producer = new Producer({ clientId: 'test', bootstrapBrokers })
    const messages = Array.from({ length: 100 }, (_, index) => ({
      topic: 'odd',
      partition: 2,
      value: Buffer.from(`${compression} ${index} `.repeat(20)),
    }))
    await producer.send({ messages, compression: compression as 'gzip' })
    await producer.close()
  }
}

async function transactions(cluster: ApacheKafkaCluster, url: string): Promise<void> {
  const bootstrapBrokers = cluster.bootstrap.split(',')
  await using target = await ServeProcess.start()
  await using from = await connect(url)
  await using to = await connect(target.url)
  await from.createTopic('tx')
  const producer = new Producer({
    clientId: 'test',
    bootstrapBrokers,
    transactionalId: 'mirrored',
    idempotent: true,
  })
  for (let round = 0; round < 6; round++) {
    const transaction = await producer.beginTransaction()
    const messages = [0, 1].map((index) => ({
      topic: 'tx',
      partition: 0,
      value: Buffer.from(`${round}.${index}`),
    }))
    await transaction.send({ messages })
    await (round % 2 === 0 ? transaction.commit() : transaction.abort())
  }
  await producer.close()
  // Two messages and a marker each: 0.0 is at 0, 2.0 at 6, 4.0 at 12.
  const admin = new Admin({ clientId: 'test', bootstrapBrokers })
  for (const [groupId, offset] of [
    ['at-2.1', 7n],
    ['in-aborted', 4n],
    ['at-end', 18n],
  ] as const) {
    const topics = [{ name: 'tx', partitionOffsets: [{ partition: 0, offset }] }]
    await admin.alterConsumerGroupOffsets({ groupId, topics })
  }
  await admin.close()
  const names = ['at-2.1', 'in-aborted', 'at-end']
  const groups = names.flatMap((name) => ['--group', name])
  const done = await succeeds([...sides(url, target.url, 'tx'), ...groups, '--cut-over'])
  assert.match(done.stderr, /at-end goes on at the target with 0 messages to come/)
  assert.match(done.stderr, /at-2\.1 goes on at the target with 3 messages to come/)
  await succeeds([...sides(url, target.url, 'tx'), '--verify'])
  const copy = await readPartition(to.engine, 'tx')
  assert.deepEqual(
    copy.map(({ value }) => value),
    ['0.0', '0.1', '2.0', '2.1', '4.0', '4.1'],
  )
  const places = await Promise.all(names.map((name) => to.committed(name, 'tx')))
  assert.deepEqual(places, [3, 2, 6])
}

async function others(cluster: ApacheKafkaCluster, url: string): Promise<void> {
  await using source = await ServeProcess.start()
  await using from = await connect(source.url)
  await using to = await connect(url)
  await from.createTopic('used')
  await from.sendBatch('used', numbered(10))
  await from.commit('active', 'used', 4)
  const mirrored = sides(source.url, url, 'used')
  await succeeds([...mirrored, '--once'])
  const consumer = new Consumer({
    clientId: 'test',
    bootstrapBrokers: cluster.bootstrap.split(','),
    groupId: 'active',
  })
  const stream = await consumer.consume({ topics: ['used'], autocommit: false, mode: 'latest' })
  const refused = await run([...mirrored, '--group', 'active', '--cut-over'])
  await stream.close()
  await consumer.close(true)
  assert.equal(refused.code, 1, refused.stderr)
  assert.match(refused.stderr, /used\/0: the offset of active is not carried over: .*running now/)
  assert.match(refused.stderr, /kaska: not cut over: see above; the programs are to stay/)
  await succeeds([...mirrored, '--group', 'active', '--cut-over'])
  assert.equal(await to.committed('active', 'used'), 4)

  const follower = start(mirrored)
  const ended = result(follower)
  await said(follower, 'stderr', /following until Ctrl-C\n/)
  await to.send('used', 'mine')
  follower.kill('SIGINT')
  assert.equal((await ended).code, 1)
  assert.match(
    (await ended).stderr,
    /used\/0 .*: somebody else writes to the target: it ends at 11/,
  )
  const later = await run([...mirrored, '--once'])
  assert.equal(later.code, 1)
  assert.match(later.stderr, /used\/0 .*was not written by a mirror/)
}

async function outage(cluster: ApacheKafkaCluster, url: string): Promise<void> {
  await using source = await ServeProcess.start(['--sync', 'os'])
  await using target = await ServeProcess.start(['--sync', 'os'])
  await using from = await connect(source.url)
  await from.createTopic('kept', { partitions: 6 })
  const send = (start: number) =>
    Promise.all(
      [...Array(6).keys()].map((each) => from.sendBatch('kept', numbered(5000, each, start))),
    )
  await send(0)
  const small = ['--setting', 'max.message.bytes=20000']
  const followers = [
    start([...sides(source.url, url, 'kept'), ...small]),
    start([...sides(url, target.url, 'kept'), ...small]),
  ]
  const ends = followers.map(result)
  const early = Promise.race(ends).then(({ stderr }) => assert.fail(`a mirror ended: ${stderr}`))
  const untilArrived = (client: Client, count: number) =>
    Promise.race([arrived(client, count), early])
  try {
    const [broker] = cluster.brokers
    await using to = await connect(url)
    await untilArrived(to, 1000)
    await broker?.end('SIGKILL')
    await send(5000)
    await untilArrived(to, 40_000)
    await broker?.start()
    await using last = await connect(target.url)
    await Promise.all([untilArrived(to, 60_000), untilArrived(last, 60_000)])
    for (const follower of followers) follower.kill('SIGINT')
    for (const { code, stderr } of await Promise.all(ends)) assert.equal(code, 0, stderr)
    await succeeds([...sides(source.url, url, 'kept'), '--verify'])
    await succeeds([...sides(url, target.url, 'kept'), '--verify'])
  } finally {
    for (const follower of followers) {
      if (follower.exitCode === null && follower.kill('SIGKILL')) await once(follower, 'close')
    }
  }
}

/** Resolves when a side has that many messages; rejects when the client is closed. */
async function arrived(client: Client, count: number): Promise<void> {
  const total = async (): Promise<number> => {
    const ends = await Promise.all(
      [...Array(6).keys()].map((each) =>
        client.endOffset('kept', each).catch((error: unknown) => {
          if (error instanceof ClosedError) throw error
          return 0
        }),
      ),
    )
    return ends.reduce((sum, end) => sum + end, 0)
  }
  while ((await total()) < count) await new Promise((resolve) => setTimeout(resolve, 50))
}
