/**
 * It listens at most 350 ms later than `node -e 0` takes: for a directory that is new, and for one that
 * has messages. Measured in turns, the least of several runs each: what other tests do beside it only
 * ever adds to a run.
 */
import assert from 'node:assert/strict'
import { spawn } from 'node:child_process'
import { once } from 'node:events'
import path from 'node:path'
import { performance } from 'node:perf_hooks'
import process from 'node:process'
import { test } from 'node:test'
import { ServeProcess, temporaryDirectory } from './cli-process.ts'

const runs = 7
const laterMsMax = 350

async function timed(run: () => Promise<void>): Promise<number> {
  const began = performance.now()
  await run()
  return performance.now() - began
}

async function bareNode(): Promise<void> {
  await once(spawn(process.execPath, ['-e', '0'], { stdio: 'ignore' }), 'close')
}

test('ready at most 350 ms later than `node -e 0` takes', async (t) => {
  await using directory = await temporaryDirectory()
  const kept = path.join(directory.path, 'kept')
  {
    await using broker = await ServeProcess.start(['--data', kept, '--topic', 'orders'])
    await broker.run(['produce', 'orders'], { input: 'a\nb\n' })
    await broker.stop()
  }
  const times = {
    node: [] as number[],
    memory: [] as number[],
    fresh: [] as number[],
    kept: [] as number[],
  }
  const measure = async (into: number[], ...args: readonly string[]) => {
    let broker: ServeProcess | undefined
    into.push(
      await timed(async () => {
        broker = await ServeProcess.start(args)
      }),
    )
    await broker?.stop()
  }
  for (let index = 0; index < runs; index++) {
    times.node.push(await timed(bareNode))
    await measure(times.memory)
    await measure(times.fresh, '--data', path.join(directory.path, `new-${index}`))
    await measure(times.kept, '--data', kept)
  }
  const base = Math.min(...times.node)
  t.diagnostic(`node -e 0: ${base.toFixed(0)} ms`)
  for (const name of ['memory', 'fresh', 'kept'] as const) {
    const later = Math.min(...times[name]) - base
    t.diagnostic(`ready, ${name}: ${later.toFixed(0)} ms later`)
    assert.ok(later <= laterMsMax, `${name}: ${later} ms`)
  }
})
