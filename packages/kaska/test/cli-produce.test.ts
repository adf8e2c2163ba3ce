/** `kaska produce`: what becomes a message, and what is an error. */
import assert from 'node:assert/strict'
import { once } from 'node:events'
import { createReadStream } from 'node:fs'
import { readdir, readFile, writeFile } from 'node:fs/promises'
import path from 'node:path'
import process from 'node:process'
import { after, before, test } from 'node:test'
import { type RunOptions, result, ServeProcess, said, temporaryDirectory } from './cli-process.ts'

let broker: ServeProcess
let topics = 0

before(async () => {
  broker = await ServeProcess.start()
})
after(() => broker.stop('SIGKILL'))

/** A topic of its own. */
async function topic(partitions = 1): Promise<string> {
  const name = `t${topics++}`
  const { code } = await broker.run(['topic', 'create', name, '-p', String(partitions)])
  assert.equal(code, 0)
  return name
}

/** Sends; it has to work, and to say nothing. */
async function produce(name: string, args: readonly string[], options: RunOptions): Promise<void> {
  const { code, stdout, stderr } = await broker.run(['produce', name, ...args], options)
  assert.deepEqual({ code, stdout, stderr }, { code: 0, stdout: '', stderr: '' })
}

/** All messages of a topic, each as the parsed JSON of `consume --json`. */
async function messages(name: string): Promise<Record<string, unknown>[]> {
  const { stdout } = await broker.run(['consume', name, '-o', 'start', '-e', '--json'])
  return stdout
    .split('\n')
    .filter((line) => line !== '')
    .map((line) => JSON.parse(line))
}

const values = async (name: string) => (await messages(name)).map(({ value }) => value)

test('each line is a message: empty ones, and a last one without a newline, too', async () => {
  const name = await topic()
  await produce(name, [], { input: 'one\n\ntwo\n' })
  await produce(name, [], { input: 'no newline' })
  await produce(name, [], { input: '\n' })
  await produce(name, [], { input: '' })
  assert.deepEqual(await values(name), ['one', '', 'two', 'no newline', ''])
})

test('a line may hold any byte but the newline', async () => {
  const name = await topic()
  const bytes = Uint8Array.from({ length: 256 }, (_, byte) => byte)
  await produce(name, [], { input: bytes })
  const { bytes: out } = await broker.run(['consume', name, '-o', 'start', '-e'])
  assert.deepEqual(out, Buffer.concat([bytes, Buffer.from('\n')]))
})

test('keys: one for all, or in each line before a delimiter', async () => {
  const name = await topic()
  await produce(name, ['-k', 'all'], { input: 'a\nb\n' })
  await produce(name, ['-K', '::'], { input: 'k1::v1\nk2::a::b\nnone\n::v\nk::\n:half:\n' })
  await produce(name, ['-K', '\\t'], { input: 'k\tv\n' })
  const pairs = (await messages(name)).map(({ key, value }) => [key, value])
  assert.deepEqual(pairs, [
    ['all', 'a'],
    ['all', 'b'],
    ['k1', 'v1'],
    ['k2', 'a::b'],
    [null, 'none'],
    ['', 'v'],
    ['k', ''],
    [null, ':half:'],
    ['k', 'v'],
  ])
})

test('-Z: what is empty is null', async () => {
  const name = await topic()
  await produce(name, ['-Z', '-K', ':'], { input: ':v\nk:\n:\nx:y\n' })
  await produce(name, ['-Z'], { input: '\n' })
  const pairs = (await messages(name)).map(({ key, value }) => [key, value])
  assert.deepEqual(pairs, [
    [null, 'v'],
    ['k', null],
    [null, null],
    ['x', 'y'],
    [null, null],
  ])
})

test('headers in their order, repeated ones included', async () => {
  const name = await topic()
  await produce(name, ['-H', 'b=1', '-H', 'a=x=y', '-H', 'b='], { input: 'v\n' })
  const [message] = await messages(name)
  assert.deepEqual(message?.['headers'], [
    ['b', '1'],
    ['a', 'x=y'],
    ['b', ''],
  ])
})

