/** `kaska log dump|verify|repair` on the directory of a stopped broker. */
import assert from 'node:assert/strict'
import { open, readdir, stat } from 'node:fs/promises'
import path from 'node:path'
import { test } from 'node:test'
import { run, ServeProcess, temporaryDirectory } from './cli-process.ts'

/** A stopped broker's directory: the topic `orders` with messages sent in three goes. */
async function dataOf(directory: string): Promise<string> {
  await using broker = await ServeProcess.start(['--data', directory, '--topic', 'orders'])
  for (const input of ['a\nb\n', 'c\n', 'd\n']) {
    assert.equal((await broker.run(['produce', 'orders'], { input })).code, 0)
  }
  await broker.stop()
  const [partition = ''] = await readdir(path.join(directory, 'topics'))
  return `topics/${partition}`
}

async function flip(file: string, position: number): Promise<void> {
  await using handle = await open(file, 'r+')
  const byte = new Uint8Array(1)
  await handle.read(byte, 0, 1, position)
  byte[0] = (byte[0] ?? 0) ^ 0xff
  await handle.write(byte, 0, 1, position)
}

test('dump prints every batch; verify finds nothing', async () => {
  await using directory = await temporaryDirectory()
  const log = await dataOf(directory.path)
  const dump = await run(['log', 'dump', directory.path, log, '--json'])
  assert.deepEqual([dump.code, dump.stderr], [0, ''])
  const batches = dump.stdout
    .trim()
    .split('\n')
    .map((line) => JSON.parse(line))
  assert.deepEqual(
    batches.map(({ baseOffset, lastOffset, recordCount, crcIsValid }) => [
      baseOffset,
      lastOffset,
      recordCount,
      crcIsValid,
    ]),
    [
      [0, 1, 2, true],
      [2, 2, 1, true],
      [3, 3, 1, true],
    ],
  )
  const { size } = await stat(path.join(directory.path, log, '00000000000000000000.log'))
  assert.equal(
    batches.reduce((sum, { bytes }) => sum + bytes, 0),
    size,
  )

  const lines = await run(['log', 'dump', directory.path])
  assert.match(
    lines.stdout,
    new RegExp(`^${log}/0{20}\\.log position 0, offsets 0-1, records 2, bytes \\d+, crc ok,`, 'm'),
  )
  assert.match(lines.stdout, /^state\//m)

  const verify = await run(['log', 'verify', directory.path])
  assert.deepEqual([verify.code, verify.stdout, verify.stderr], [0, '', 'No damage.\n'])
  const repair = await run(['log', 'repair', directory.path])
  assert.deepEqual([repair.code, repair.stdout], [0, ''])
})

test('verify exits with 1 on damage; repair cuts it off and keeps what was cut', async () => {
  await using directory = await temporaryDirectory()
  const log = await dataOf(directory.path)
  const file = `${log}/00000000000000000000.log`
  const dump = await run(['log', 'dump', directory.path, log, '--json'])
  const [, second] = dump.stdout.split('\n').map((line) => (line === '' ? {} : JSON.parse(line)))
  await flip(path.join(directory.path, file), second.position + second.bytes - 1)

  const wrong = await run(['log', 'dump', directory.path, log])
  assert.match(wrong.stdout, /offsets 2-2, .*crc WRONG/)
  const verify = await run(['log', 'verify', directory.path])
  assert.equal(verify.code, 1)
  assert.match(
    verify.stdout,
    new RegExp(`^${file} position ${second.position}, offset 2: damage: `),
  )
  assert.match(verify.stderr, /^kaska: 1 log is damaged; [^\n]*kaska log repair [^\n]*\n$/)

  const repair = await run(['log', 'repair', directory.path])
  assert.equal(repair.code, 0, repair.stderr)
  assert.match(repair.stdout, /cut off \d+ bytes, moved to .*\.cut-\d+/)
  assert.equal((await run(['log', 'verify', directory.path])).code, 0)

  await using broker = await ServeProcess.start(['--data', directory.path])
  assert.equal((await broker.run(['consume', 'orders', '-o', 'start', '-e'])).stdout, 'a\nb\n')
  await broker.run(['produce', 'orders'], { input: 'again\n' })
  assert.equal((await broker.run(['consume', 'orders', '-o', '-1', '-e'])).stdout, 'again\n')
})

test("a running broker's directory, and one that is none, are left alone", async () => {
  await using directory = await temporaryDirectory()
  await using broker = await ServeProcess.start(['--data', directory.path])
  for (const command of ['dump', 'verify', 'repair']) {
    const locked = await run(['log', command, directory.path])
    assert.equal(locked.code, 1)
    assert.match(locked.stderr, /^kaska: [^\n]+\n$/)
    const none = path.join(directory.path, 'none')
    const missing = await run(['log', command, none])
    assert.equal(missing.code, 1)
    assert.match(missing.stderr, /^kaska: [^\n]*none is no data directory of Kaska\n$/)
    await assert.rejects(stat(none))
  }
  assert.equal((await broker.run(['topic', 'list'])).code, 0)
})
