/** Long work says how far it is: on standard error, where that is a terminal. */
import assert from 'node:assert/strict'
import { spawn, spawnSync } from 'node:child_process'
import { once } from 'node:events'
import process from 'node:process'
import { test } from 'node:test'
import { binary, result, ServeProcess, said } from './cli-process.ts'

/** Runs its arguments with a terminal as standard error, which is passed on as standard output. */
const onTerminal = `
import os, pty, subprocess, sys
ours, theirs = pty.openpty()
child = subprocess.Popen(sys.argv[1:], stderr=theirs, stdout=subprocess.DEVNULL)
os.close(theirs)
try:
    while True:
        os.write(1, os.read(ours, 4096))
except OSError:
    pass
sys.exit(child.wait())
`

const hasPython = spawnSync('python3', ['-c', 'import pty']).status === 0

test('produce shows what was sent, and takes the line away at the end', {
  skip: !hasPython && 'python3 makes the terminal',
}, async () => {
  await using broker = await ServeProcess.start(['--topic', 'orders'])
  const args = ['-c', onTerminal, process.execPath, binary, 'produce', 'orders']
  const child = spawn('python3', args, { env: { ...process.env, KASKA_URL: broker.url } })
  const ended = result(child)
  const line = setInterval(() => child.stdin.write('a\n'), 50)
  await said(child, 'stdout', /\[K\d+ messages sent, 0\.0 MB/)
  clearInterval(line)
  child.stdin.end()
  const { code, stdout } = await ended
  assert.equal(code, 0)
  assert.ok(stdout.endsWith('\r\x1b[K'))
})

test('no terminal, no progress', async () => {
  await using broker = await ServeProcess.start(['--topic', 'orders'])
  const child = broker.start(['produce', 'orders'])
  const closed = once(child, 'close')
  let errors = ''
  child.stderr?.on('data', (chunk) => {
    errors += chunk
  })
  child.stdin?.end('x\n'.repeat(500_000))
  assert.deepEqual(await closed, [0, null])
  assert.equal(errors, '')
})
