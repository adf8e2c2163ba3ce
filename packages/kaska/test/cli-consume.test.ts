/** `kaska consume`: where it begins and ends, how it prints, and how it stops. */
import assert from 'node:assert/strict'
import { once } from 'node:events'
import { after, before, test } from 'node:test'
import { freePorts } from '../../../compat/lib/broker-process.ts'
import { result, ServeProcess, said, temporaryDirectory } from './cli-process.ts'

let broker: ServeProcess
let topics = 0

before(async () => {
  broker = await ServeProcess.start()
})
after(() => broker.stop('SIGKILL'))

/** A topic of its own that holds these lines. */
async function topicOf(lines: readonly string[], partitions = 1): Promise<string> {
  const name = `t${topics++}`
  await broker.run(['topic', 'create', name, '-p', String(partitions)])
  if (lines.length > 0) await send(name, lines)
  return name
}

async function send(name: string, lines: readonly string[], args: readonly string[] = []) {
  const input = lines.map((line) => `${line}\n`).join('')
  const { code, stderr } = await broker.run(['produce', name, ...args], { input })
  assert.equal(code, 0, stderr)
}

async function consume(...args: readonly string[]): Promise<string> {
  const { code, stdout, stderr } = await broker.run(['consume', ...args])
  assert.equal(code, 0, stderr)
  return stdout
}

const ten = Array.from({ length: 10 }, (_, index) => `m${index}`)

test('-o: where it begins and ends', async () => {
  const name = await topicOf(ten)
  const offsets = async (...args: readonly string[]) =>
    (await consume(name, '-f', '%o ', ...args)).trim()
  assert.equal(await offsets('-o', 'start', '-e'), '0 1 2 3 4 5 6 7 8 9')
  assert.equal(await offsets('-o', '7', '-e'), '7 8 9')
  assert.equal(await offsets('-o', '-2', '-e'), '8 9')
  assert.equal(await offsets('-o', '-200', '-n', '2'), '0 1')
  assert.equal(await offsets('-o', '+8', '-e'), '8 9')
  assert.equal(await offsets('-o', '3:6'), '3 4 5')
  assert.equal(await offsets('-o', ':2'), '0 1')
  assert.equal(await offsets('-o', '-3:-1'), '7 8')
  assert.equal(await offsets('-o', '@0:end'), '0 1 2 3 4 5 6 7 8 9')
  assert.equal(await offsets('-o', '@2999-01-01', '-e'), '')
  assert.equal(await offsets('-o', '5:5'), '')
  assert.equal(await offsets('-o', 'end', '-e'), '')
  assert.equal(await offsets('-e'), '')
  assert.equal(await offsets('-o', 'start', '-n', '3'), '0 1 2')
  assert.equal(await offsets('-o', 'start', '-n', '0'), '')
  const outside = await broker.run(['consume', name, '-o', '11'])
  assert.equal(outside.code, 1)
  assert.match(outside.stderr, /^kaska: offset 11 [^\n]*10[^\n]*\n$/)
})

test('-o @time begins at the first message of that time or later', async () => {
  const name = await topicOf([])
  const input = [1000, 2000, 3000].map(
    (timestamp) => `{"value":"${timestamp}","timestamp":${timestamp}}\n`,
  )
  await broker.run(['produce', name, '--json'], { input: input.join('') })
  assert.equal(await consume(name, '-o', '@1500', '-e'), '2000\n3000\n')
  assert.equal(await consume(name, '-o', '@1000:@3000'), '1000\n2000\n')
})

test('without -o only what comes from now on; a range waits for its end', async () => {
  const name = await topicOf(['before'])
  // A name says when it has begun: its place is committed then.
  const follower = broker.start(['consume', name, '-n', '1', '--as', 'follower'])
  const range = broker.start(['consume', name, '-o', '1:3', '-f', '%o', '--as', 'range'])
  const ended = Promise.all([result(follower), result(range)])
  for (const who of ['follower', 'range']) {
    while ((await broker.run(['offset', 'committed', who, name])).code !== 0);
  }
  await send(name, ['after'])
  await send(name, ['last', 'not me'])
  const [first, second] = await ended
  assert.deepEqual([first.code, first.stdout], [0, 'after\n'])
  assert.deepEqual([second.code, second.stdout], [0, '12'])
})