test('a partition that is given, and one by the key', async () => {
  const name = await topic(4)
  await produce(name, ['-p', '3'], { input: 'a\nb\n' })
  await produce(name, ['-k', 'same'], { input: 'c\nd\n' })
  const found = await messages(name)
  assert.deepEqual(
    found
      .filter(({ partition }) => partition === 3)
      .map(({ value }) => value)
      .slice(0, 2),
    ['a', 'b'],
  )
  assert.equal(
    new Set(found.filter(({ key }) => key === 'same').map(({ partition }) => partition)).size,
    1,
  )
  const { code, stderr } = await broker.run(['produce', name, '-p', '4'], { input: 'x\n' })
  assert.equal(code, 1)
  assert.match(stderr, /^kaska: [^\n]+\n$/)
})

test('--file sends a whole file as one message', async () => {
  await using directory = await temporaryDirectory()
  const name = await topic()
  const file = path.join(directory.path, 'file')
  const content = Buffer.concat([Buffer.from('two\nlines\n'), Buffer.alloc(300_000, 0xfe)])
  await writeFile(file, content)
  await produce(name, ['--file', file, '-k', 'f'], {})
  await produce(name, ['--file', '-'], { input: content })
  const { bytes } = await broker.run(['consume', name, '-o', 'start', '-e', '-f', '%v'])
  assert.deepEqual(bytes, Buffer.concat([content, content]))
  const missing = await broker.run(['produce', name, '--file', path.join(directory.path, 'none')])
  assert.equal(missing.code, 1)
  assert.match(missing.stderr, /^kaska: the file cannot be read[^\n]+\n$/)
})

test('an unknown topic is an error, and nothing is created by the way', async () => {
  for (const input of ['', 'a\n']) {
    const { code, stdout, stderr } = await broker.run(['produce', 'no-such-topic'], { input })
    assert.equal(code, 1)
    assert.equal(stdout, '')
    assert.match(stderr, /^kaska: [^\n]*no-such-topic[^\n]*topic create[^\n]*\n$/)
  }
  assert.doesNotMatch((await broker.run(['topic', 'list', '-q'])).stdout, /no-such-topic/)
})

test('lines of JSON may name their topics', async () => {
  const [a, b] = [await topic(), await topic()]
  const input = `{"topic":"${a}","value":"1"}\n\n{"topic":"${b}","value":"2"}\n`
  const { code } = await broker.run(['produce', '--json'], { input })
  assert.equal(code, 0)
  assert.deepEqual([await values(a), await values(b)], [['1'], ['2']])
  const none = await broker.run(['produce', '--json'], { input: '{"value":"1"}\n' })
  assert.equal(none.code, 1)
  assert.match(none.stderr, /^kaska: line 1 names no topic[^\n]*\n$/)
})

test('a line that is not JSON stops it; what stood before it was sent', async () => {
  const name = await topic()
  const { code, stderr } = await broker.run(['produce', name, '--json'], {
    input: '{"value":"1"}\n{"value":"2"}\n{"val":"3"}\n{"value":"4"}\n',
  })
  assert.equal(code, 1)
  assert.match(stderr, /^kaska: line 3 [^\n]*; [^\n]*2 messages were sent[^\n]*\n$/)
  assert.deepEqual(await values(name), ['1', '2'])
})

test('a message that is too large: the line is named', async () => {
  const name = `t${topics++}`
  await broker.run(['topic', 'create', name, '-c', 'max.message.bytes=2000'])
  const { code, stderr } = await broker.run(['produce', name], {
    input: `small\n${'x'.repeat(5000)}\n`,
  })
  assert.equal(code, 1)
  assert.match(stderr, /^kaska: line \d was not sent: [^\n]*max\.message\.bytes[^\n]*\n$/)
})

