/**
 * It listens at most 350 ms later than `node -e 0` takes: for a directory that is new, and for one that
 * has messages. Measured in turns, the least of several runs each: what other programs do beside it only
 * ever adds to a run. The time for which a process wanted a core and got none is not counted, where the
 * system tells it.
 */
import assert from 'node:assert/strict'
import { spawn } from 'node:child_process'
import { once } from 'node:events'
import path from 'node:path'
import { performance } from 'node:perf_hooks'
import process from 'node:process'
import { text } from 'node:stream/consumers'
import { test } from 'node:test'
import { ServeProcess, temporaryDirectory } from './cli-process.ts'
import { accountOf, isAccounted, waitedMs, waitedSoFar } from './core-waits.ts'

/** It is measured until that is so: mostly at once, and on a machine that is busy now and then. */
const runsMin = 3
const runsMax = 25
const laterMsMax = 350

async function bareNode(): Promise<number> {
  const tell = `process.on('exit', () => fs.writeSync(1, fs.readFileSync('${accountOf('self')}')))`
  const began = performance.now()
  const child = spawn(process.execPath, ['-e', isAccounted ? tell : '0'], {
    stdio: ['ignore', 'pipe', 'inherit'],
  })
  const [account] = await Promise.all([text(child.stdout), once(child, 'close')])
  return performance.now() - began - waitedMs(account)
}

async function ready(args: readonly string[]): Promise<number> {
  const began = performance.now()
  await using broker = await ServeProcess.start(args)
  const ms = performance.now() - began
  const waited = waitedSoFar(broker.child.pid)
  await broker.stop()
  return ms - waited
}

test('ready at most 350 ms later than `node -e 0` takes', async (t) => {
  await using directory = await temporaryDirectory()
  const kept = path.join(directory.path, 'kept')
  {
    await using broker = await ServeProcess.start(['--data', kept, '--topic', 'orders'])
    await broker.run(['produce', 'orders'], { input: 'a\nb\n' })
    await broker.stop()
  }
  const least = {
    node: Number.POSITIVE_INFINITY,
    memory: Number.POSITIVE_INFINITY,
    fresh: Number.POSITIVE_INFINITY,
    kept: Number.POSITIVE_INFINITY,
  }
  const laterMs = () => Math.max(least.memory, least.fresh, least.kept) - least.node
  let runs = 0
  for (; runs < runsMin || (runs < runsMax && laterMs() > laterMsMax); runs++) {
    least.node = Math.min(least.node, await bareNode())
    least.memory = Math.min(least.memory, await ready([]))
    const fresh = path.join(directory.path, `new-${runs}`)
    least.fresh = Math.min(least.fresh, await ready(['--data', fresh]))
    least.kept = Math.min(least.kept, await ready(['--data', kept]))
  }
  t.diagnostic(`${runs} runs; node -e 0: ${least.node.toFixed(0)} ms`)
  for (const name of ['memory', 'fresh', 'kept'] as const) {
    const later = least[name] - least.node
    t.diagnostic(`ready, ${name}: ${later.toFixed(0)} ms later`)
    assert.ok(later <= laterMsMax, `${name}: ${later} ms`)
  }
})
