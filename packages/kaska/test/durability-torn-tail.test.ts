/**
 * What a start does with a damaged directory, on real files and with the real command: a torn tail is
 * cut, moved aside and said; damage that is not a torn tail takes its partition offline with the reason,
 * and all others serve; `kaska log verify` and `kaska log repair` find and cut it.
 */
import assert from 'node:assert/strict'
import { appendFile, readdir, readFile, stat, truncate, writeFile } from 'node:fs/promises'
import path from 'node:path'
import { test } from 'node:test'
import { type Client, connect, PartitionOfflineError } from '@kaska/client'
import { run, ServeProcess, temporaryDirectory } from './cli-process.ts'

const messageCount = 50
const topics = ['cut', 'garbage', 'half', 'middle', 'sound']

const textOf = (topic: string, number: number): string => `${topic} ${number} ${'x'.repeat(300)}`

/** A directory after `kill -9`, with messages in five topics, each message a batch of its own. */
async function killedDirectory(data: string): Promise<(topic: string) => string> {
  await using broker = await ServeProcess.start(['--data', data])
  const client = await connect(broker.url)
  for (const topic of topics) {
    await client.createTopic(topic)
    for (let number = 0; number < messageCount; number++) {
      await client.send(topic, textOf(topic, number))
    }
  }
  const ids = new Map((await client.topics()).map(({ id, name }) => [name, id]))
  await broker.stop('SIGKILL')
  await client.close()
  return (topic) => path.join(data, 'topics', `${ids.get(topic)}-0`)
}

const segment = '00000000000000000000.log'

async function read(client: Client, topic: string): Promise<string[]> {
  const end = await client.endOffset(topic)
  await client.subscribe([topic])
  client.seek(topic, 0)
  const values: string[] = []
  while (values.length < end) {
    const message = await client.poll({ timeoutMs: 5000 })
    assert.ok(message !== undefined, `${topic} ends at ${values.length} of ${end}`)
    values.push(new TextDecoder().decode(message.value ?? new Uint8Array(0)))
  }
  client.unsubscribe()
  return values
}

const all = (topic: string, count = messageCount): string[] =>
  Array.from({ length: count }, (_, number) => textOf(topic, number))

test('torn tails are cut, moved aside and said; damage in the middle takes one partition offline', async () => {
  await using directory = await temporaryDirectory()
  const data = path.join(directory.path, 'data')
  const folderOf = await killedDirectory(data)
  const fileOf = (topic: string): string => path.join(folderOf(topic), segment)

  const { size } = await stat(fileOf('cut'))
  await truncate(fileOf('cut'), size - 7)
  await appendFile(fileOf('garbage'), new Uint8Array(1000).fill(0xa5))
  const bytes = await readFile(fileOf('half'))
  // The beginning of a batch that would be the next one, but for its offset.
  await appendFile(fileOf('half'), bytes.subarray(0, 200))
  const damaged = await readFile(fileOf('middle'))
  damaged[damaged.length >> 1] = (damaged[damaged.length >> 1] ?? 0) ^ 0x10
  await writeFile(fileOf('middle'), damaged)

  const verified = await run(['log', 'verify', data])
  assert.equal(verified.code, 1, verified.stderr)
  assert.match(verified.stdout + verified.stderr, new RegExp(path.basename(folderOf('middle'))))

  {
    await using broker = await ServeProcess.start(['--data', data])
    const client = await connect(broker.url)
    assert.deepEqual(await read(client, 'sound'), all('sound'))
    assert.deepEqual(await read(client, 'garbage'), all('garbage'))
    assert.deepEqual(await read(client, 'half'), all('half'))
    assert.deepEqual(await read(client, 'cut'), all('cut', messageCount - 1))
    // The next message takes the place of the one that was torn off.
    assert.equal((await client.send('cut', 'again')).offset, messageCount - 1)

    await assert.rejects(client.send('middle', 'more'), (error: unknown) => {
      assert.ok(error instanceof PartitionOfflineError, String(error))
      assert.match(error.message, /position|offset/)
      return true
    })
    await client.send('sound', textOf('sound', messageCount))
    for (const topic of ['cut', 'garbage', 'half']) {
      const folder = path.basename(folderOf(topic))
      const line = broker.stderr.split('\n').find((said) => said.includes(folder)) ?? ''
      assert.match(line, /torn tail of \d+ bytes .* at position \d+, offset \d+/, broker.stderr)
      const aside = (await readdir(folderOf(topic))).filter((name) => name.includes('.cut-'))
      assert.deepEqual(aside, ['00000000000000000000.cut-1'], topic)
    }
    const cutOff = await readFile(path.join(folderOf('garbage'), '00000000000000000000.cut-1'))
    assert.deepEqual(new Uint8Array(cutOff), new Uint8Array(1000).fill(0xa5))
    assert.match(
      broker.stderr,
      new RegExp(`${path.basename(folderOf('middle'))}.*kaska log repair`),
    )
    assert.equal((await readFile(fileOf('middle'))).compare(damaged), 0, 'nothing was cut')
    await client.close()
    assert.deepEqual(await broker.stop(), { code: 0, signal: null })
  }

  assert.equal((await run(['log', 'verify', data])).code, 1)
  const repaired = await run(['log', 'repair', data])
  assert.equal(repaired.code, 0, repaired.stderr)
  assert.equal((await run(['log', 'verify', data])).code, 0)

  await using broker = await ServeProcess.start(['--data', data])
  const client = await connect(broker.url)
  const kept = await read(client, 'middle')
  assert.ok(kept.length > 10 && kept.length < messageCount, `${kept.length}`)
  assert.deepEqual(kept, all('middle', kept.length))
  assert.equal((await client.send('middle', 'more')).offset, kept.length)
  assert.deepEqual(await read(client, 'sound'), all('sound', messageCount + 1))
  await client.close()
})

test('a directory that is in use can be neither verified nor repaired', async () => {
  await using directory = await temporaryDirectory()
  await using broker = await ServeProcess.start(['--data', directory.path])
  for (const command of ['verify', 'repair']) {
    const { code, stderr } = await run(['log', command, directory.path])
    assert.equal(code, 1, command)
    assert.match(stderr, /open|use|lock/i)
  }
  assert.equal(broker.child.exitCode, null)
})
