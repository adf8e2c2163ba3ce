/** `kaska serve`: its options, its one line, its signals, and what a crash leaves. */
import assert from 'node:assert/strict'
import { once } from 'node:events'
import { existsSync } from 'node:fs'
import { writeFile } from 'node:fs/promises'
import net from 'node:net'
import path from 'node:path'
import { test } from 'node:test'
import { certificate, privateKey } from '../../client/test/test-certificate.ts'
import { isInContainer } from '../src/host/container.ts'
import { run, ServeProcess, start, temporaryDirectory } from './cli-process.ts'
import * as named from './name-certificate.ts'

test('one line when it is ready: URL, data directory, sync mode', async () => {
  await using directory = await temporaryDirectory()
  const data = path.join(directory.path, 'data')
  await using broker = await ServeProcess.start(['--data', data])
  assert.equal(
    broker.ready.replace(/\(\d+ ms\)/, '(n ms)'),
    `kaska 0.1.0 ready on kaska://127.0.0.1:${broker.port}, data ${data}, sync always (n ms)\n`,
  )
  assert.ok(existsSync(data))
  await using second = await ServeProcess.start(['--sync', 'os', '--data', `${data}-2`])
  assert.match(second.ready, /, sync os \(/)
})

test('serve is what happens without a command, and the data directory is ./kaska-data', async () => {
  await using directory = await temporaryDirectory()
  const child = start(['--port', '0'], { cwd: directory.path })
  const [line] = await once(child.stdout ?? child, 'data')
  assert.match(String(line), /^kaska 0\.1\.0 ready on .*, data \.\/kaska-data, sync always/)
  assert.ok(existsSync(path.join(directory.path, 'kaska-data', 'kaska.json')))
  child.kill('SIGTERM')
  const [code] = await once(child, 'close')
  assert.equal(code, 0)
})

test('SIGTERM, SIGINT and SIGHUP are a clean stop, also with clients connected', async () => {
  for (const signal of ['SIGTERM', 'SIGINT', 'SIGHUP'] as const) {
    await using broker = await ServeProcess.start(['--topic', 'orders'])
    const reader = broker.start(['consume', 'orders', '-o', 'start'])
    const closed = once(reader, 'close')
    const socket = net.connect(broker.port, '127.0.0.1')
    socket.on('error', () => {})
    await once(socket, 'connect')
    assert.deepEqual(await broker.stop(signal), { code: 0, signal: null }, signal)
    socket.destroy()
    reader.kill('SIGKILL')
    await closed
  }
})

test('a port in use: an error that names the port and the way out', async () => {
  await using broker = await ServeProcess.start()
  const { code, stdout, stderr } = await run(['--memory', '--port', String(broker.port)])
  assert.equal(code, 1)
  assert.equal(stdout, '')
  assert.match(stderr, new RegExp(`^kaska: [^\\n]*${broker.port}[^\\n]*--port[^\\n]*\\n$`))
})

test('a data directory has one broker; its lock dies with it', async () => {
  await using directory = await temporaryDirectory()
  await using broker = await ServeProcess.start(['--data', directory.path])
  const { code, stderr } = await run(['--port', '0', '--data', directory.path])
  assert.equal(code, 1)
  assert.match(stderr, /^kaska: [^\n]*\n$/)
  assert.ok(stderr.includes(directory.path), stderr)
  await broker.stop('SIGKILL')
  await using again = await ServeProcess.start(['--data', directory.path])
  assert.ok(again.port > 0)
})

test('options come from the environment and from a file too', async () => {
  await using directory = await temporaryDirectory()
  const file = path.join(directory.path, 'kaska.json')
  const data = path.join(directory.path, 'data')
  await writeFile(file, JSON.stringify({ data, sync: 'os', topic: ['from-file:2'], broker: 'x:1' }))
  await using broker = await ServeProcess.start(['--data', data], {
    env: { KASKA_CONFIG_FILE: file },
  })
  assert.match(broker.ready, /, sync os/)
  const listed = await broker.run(['topic', 'list', '--json'])
  assert.match(listed.stdout, /^\{"name":"from-file","id":"[\w-]{22}","partitions":2\}\n$/)
  await broker.stop()

  const child = start(['serve'], {
    env: { KASKA_PORT: '0', KASKA_DATA: data, KASKA_SYNC: 'always', KASKA_TOPIC: 'a:2,b' },
  })
  const [line] = await once(child.stdout ?? child, 'data')
  assert.match(String(line), /, sync always/)
  const url = /kaska:\/\/\S+:\d+/.exec(String(line))?.[0] ?? ''
  const names = await run(['topic', 'list', '-q', '-b', url])
  assert.equal(names.stdout, 'from-file\na\nb\n')
  child.kill()
  await once(child, 'close')
})

test("the broker's configuration: --config, KASKA_CONFIG, and the file", async () => {
  await using directory = await temporaryDirectory()
  const file = path.join(directory.path, 'kaska.json')
  await writeFile(file, JSON.stringify({ config: ['log.retention.hours=2'] }))
  const ways = [
    { args: ['--config', 'log.retention.hours=2', '--config', 'message.max.bytes=5000'], env: {} },
    { args: [], env: { KASKA_CONFIG: 'log.retention.hours=2,message.max.bytes=5000' } },
    { args: [], env: { KASKA_CONFIG_FILE: file } },
  ]
  for (const { args, env } of ways) {
    await using broker = await ServeProcess.start([...args, '--topic', 'orders'], { env })
    const { stdout } = await broker.run(['topic', 'describe', 'orders', '--json'])
    const { config } = JSON.parse(stdout)
    const values = Object.fromEntries(
      config.map(({ name, value }: { name: string; value: string }) => [name, value]),
    )
    assert.equal(values['retention.ms'], '7200000')
    if (!('KASKA_CONFIG_FILE' in env)) assert.equal(values['max.message.bytes'], '5000')
  }
})

test('--memory on the command line is stronger than KASKA_DATA', async () => {
  await using directory = await temporaryDirectory()
  const data = path.join(directory.path, 'data')
  await using broker = await ServeProcess.start([], { env: { KASKA_DATA: data } })
  assert.match(broker.ready, /, data in memory/)
  assert.equal(existsSync(data), false)
})

test('--host 0.0.0.0 listens at every address', async () => {
  await using broker = await ServeProcess.start([
    '--host',
    '0.0.0.0',
    '--no-http',
    '--topic',
    'orders',
  ])
  assert.match(broker.ready, /kaska:\/\/0\.0\.0\.0:/)
  // In a container nothing tells what was dialled.
  assert.equal(/; in a container .* --advertise/.test(broker.ready), isInContainer())
  const { stdout } = await run(['topic', 'list', '-q'], {
    env: { BROKER_HOST: '127.0.0.1', BROKER_PORT: String(broker.port) },
  })
  assert.equal(stdout, 'orders\n')
})

test('--topic again leaves a topic that exists as it is', async () => {
  await using directory = await temporaryDirectory()
  const args = ['--data', directory.path, '--topic', 'orders:2']
  {
    await using broker = await ServeProcess.start(args)
    await broker.run(['produce', 'orders', '-p', '1'], { input: 'kept\n' })
    assert.deepEqual(await broker.stop(), { code: 0, signal: null })
  }
  await using broker = await ServeProcess.start(args)
  const { stdout } = await broker.run(['consume', 'orders', '-o', 'start', '-e'])
  assert.equal(stdout, 'kept\n')
})

test('what was acknowledged is there after kill -9: messages, topics, commits', async () => {
  await using directory = await temporaryDirectory()
  const lines = Array.from({ length: 500 }, (_, index) => `message ${index}\n`).join('')
  {
    await using broker = await ServeProcess.start(['--data', directory.path])
    await broker.run(['topic', 'create', 'orders'])
    assert.equal((await broker.run(['produce', 'orders'], { input: lines })).code, 0)
    assert.equal((await broker.run(['offset', 'commit', 'billing', 'orders', '7'])).code, 0)
    await broker.stop('SIGKILL')
  }
  await using broker = await ServeProcess.start(['--data', directory.path])
  assert.equal((await broker.run(['consume', 'orders', '-o', 'start', '-e'])).stdout, lines)
  assert.equal((await broker.run(['offset', 'committed', 'billing', 'orders'])).stdout, '7\n')
})

test('TLS from two files; what is wrong with them is one clear line', async () => {
  await using directory = await temporaryDirectory()
  const files = { cert: certificate, key: privateKey, other: named.privateKey }
  for (const [name, text] of Object.entries(files)) {
    await writeFile(path.join(directory.path, name), text)
  }
  const file = (name: string) => path.join(directory.path, name)
  const tls = (cert: string, key: string) => ['--tls-cert', file(cert), '--tls-key', file(key)]
  await using broker = await ServeProcess.start([...tls('cert', 'key'), '--topic', 'orders'])
  const { url } = broker
  assert.match(url, /^kaskas:/)
  const listed = await run(['topic', 'list', '-q', '-b', url], {
    env: { NODE_EXTRA_CA_CERTS: file('cert') },
  })
  assert.deepEqual([listed.stdout, listed.stderr], ['orders\n', ''])
  const refused = await run(['topic', 'list', '-b', url])
  assert.match(refused.stderr, /certificate/)
  const cases: [string[], number, RegExp][] = [
    [tls('cert', 'other'), 1, /the TLS key is not the key of the certificate\n$/],
    [tls('cert', 'missing'), 1, /--tls-key cannot be read: ENOENT.*missing'\n$/],
    [tls('.', 'key'), 1, /--tls-cert cannot be read: EISDIR/],
    [tls('key', 'key'), 1, /the TLS certificate is not a certificate in PEM form\n$/],
    [['--tls-cert', file('cert')], 2, /--tls-cert and --tls-key go together/],
    [['--plaintext'], 2, /--plaintext goes with --tls-cert/],
  ]
  for (const [args, code, message] of cases) {
    const failed = await run(['--memory', '--port', '0', ...args])
    assert.match(failed.stderr, message)
    assert.match(failed.stderr, /^kaska: [^\n]*\n$/)
    assert.equal(failed.code, code)
  }
})