test('Ctrl-C: what was read is sent, exit code 0', async () => {
  const name = await topic()
  const child = broker.start(['produce', name])
  const ended = result(child)
  child.stdin?.write('read\nhalf a li')
  // It is there when it was read.
  const reader = broker.start(['consume', name, '-o', 'start', '-n', '1'])
  await said(reader, 'stdout', /read\n/)
  child.kill('SIGINT')
  const { code, stderr } = await ended
  assert.deepEqual({ code, stderr }, { code: 0, stderr: '' })
  assert.deepEqual((await values(name))[0], 'read')
})

test('a large stream goes through in bounded memory, in order', {
  skip: process.platform !== 'linux',
}, async (t) => {
  const name = await topic()
  await using directory = await temporaryDirectory()
  const file = path.join(directory.path, 'lines')
  const line = 'x'.repeat(1000)
  const count = 60_000
  await writeFile(file, Array.from({ length: count }, (_, index) => `${index} ${line}\n`).join(''))
  const child = broker.start(['produce', name])
  let peakKib = 0
  const watch = setInterval(async () => {
    const status = await readFile(`/proc/${child.pid}/status`, 'utf8').catch(() => '')
    peakKib = Math.max(peakKib, Number(/VmHWM:\s+(\d+)/.exec(status)?.[1] ?? 0))
  }, 50)
  const closed = once(child, 'close')
  if (child.stdin !== null) createReadStream(file).pipe(child.stdin)
  const [code] = await closed
  clearInterval(watch)
  assert.equal(code, 0)
  t.diagnostic(`60 MB of lines: peak ${Math.round(peakKib / 1024)} MiB`)
  assert.ok(peakKib < 300 * 1024, `${peakKib} KiB`)
  const { stdout } = await broker.run([
    'consume',
    name,
    '-o',
    `${count - 2}:${count}`,
    '-f',
    '%o=%v\\n',
  ])
  assert.deepEqual(
    stdout.split('\n').map((text) => text.split(' ')[0]),
    [`${count - 2}=${count - 2}`, `${count - 1}=${count - 1}`, ''],
  )
})

/** Do all threads of a process wait for something? On a busy machine those that have work wait for a
 * processor, and are not asleep. Where nothing tells (no Linux), true. */
async function isAsleep(pid: number | undefined): Promise<boolean> {
  const threads = await readdir(`/proc/${pid}/task`).catch(() => [])
  const states = threads.map(async (thread) => {
    const stat = await readFile(`/proc/${pid}/task/${thread}/stat`, 'utf8').catch(() => ') S')
    return stat.charAt(stat.lastIndexOf(')') + 2)
  })
  return (await Promise.all(states)).every((state) => state === 'S')
}

test('a broker that does not answer holds up the reading: memory stays bounded', {
  skip: process.platform === 'win32' && 'a process is stopped by a signal',
}, async () => {
  await using slow = await ServeProcess.start(['--topic', 'orders'])
  const child = slow.start(['produce', 'orders'])
  const ended = result(child)
  child.stdin?.write('it is connected\n')
  while ((await slow.run(['offset', 'end', 'orders'])).stdout !== '1\n');
  slow.child.kill('SIGSTOP')

  const lines = Buffer.from(`${'y'.repeat(999)}\n`.repeat(1000))
  let chunks = 0
  const feed = async (): Promise<void> => {
    while (chunks < 100) {
      chunks++
      if (child.stdin?.write(lines) === false) await once(child.stdin, 'drain')
    }
    child.stdin?.end()
  }
  const fed = feed()
  // Until it was asleep at each of ten looks, and took nothing more.
  for (let looks = 0; looks < 10; ) {
    const before = chunks
    await new Promise((resolve) => setTimeout(resolve, 50))
    looks = chunks === before && (await isAsleep(child.pid)) ? looks + 1 : 0
  }
  assert.ok(chunks < 50, `${chunks} MB were taken`)

  slow.child.kill('SIGCONT')
  await fed
  assert.deepEqual(await ended.then(({ code, stderr }) => [code, stderr]), [0, ''])
  assert.equal((await slow.run(['offset', 'end', 'orders'])).stdout, '100001\n')
})
