/**
 * The command as a person in a clone starts it: stopped by a signal to npm or by Ctrl-C, and nothing is
 * left running. How soon it is ready: startup.test.ts.
 */
import assert from 'node:assert/strict'
import { type ChildProcessWithoutNullStreams, spawn } from 'node:child_process'
import { once } from 'node:events'
import path from 'node:path'
import process from 'node:process'
import { type TestContext, test } from 'node:test'

const root = path.resolve(import.meta.dirname, '../../..')
const onWindows = process.platform === 'win32' && 'signals and process groups are for POSIX'

/** Starts a program in the repository, in a process group of its own, which ends with the test. */
function start(t: TestContext, program: string, ...argv: string[]): ChildProcessWithoutNullStreams {
  const child = spawn(program, argv, { cwd: root, detached: true })
  t.after(() => signalGroup(child, 'SIGKILL'))
  return child
}

/** Sends a signal to all processes of the group; returns whether there was one left. */
function signalGroup(child: ChildProcessWithoutNullStreams, signal: NodeJS.Signals | 0): boolean {
  assert.ok(child.pid)
  try {
    return process.kill(-child.pid, signal)
  } catch {
    return false
  }
}

/** Resolves when nothing of the group is left: one that has ended is there until its parent has heard of it. */
async function groupEnded(child: ChildProcessWithoutNullStreams): Promise<void> {
  while (signalGroup(child, 0)) await new Promise((resolve) => setImmediate(resolve))
}

/** Resolves with the broker's port when the broker says that it is ready. */
function ready(child: ChildProcessWithoutNullStreams): Promise<number> {
  return new Promise((resolve, reject) => {
    let printed = ''
    for (const stream of [child.stdout, child.stderr]) {
      stream.setEncoding('utf8').on('data', (text: string) => {
        printed += text
        const port = /kaska:\/\/[^\s,]*:(\d+)/.exec(printed)?.[1]
        if (port !== undefined) resolve(Number(port))
      })
    }
    child.once('error', reject)
    child.once('close', () => reject(new Error(`it ended: ${printed}`)))
  })
}

test('npm start passes its options on; SIGTERM to npm ends the broker', {
  skip: onWindows,
}, async (t) => {
  const npm = start(t, 'npm', 'start', '--', '--port', '0', '--memory')
  const port = await ready(npm)
  assert.notEqual(port, 0)
  assert.notEqual(port, 9092)
  npm.kill('SIGTERM')
  await once(npm, 'close')
  await groupEnded(npm)
})

test('Ctrl-C ends npm start and npx kaska, and all that they started', {
  skip: onWindows,
}, async (t) => {
  const options = ['--port', '0', '--memory']
  for (const command of [
    ['npm', 'start', '--', ...options],
    ['npx', 'kaska', 'serve', ...options],
  ]) {
    const [program = '', ...argv] = command
    const child = start(t, program, ...argv)
    await ready(child)
    // What a terminal does: the signal goes to the whole foreground group.
    signalGroup(child, 'SIGINT')
    await once(child, 'close')
    await groupEnded(child)
  }
})
