/** What `consume --json` prints, `produce --json` takes back unchanged, whatever the bytes. */
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { ServeProcess } from './cli-process.ts'

test('hostile content goes out and in again, byte for byte', async () => {
  await using broker = await ServeProcess.start(['--topic', 'from:3', '--topic', 'to:3'])
  const base64 = (bytes: readonly number[]) => ({ base64: Buffer.from(bytes).toString('base64') })
  const every = Array.from({ length: 256 }, (_, byte) => byte)
  const input = [
    { value: '', key: '' },
    { value: null, key: null },
    { value: base64(every), key: base64([0xff]), partition: 2 },
    { value: 'a\nb\r\n\u2028\u2029\u0085\0"\\{"base64":"AA=="}' },
    { value: '\ufeffmark', headers: [['\ufeff', '\ufeff']] },
    { value: 'größe 🚀', key: '🔑', timestamp: 1_234_567_890_123, partition: 1 },
    {
      value: 'h',
      headers: [
        ['a', '1'],
        ['a', null],
        ['', ''],
        ['a', base64([0x80])],
        ['é\n', '2'],
      ],
    },
    { value: base64([0xc3]), key: base64([0xed, 0xa0, 0x80]) },
  ]
  const lines = input.map((message) => `${JSON.stringify(message)}\n`).join('')
  const sent = await broker.run(['produce', 'from', '--json'], { input: lines })
  assert.deepEqual([sent.code, sent.stderr], [0, ''])

  const first = await broker.run(['consume', 'from', '-o', 'start', '-e', '--json'])
  assert.equal(first.stdout.split('\n').length, input.length + 1)
  const copied = await broker.run(['produce', 'to', '--json'], { input: first.bytes })
  assert.deepEqual([copied.code, copied.stderr], [0, ''])
  const second = await broker.run(['consume', 'to', '-o', 'start', '-e', '--json'])

  const parse = (text: string) =>
    text
      .trim()
      .split('\n')
      .map((line) => ({ ...JSON.parse(line), topic: '' }))
      .sort((a, b) => a.partition - b.partition || a.offset - b.offset)
  assert.deepEqual(parse(second.stdout), parse(first.stdout))
  const contents = (messages: readonly Record<string, unknown>[]) =>
    messages
      .map(({ key = null, value, headers = [] }) => JSON.stringify([key, value, headers]))
      .sort()
  assert.deepEqual(contents(parse(first.stdout)), contents(input))
  const stamped = parse(first.stdout).find(({ key }) => key === '🔑')
  assert.deepEqual([stamped.timestamp, stamped.partition], [1_234_567_890_123, 1])
})
