/** `kaska topic` and `kaska offset`. */
import assert from 'node:assert/strict'
import { after, before, test } from 'node:test'
import { run, ServeProcess } from './cli-process.ts'

let broker: ServeProcess

before(async () => {
  broker = await ServeProcess.start()
})
after(() => broker.stop('SIGKILL'))

test('create, list, describe, delete', async () => {
  const made = await broker.run([
    'topic',
    'create',
    'b',
    'a',
    '-p',
    '2',
    '-c',
    'max.message.bytes=5000',
  ])
  assert.deepEqual([made.code, made.stdout], [0, ''])
  assert.match(made.stderr, /b.*2 partitions\.\n.*a.*2 partitions\.\n$/)

  // In the order of their creation.
  assert.equal((await broker.run(['topic', 'list', '-q'])).stdout, 'b\na\n')
  assert.match(
    (await broker.run(['topic', 'ls'])).stdout,
    /^NAME {2}PARTITIONS {2}ID\nb {5}2 {11}[\w-]{22}\na {5}2 {11}[\w-]{22}\n$/,
  )

  await broker.run(['produce', 'b', '-p', '1'], { input: '1\n2\n' })
  const table = (await broker.run(['topic', 'describe', 'b'])).stdout
  assert.match(
    table,
    /^TOPIC {2}b\nID {5}[\w-]{22}\n\nPARTITION {2}START {2}END\n0 {10}0 {6}0\n1 {10}0 {6}2\n/,
  )
  assert.match(table, /max\.message\.bytes +5000 +set\n/)
  const json = JSON.parse((await broker.run(['topic', 'describe', 'b', '--json'])).stdout)
  assert.deepEqual(json.partitions, [
    { partition: 0, startOffset: 0, endOffset: 0 },
    { partition: 1, startOffset: 0, endOffset: 2 },
  ])
  const setting = json.config.find(({ name }: { name: string }) => name === 'max.message.bytes')
  assert.deepEqual(setting, { name: 'max.message.bytes', value: '5000', isDefault: false })

  const again = await broker.run(['topic', 'create', 'a'])
  assert.equal(again.code, 1)
  assert.match(again.stderr, /^kaska: [^\n]*--if-not-exists[^\n]*\n$/)
  assert.equal((await broker.run(['topic', 'create', 'a', '--if-not-exists'])).code, 0)

  assert.equal((await broker.run(['topic', 'delete', 'a', 'b'])).code, 0)
  assert.equal((await broker.run(['topic', 'list', '-q'])).stdout, '')
  for (const args of [
    ['delete', 'a'],
    ['describe', 'a'],
  ]) {
    const { code, stderr } = await broker.run(['topic', ...args])
    assert.equal(code, 1)
    assert.match(stderr, /^kaska: [^\n]+\n$/)
  }
})

test('the default room for messages is shown: 64 MiB and some', async () => {
  await broker.run(['topic', 'create', 'room'])
  const json = JSON.parse((await broker.run(['topic', 'describe', 'room', '--json'])).stdout)
  const { value } = json.config.find(({ name }: { name: string }) => name === 'max.message.bytes')
  assert.ok(Number(value) > 64 * 1024 * 1024, value)
})

test('names and settings that cannot be are refused', async () => {
  for (const args of [[''], ['a', '-c', 'no.such.setting=1'], ['a', '-c', 'max.message.bytes=x']]) {
    const { code, stderr } = await broker.run(['topic', 'create', ...args])
    assert.equal(code, 1, args.join(' '))
    assert.match(stderr, /^kaska: [^\n]+\n$/)
  }
})