test('formats, keys and nulls', async () => {
  const name = await topicOf([])
  await send(name, ['k:v', ':', 'none'], ['-K', ':', '-Z', '-H', 'h=1'])
  assert.equal(
    await consume(name, '-o', 'start', '-e', '-f', '%t/%p/%o %k=%s (%K,%S) %h%%\\n'),
    `${name}/0/0 k=v (1,1) h=1%\n${name}/0/1 = (-1,-1) h=1%\n${name}/0/2 =none (-1,4) h=1%\n`,
  )
  assert.equal(await consume(name, '-o', 'start', '-e', '-K', '\\t'), 'k\tv\n\t\n\tnone\n')
  assert.equal(await consume(name, '-o', 'start', '-n', '2', '-Z', '-K', ':'), 'k:v\nNULL:NULL\n')
})

test('several topics and chosen partitions', async () => {
  const one = await topicOf(['a'])
  const two = await topicOf([], 3)
  for (const partition of [0, 1, 2]) await send(two, [`p${partition}`], ['-p', String(partition)])
  const all = (await consume(one, two, one, '-o', 'start', '-e', '-f', '%t %p\\n'))
    .trim()
    .split('\n')
  assert.deepEqual(all.sort(), [`${one} 0`, `${two} 0`, `${two} 1`, `${two} 2`])
  const chosen = (await consume(two, '-o', 'start', '-e', '-p', '0,2')).trim().split('\n')
  assert.deepEqual(chosen.sort(), ['p0', 'p2'])
  assert.equal(await consume(two, '-o', 'start', '-e', '-p', '1', '-p', '1'), 'p1\n')
  const missing = await broker.run(['consume', two, '-p', '3'])
  assert.equal(missing.code, 1)
  assert.match(missing.stderr, /^kaska: [^\n]*no partition 3[^\n]*\n$/)
})

test('an unknown topic is an error, and nothing is created by the way', async () => {
  const known = await topicOf([])
  for (const args of [['nowhere'], [known, 'nowhere']]) {
    const { code, stdout, stderr } = await broker.run(['consume', ...args, '-e'])
    assert.deepEqual([code, stdout], [1, ''])
    assert.match(stderr, /^kaska: [^\n]*nowhere[^\n]*\n$/)
  }
  assert.doesNotMatch((await broker.run(['topic', 'list', '-q'])).stdout, /nowhere/)
})

test('--as goes on where the name was, and commits what was printed', async () => {
  const name = await topicOf(ten)
  const as = (...args: readonly string[]) => consume(name, '--as', 'billing', '-f', '%v ', ...args)
  assert.equal(await as('-o', 'start', '-n', '3'), 'm0 m1 m2 ')
  assert.equal((await broker.run(['offset', 'committed', 'billing', name])).stdout, '3\n')
  assert.equal(await as('-o', 'start', '-n', '2'), 'm3 m4 ')
  assert.equal(await as('-e'), 'm5 m6 m7 m8 m9 ')
  assert.equal(await as('-e'), '')
  await send(name, ['new'])
  assert.equal(await as('-e'), 'new ')
})

test('a name that has committed nothing begins at -o, and misses nothing from then on', async () => {
  const name = await topicOf(['old'])
  assert.equal(await consume(name, '--as', 'late', '-e'), '')
  await send(name, ['between'])
  assert.equal(await consume(name, '--as', 'late', '-e'), 'between\n')
})

test('commits as it goes, not only at the end', async () => {
  const name = await topicOf(ten)
  const child = broker.start(['consume', name, '--as', 'going', '-o', 'start'])
  await said(child, 'stdout', /m9\n/)
  for (;;) {
    const { stdout } = await broker.run(['offset', 'committed', 'going', name])
    if (stdout === '10\n') break
  }
  child.kill('SIGKILL')
  await once(child, 'close')
})

