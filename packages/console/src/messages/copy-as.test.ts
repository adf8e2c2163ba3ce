import assert from 'node:assert/strict'
import { spawnSync } from 'node:child_process'
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import path from 'node:path'
import { after, test } from 'node:test'
import { messageFromJson, type StoredMessage } from '@kaska/protocol'
import fc from 'fast-check'
import { asCurl, asKcat, asTypeScript } from './copy-as.ts'

const folder = mkdtempSync(path.join(tmpdir(), 'kaska-copy-'))
after(() => rmSync(folder, { recursive: true }))

const place = { host: '127.0.0.1', port: 9092, isTls: false }
const text = fc.string({ unit: 'binary', maxLength: 12 }).filter((each) => each.isWellFormed())
const nasty = fc.constantFrom(
  "'; touch /tmp/x; '",
  '$(id)',
  '`id`',
  '\u001b[201~id\n',
  '\u009b201~',
  '!!',
  '%s\\n',
  '\u202e',
)
const bytes: fc.Arbitrary<Uint8Array> = fc.oneof(
  fc.uint8Array({ maxLength: 20 }),
  fc.oneof(text, nasty).map((each) => Uint8Array.from(Buffer.from(each))),
)
const bytesOrNull = fc.option(bytes)
const message: fc.Arbitrary<StoredMessage> = fc.record({
  topic: fc
    .oneof(text, nasty, fc.constant('orders'), fc.constant('-e.v_1'))
    .filter((name) => name !== '' && !name.includes('\0')),
  partition: fc.nat(9),
  offset: fc.nat(),
  timestamp: fc.nat(),
  key: bytesOrNull,
  value: bytesOrNull,
  headers: fc.array(fc.tuple(fc.oneof(text, nasty), bytesOrNull), { maxLength: 3 }),
})
// biome-ignore lint/suspicious/noControlCharactersInRegex: none may be there
const controls = /[\u0000-\u0009\u000b-\u001f\u007f-\u009f\u202a-\u202e]/

/** What a shell gives to the command, as words, and what it reads: the command is a function. */
function run(command: string, name: string): { words: string[]; input: string } {
  const script = `${name}() { for word in "$@"; do printf '%s\\0' "$word"; done; printf '\\0\\0'; cat; }\n${command}`
  // More than an argument may hold.
  const file = path.join(folder, 'script.sh')
  writeFileSync(file, script)
  const { stdout, stderr, status } = spawnSync('sh', [file], {
    input: '',
    encoding: 'latin1',
    maxBuffer: 1 << 24,
    env: { LC_ALL: 'C' },
  })
  assert.equal(stderr, '')
  assert.equal(status, 0)
  const at = stdout.lastIndexOf('\0\0\0')
  const words = stdout.slice(0, at).split('\0')
  return {
    words: words.map((word) => Buffer.from(word, 'latin1').toString('utf8')),
    input: stdout.slice(at + 3),
  }
}

test('curl gets the message as it is, whatever is in it, and the shell runs nothing of it', () => {
  fc.assert(
    fc.property(message, (given) => {
      const command = asCurl(given, place)
      assert.doesNotMatch(command, controls)
      assert.ok(!command.includes('\n'))
      const { words } = run(command, 'curl')
      const url = new URL(words[0] ?? '')
      assert.equal(decodeURIComponent(url.pathname.split('/')[4] ?? ''), given.topic)
      const read = messageFromJson(Buffer.from(words.at(-1) ?? ''), 'it')
      const { offset: _, ...rest } = given
      assert.deepEqual(plain(read), plain(rest))
    }),
    { numRuns: 60 },
  )
})

test('a large one goes to curl through its input', () => {
  const value = Buffer.alloc(300_000, "it's ")
  const given: StoredMessage = {
    topic: 't',
    partition: 0,
    offset: 0,
    timestamp: 1,
    key: null,
    value,
    headers: [],
  }
  const { words, input } = run(asCurl(given, place), 'curl')
  assert.equal(words.at(-1), '@-')
  assert.deepEqual(messageFromJson(Buffer.from(input), 'it').value, new Uint8Array(value))
})

test('kcat gets the key and the value byte for byte, or it is said why not', () => {
  let said = 0
  fc.assert(
    fc.property(message, (given) => {
      const command = asKcat(given, place)
      assert.doesNotMatch(command, controls)
      assert.ok(!command.includes('\n'))
      if (command.startsWith('# ')) return
      said++
      const { words, input } = run(command, 'kcat')
      const option = (name: string) => words[words.indexOf(name) + 1] ?? ''
      const byteOf = (code: string) => String.fromCharCode(Number.parseInt(code.slice(2), 16))
      assert.equal(option('-t'), given.topic)
      assert.ok(input.endsWith(byteOf(option('-D'))))
      const line = input.slice(0, -1)
      const value = Buffer.from(given.value ?? []).toString('latin1')
      assert.equal(words.includes('-Z'), given.value === null)
      if (!words.includes('-K')) assert.equal(line, value)
      else {
        const key = Buffer.from(given.key ?? []).toString('latin1')
        assert.equal(line, key + byteOf(option('-K')) + value)
      }
      const headers = words.filter((_, index) => words[index - 1] === '-H')
      assert.equal(headers.length, given.headers.length)
    }),
    { numRuns: 100 },
  )
  assert.ok(said > 5)
})

test('TypeScript sends the message as it is', async () => {
  await fc.assert(
    fc.asyncProperty(message, async (given) => {
      const program = asTypeScript(given, place)
      assert.doesNotMatch(program, controls)
      const sent: unknown[] = []
      const body = program.replace(/^import .*\n/, '').replaceAll('await connect', 'connect')
      const client = {
        send: (topic: string, fields: object) => sent.push({ topic, ...fields }),
        close: () => {},
      }
      const AsyncFunction = (async () => {}).constructor as FunctionConstructor
      await new AsyncFunction('connect', body)(() => client)
      const { offset: _, ...rest } = given
      const [got] = sent as Partial<StoredMessage>[]
      assert.deepEqual(plain({ key: null, headers: [], ...got }), plain(rest))
    }),
    { numRuns: 100 },
  )
})

/** Bytes and texts alike, so that they can be compared. */
function plain(value: unknown): unknown {
  return JSON.parse(
    JSON.stringify(value, (name, each) => {
      if (name === 'topic' || each === null) return each
      if (each instanceof Uint8Array) return { bytes: [...each] }
      if (typeof each === 'object' && 'type' in each && each.type === 'Buffer') return each
      return each
    }),
    (name, each) =>
      typeof each === 'string' && name !== 'topic' ? { bytes: [...Buffer.from(each)] } : each,
  )
}