test('a name with control characters cannot play with the terminal', async () => {
  const name = 'bell\x07\n\x1b[31mred'
  await broker.run(['topic', 'create', name])
  const { stdout, stderr } = await broker.run(['topic', 'list'])
  // biome-ignore lint/suspicious/noControlCharactersInRegex: they are what must not be there.
  assert.doesNotMatch(stdout + stderr, /[\x00-\x09\x0b-\x1f]/)
  assert.match(stdout, /bell\\x07\\n\\x1b\[31mred/)
  assert.equal((await broker.run(['topic', 'delete', name])).code, 0)
})

test('the broker: -b before or behind the command, KASKA_URL, BROKER_HOST and BROKER_PORT', async () => {
  const address = `127.0.0.1:${broker.port}`
  const list = ['topic', 'list', '-q']
  const port = String(broker.port)
  const expected = (await broker.run(list)).stdout
  assert.equal((await run([...list, '-b', address])).stdout, expected)
  assert.equal((await run([...list, `--broker=kaska://${address}`])).stdout, expected)
  assert.equal((await run(['-b', address, ...list])).stdout, expected)
  assert.equal((await run(list, { env: { KASKA_URL: address } })).stdout, expected)
  assert.equal((await run(list, { env: { BROKER_PORT: port } })).stdout, expected)
  const env = { KASKA_URL: '127.0.0.1:1', BROKER_PORT: '1' }
  assert.equal((await run([...list, '-b', address], { env })).stdout, expected)
})

test('offsets: get, end, at, commit, committed', async () => {
  await broker.run(['topic', 'create', 'offsets', '-p', '2'])
  const input = [1000, 2000, 3000]
    .map((timestamp) => `{"value":"","timestamp":${timestamp}}\n`)
    .join('')
  await broker.run(['produce', 'offsets', '--json', '-p', '1'], { input })
  const offset = async (...args: readonly string[]) => {
    const { code, stdout, stderr } = await broker.run(['offset', ...args])
    if (code !== 0) assert.match(stderr, /^kaska: [^\n]+\n$/)
    return code === 0 ? stdout : code
  }
  assert.equal(
    await offset('get', 'offsets'),
    'PARTITION  START  END\n0          0      0\n1          0      3\n',
  )
  assert.equal(
    await offset('get', 'offsets', '-p', '1', '--json'),
    '{"partition":1,"startOffset":0,"endOffset":3}\n',
  )
  assert.equal(await offset('end', 'offsets'), '0\n')
  assert.equal(await offset('end', 'offsets', '-p', '1'), '3\n')
  assert.equal(await offset('at', 'offsets', '1500', '-p', '1'), '1\n')
  assert.equal(await offset('at', 'offsets', '1970-01-01T00:00:03Z', '-p', '1'), '2\n')
  assert.equal(await offset('at', 'offsets', '9999', '-p', '1'), 1)
  assert.equal(await offset('committed', 'me', 'offsets'), 1)
  assert.equal(await offset('commit', 'me', 'offsets', '17'), '')
  assert.equal(await offset('commit', 'me', 'offsets', '2', '-p', '1'), '')
  assert.equal(await offset('committed', 'me', 'offsets'), '17\n')
  assert.equal(await offset('committed', 'me', 'offsets', '-p', '1'), '2\n')
  assert.equal(await offset('committed', 'you', 'offsets'), 1)
  assert.equal(await offset('end', 'offsets', '-p', '2'), 1)
  assert.equal(await offset('end', 'nowhere'), 1)
  assert.equal(await offset('commit', 'me', 'nowhere', '1'), 1)
})

test('bench prints the speed and the latencies of both ways, and leaves no topic behind', async () => {
  const before = (await broker.run(['topic', 'list', '-q'])).stdout
  const { code, stdout, stderr } = await broker.run([
    'bench',
    '-n',
    '2000',
    '--size',
    '100',
    '--batch',
    '50',
  ])
  assert.deepEqual([code, stderr], [0, ''])
  assert.match(stdout, /MESSAGES\/S +MB\/S +P50 MS +P99 MS\n/)
  assert.match(stdout, /\nin +\d+ +[\d.]+ +[\d.]+ +[\d.]+\nout +\d+ +[\d.]+/)
  assert.match(stdout, /\none at a time, in +\d+ .*\none at a time, out +[\d.]+ +[\d.]+\n$/)
  assert.equal((await broker.run(['topic', 'list', '-q'])).stdout, before)
})
