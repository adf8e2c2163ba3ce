/** The commands of docs/http.md, in their order, as they stand there. */
import assert from 'node:assert/strict'
import { spawn, spawnSync } from 'node:child_process'
import { once } from 'node:events'
import { readFile } from 'node:fs/promises'
import path from 'node:path'
import process from 'node:process'
import { test } from 'node:test'
import { createBroker } from '../src/broker.ts'
import { operations } from '../src/http/openapi-operations.ts'

const page = path.resolve(import.meta.dirname, '../../../docs/http.md')
const hasCurl = spawnSync('curl', ['--version']).status === 0

/** Runs it to its end, or until it has said what is waited for. */
async function shell(
  command: string,
  isEnough: (output: string) => boolean = () => false,
): Promise<{ code: number | null; output: string }> {
  const child = spawn('sh', ['-c', command], { stdio: ['ignore', 'pipe', 'pipe'] })
  let output = ''
  for (const stream of [child.stdout, child.stderr]) {
    stream.setEncoding('utf8')
    stream.on('data', (chunk) => {
      output += chunk
      if (isEnough(output)) child.kill()
    })
  }
  const [code] = await once(child, 'close')
  return { code, output }
}

test('every command works, and every operation is shown', {
  skip: (process.platform === 'win32' || !hasCurl) && 'they are for a POSIX shell with curl',
}, async (context) => {
  const broker = await createBroker({ memory: true })
  context.after(() => broker.close())
  const { port } = await broker.listen({ port: 0 })
  const text = await readFile(page, 'utf8')
  const blocks = Array.from(text.matchAll(/^```sh\n(.*?)^```$/gms), ([, block = '']) => block)
  const commands = blocks
    .join('')
    // A line that ends with a backslash or a pipe goes on.
    .replace(/(\\|\|)\n\s*/g, (_, end) => (end === '|' ? '| ' : ''))
    .trimEnd()
    .split('\n')
  assert.ok(commands.length > 25)
  for (const command of commands) {
    const isTail = command.includes('curl -f -N')
    const line = command
      .replaceAll('http://127.0.0.1:9092', `http://127.0.0.1:${port}`)
      .replace('curl -f', 'curl -sS -f')
    if (isTail) {
      // It goes on for ever.
      const event = /^id: \S+\ndata: {"topic":"orders"/m
      const { output } = await shell(`exec ${line}`, (text) => event.test(text))
      assert.match(output, event)
      continue
    }
    const { code, output } = await shell(line)
    assert.equal(code, 0, `${command}\n${output}`)
  }
  const shown = commands.map((command) => command.replace(/\?[^' ]*/g, ''))
  for (const { path: pattern, id } of operations) {
    if (id === 'signIn') continue
    const place = new RegExp(
      `9092${pattern.replace(/\{\w+\}/g, '[^/ ]+')}['\\s]|9092${pattern.replace(/\{\w+\}/g, '[^/ ]+')}$`,
    )
    assert.ok(
      shown.some((command) => place.test(command)),
      pattern,
    )
  }
})
