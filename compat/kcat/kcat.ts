/** kcat, checked: see ../node/checks.ts. */
import assert from 'node:assert/strict'
import { type ChildProcess, spawn } from 'node:child_process'
import { once } from 'node:events'
import process from 'node:process'
import { createInterface } from 'node:readline'
import { Checks, uniqueName, until } from '../node/checks.ts'
import { KafkajsTools } from '../node/kafkajs-tools.ts'

const bootstrap = process.argv[2] ?? ''
const checks = new Checks()
const tools = new KafkajsTools(bootstrap)
const partitionCount = 6

interface Result {
  readonly output: string
  readonly complaints: string
  readonly status: number | null
}

function start(argv: readonly string[]): ChildProcess {
  return spawn('kcat', ['-b', bootstrap, ...argv], { stdio: ['pipe', 'pipe', 'pipe'] })
}

async function run(argv: readonly string[], input: string | Buffer = ''): Promise<Result> {
  const child = start(argv)
  const read = async (stream: ChildProcess['stdout']): Promise<string> =>
    stream === null ? '' : (await stream.setEncoding('utf8').toArray()).join('')
  child.stdin?.on('error', () => undefined)
  child.stdin?.end(input)
  const exit = once(child, 'close')
  const [output, complaints] = await Promise.all([read(child.stdout), read(child.stderr)])
  const [status] = await exit
  return { output, complaints, status }
}

/** What it printed; throws if it failed. */
async function kcat(argv: readonly string[], input: string | Buffer = ''): Promise<string> {
  const { output, complaints, status } = await run(argv, input)
  assert.equal(status, 0, complaints)
  return output
}

const lines = (count: number): string =>
  Array.from({ length: count }, (_, index) => `message ${index} of many\n`).join('')

for (const compression of ['none', 'gzip', 'snappy', 'lz4', 'zstd']) {
  checks.add(`produce and consume: ${compression}`, async () => {
    const topic = await tools.createTopic()
    const compressed = ['-X', `compression.codec=${compression}`]
    await kcat(['-P', '-t', topic, ...compressed], lines(1000))
    assert.equal(await kcat(['-C', '-t', topic, '-o', 'beginning', '-e', '-q']), lines(1000))
  })
}

checks.add('keys and headers, null and empty values', async () => {
  const topic = await tools.createTopic()
  const headers = ['-H', 'one=1', '-H', 'twice=a', '-H', 'twice=b']
  await kcat(['-P', '-t', topic, '-K', ':', '-Z', ...headers], 'key:value\nnull:\n')
  const format = '%k|%s|%S|%h|%o\n'
  const read = await kcat(['-C', '-t', topic, '-o', 'beginning', '-e', '-q', '-f', format])
  const told = 'one=1,twice=a,twice=b'
  assert.equal(read, `key|value|5|${told}|0\nnull||-1|${told}|1\n`)
})

checks.add('messages of 1 MB', async () => {
  const topic = await tools.createTopic()
  const value = 'x'.repeat(999_000)
  await kcat(['-P', '-t', topic], `${value}\n${value}\n`)
  const read = await kcat(['-C', '-t', topic, '-o', 'beginning', '-e', '-q', '-f', '%S\n'])
  assert.equal(read, '999000\n999000\n')
})

checks.add('a topic made by its first message', async () => {
  const topic = uniqueName('auto')
  await kcat(['-P', '-t', topic], 'first\n')
  assert.equal(await kcat(['-C', '-t', topic, '-o', 'beginning', '-e', '-q']), 'first\n')
})

checks.add('metadata', async () => {
  const topic = await tools.createTopic(3)
  const all = JSON.parse(await kcat(['-L', '-J']))
  assert.deepEqual(all.brokers, [{ id: all.brokers[0].id, name: bootstrap }])
  assert.ok(all.topics.some((each: { topic: string }) => each.topic === topic))
  const one = JSON.parse(await kcat(['-L', '-J', '-t', topic]))
  assert.equal(one.topics[0].partitions.length, 3)
  const unknown = JSON.parse(
    await kcat(['-L', '-J', '-t', uniqueName('no'), '-X', 'allow.auto.create.topics=false']),
  )
  assert.match(unknown.topics[0].error, /Unknown topic/)
})

checks.add('offsets: from the end, by time', async () => {
  const topic = await tools.createTopic()
  const start = 1_700_000_000_000
  for (const index of [0, 1, 2, 3]) {
    const timestamp = String(start + index * 1_000)
    await tools.send(topic, [{ value: String(index), timestamp }])
  }
  const at = async (time: number | string) => await kcat(['-Q', '-t', `${topic}:0:${time}`])
  assert.equal(await at(start + 500), `${topic} [0] offset 1\n`)
  assert.equal(await at(-2), `${topic} [0] offset 0\n`)
  assert.equal(await at(-1), `${topic} [0] offset 4\n`)
  const read = async (from: string) => await kcat(['-C', '-t', topic, '-o', from, '-e', '-q'])
  assert.equal(await read('-2'), '2\n3\n')
  assert.equal(await read(`s@${start + 1_500}`), '2\n3\n')
})