test('Ctrl-C and SIGTERM are a clean stop: exit code 0, all that was printed is committed', async () => {
  const name = await topicOf(ten)
  for (const signal of ['SIGINT', 'SIGTERM'] as const) {
    const child = broker.start(['consume', name, '--as', signal, '-o', 'start'])
    const ended = result(child)
    await said(child, 'stdout', /m9\n/)
    child.kill(signal)
    const { code, stderr } = await ended
    assert.deepEqual({ code, stderr }, { code: 0, stderr: '' })
    assert.equal((await broker.run(['offset', 'committed', signal, name])).stdout, '10\n')
  }
})

test('a broken pipe is quiet, and only what left is committed', async () => {
  const name = await topicOf([])
  const many = Array.from({ length: 5000 }, (_, index) => `${index} ${'x'.repeat(1000)}`)
  await send(name, many)
  const child = broker.start(['consume', name, '-o', 'start', '--as', 'head', '-f', '%o\\n%v\\n'])
  const closed = once(child, 'close')
  let errors = ''
  child.stderr?.on('data', (chunk) => {
    errors += chunk
  })
  const [chunk] = await once(child.stdout ?? child, 'data')
  assert.match(String(chunk), /^0\n0 x/)
  child.stdout?.destroy()
  const [code] = await closed
  assert.deepEqual([code, errors], [0, ''])
  const { stdout } = await broker.run(['offset', 'committed', 'head', name])
  assert.ok(Number(stdout) < 5000, stdout)
})

test('a reader that does not read holds it up, and is waited for', async () => {
  const name = await topicOf([])
  const value = 'y'.repeat(100_000)
  await send(
    name,
    Array.from({ length: 100 }, () => value),
  )
  const child = broker.start(['consume', name, '-o', 'start', '-e', '--as', 'slow'])
  // Nothing is read: the pipe fills up, and the command waits.
  await said(child, 'stdout', /y/)
  child.stdout?.pause()
  const waiting = await broker.run(['offset', 'committed', 'slow', name])
  assert.ok(Number(waiting.stdout) < 100, waiting.stdout)
  let bytes = 0
  child.stdout?.on('data', (chunk: Buffer) => {
    bytes += chunk.length
  })
  child.stdout?.resume()
  const [code] = await once(child, 'close')
  assert.equal(code, 0)
  assert.ok(bytes >= 90 * 100_001, String(bytes))
  assert.equal((await broker.run(['offset', 'committed', 'slow', name])).stdout, '100\n')
})

test('a second Ctrl-C ends it at once, whatever it waits for', async () => {
  const name = await topicOf([])
  const value = 'z'.repeat(100_000)
  await send(
    name,
    Array.from({ length: 50 }, () => value),
  )
  const child = broker.start(['consume', name, '-o', 'start'])
  const closed = once(child, 'close')
  await said(child, 'stdout', /z/)
  // Its reader is stuck: the first one is not enough, the second one is.
  child.stdout?.pause()
  child.kill('SIGINT')
  const again = setInterval(() => child.kill('SIGINT'), 100)
  const exited = await once(child, 'exit')
  clearInterval(again)
  assert.deepEqual(exited, [1, null])
  child.stdout?.destroy()
  await closed
})

test('goes on when the broker is killed and started again', async () => {
  await using directory = await temporaryDirectory()
  const serve = ['--data', directory.path, '--port', (await freePorts(1)).join()]
  const first = await ServeProcess.start([...serve, '--topic', 'orders'])
  await first.run(['produce', 'orders'], { input: 'before\n' })
  const child = first.start(['consume', 'orders', '-o', 'start', '-n', '2'])
  const ended = result(child)
  await said(child, 'stdout', /before\n/)
  await first.stop('SIGKILL')
  await using second = await ServeProcess.start(serve)
  await second.run(['produce', 'orders'], { input: 'after\n' })
  assert.deepEqual(await ended.then(({ code, stderr }) => [code, stderr]), [0, ''])
})

test('the reader of a list may go away too', async () => {
  const child = broker.start(['topic', 'list'])
  child.stdout?.destroy()
  const { code, stderr } = await result(child)
  assert.deepEqual([code, stderr], [0, ''])
})