checks.add('acks: none, leader', async () => {
  const topic = await tools.createTopic()
  for (const acks of ['0', '1']) await kcat(['-P', '-t', topic, '-X', `acks=${acks}`], `${acks}\n`)
  assert.equal(await kcat(['-C', '-t', topic, '-o', 'beginning', '-e', '-q']), '0\n1\n')
})

checks.add(
  'idempotent producer over a restart of the broker',
  async () => {
    const topic = await tools.createTopic()
    const settings = ['-X', 'enable.idempotence=true', '-X', 'retry.backoff.ms=50', '-E']
    const child = start(['-P', '-t', topic, ...settings])
    const exit = once(child, 'exit')
    let restarted: Promise<void> | undefined
    const expected: string[] = []
    for (let index = 0; index < 3_000; index++) {
      if (index === 1_000) restarted = checks.restartBroker('kill')
      expected.push(`${index}\n`)
      child.stdin?.write(`${index}\n`)
      if (index % 10 === 0) await new Promise((resolve) => setTimeout(resolve, 1))
    }
    await restarted
    child.stdin?.end()
    await exit
    const read = await kcat(['-C', '-t', topic, '-o', 'beginning', '-e', '-q'])
    assert.equal(read, expected.join(''))
  },
  { msMax: 60_000 },
)

checks.add(
  'group of 3: joins, leaves and a crash',
  async () => {
    const topic = await tools.createTopic(partitionCount)
    const group = uniqueName('group')
    const [one, two] = [new Member(group, topic), new Member(group, topic)]
    const settled = (members: readonly Member[]) =>
      until('each partition has one owner', () => {
        const owned = members.flatMap((member) => member.assigned)
        const isShared = members.every((member) => member.assigned.length > 0)
        return isShared && owned.length === partitionCount && new Set(owned).size === owned.length
      })
    await settled([one, two])
    const three = new Member(group, topic)
    await settled([one, two, three])
    const sent = Array.from({ length: 120 }, (_, index) => `${index % partitionCount}-${index}`)
    const messages = sent.map((value, index) => ({ value, partition: index % partitionCount }))
    const seen = () => new Set([one, two, three].flatMap((member) => member.values))
    const all = (values: readonly string[]) =>
      until('all is seen', () => values.every((value) => seen().has(value)))
    await tools.send(topic, messages.slice(0, 60))
    // kcat commits what it has taken but not printed when it is told to end: not while it reads.
    await all(sent.slice(0, 60))
    await two.end('SIGTERM')
    await settled([one, three])
    await three.end('SIGKILL')
    await settled([one])
    await tools.send(topic, messages.slice(60))
    await all(sent)
    await one.end('SIGTERM')
  },
  { msMax: 60_000 },
)

checks.add('group: goes on where it was', async () => {
  const topic = await tools.createTopic()
  const group = uniqueName('group')
  await kcat(['-P', '-t', topic], lines(10))
  const read = async () => {
    const settings = ['-X', 'auto.offset.reset=earliest', '-X', 'fetch.wait.max.ms=100']
    return await kcat(['-G', group, ...settings, '-e', '-q', topic])
  }
  assert.equal(await read(), lines(10))
  await kcat(['-P', '-t', topic], 'more\n')
  assert.equal(await read(), 'more\n')
})

checks.add('errors: an unknown topic, a message that is too large', async () => {
  const off = ['-X', 'allow.auto.create.topics=false']
  const unknown = await run(['-C', '-t', uniqueName('no'), '-e', ...off])
  assert.notEqual(unknown.status, 0)
  assert.match(unknown.complaints, /Unknown topic or partition/)
  const topic = await tools.createTopic()
  const large = ['-X', 'message.max.bytes=3000000']
  const { complaints } = await run(['-P', '-t', topic, ...large], `${'x'.repeat(1_100_000)}\n`)
  assert.match(complaints, /Message size too large/)
})

/** A member of a group; it commits by itself, and when it leaves. */
class Member {
  assigned: readonly number[] = []
  readonly values: string[] = []
  readonly #child: ChildProcess

  constructor(group: string, topic: string) {
    const settings = ['auto.offset.reset=earliest', 'session.timeout.ms=6000']
    const more = ['heartbeat.interval.ms=300', 'auto.commit.interval.ms=100']
    const options = [...settings, ...more].flatMap((setting) => ['-X', setting])
    this.#child = start(['-G', group, ...options, '-u', topic])
    const { stdout, stderr } = this.#child
    if (stdout === null || stderr === null) throw new Error('a child without pipes')
    createInterface({ input: stdout }).on('line', (line) => this.values.push(line))
    createInterface({ input: stderr }).on('line', (line) => {
      const assigned = /assigned: (.*)$/.exec(line)?.[1]
      if (/revoked: /.test(line)) this.assigned = []
      if (assigned !== undefined) {
        this.assigned = [...assigned.matchAll(/\[(\d+)\]/g)].map((match) => Number(match[1]))
      }
    })
  }

  async end(signal: NodeJS.Signals): Promise<void> {
    const exit = once(this.#child, 'exit')
    this.#child.kill(signal)
    await exit
    this.assigned = []
  }
}

await checks.run()
