/**
 * A broker in a process of its own, in memory, that tells on request how much it uses: for tests of
 * memory, of system calls, and of load from hundreds of connections.
 *
 * As a program: prints its port as a line, then one line of JSON for each line that it is given.
 */
import { type ChildProcess, spawn } from 'node:child_process'
import { once } from 'node:events'
import path from 'node:path'
import process from 'node:process'
import { createInterface } from 'node:readline'
import type { NativeCounters } from '../src/native/native-counters.ts'
import { type NativeBrokerOptions, startNativeBroker } from './native-broker.ts'

/** How a broker stands. */
export interface BrokerStatus {
  readonly counters: NativeCounters
  readonly budgetUsed: number
  /** The most that was seen, a hundred times a second. */
  readonly budgetUsedMost: number
  readonly budgetTotal: number
  /** After a garbage collection. */
  readonly memory: NodeJS.MemoryUsage
  /** The most that the process has ever had in memory, in bytes. */
  readonly residentMost: number
  readonly reports: readonly string[]
}

export interface BrokerProcess extends AsyncDisposable {
  readonly port: number
  readonly pid: number
  status(): Promise<BrokerStatus>
  close(): Promise<void>
}

/** Starts one; `wrap` puts a program before it, such as strace. */
export async function startBrokerProcess(
  options: Pick<NativeBrokerOptions, 'memoryBytesMax' | 'limits' | 'syncMode'> = {},
  wrap: readonly string[] = [],
): Promise<BrokerProcess> {
  const argv = [
    ...wrap,
    process.execPath,
    '--conditions=source',
    '--expose-gc',
    import.meta.filename,
    JSON.stringify(options),
  ]
  // Files are what connections need most of: the soft limit may be far below the hard one.
  const script = 'ulimit -n $(ulimit -Hn) 2>/dev/null; exec "$@"'
  const child: ChildProcess = spawn('/bin/sh', ['-c', script, 'sh', ...argv], {
    cwd: path.resolve(import.meta.dirname, '..'),
    stdio: ['pipe', 'pipe', 'inherit'],
  })
  const { stdin, stdout } = child
  if (stdin === null || stdout === null) throw new Error('a child without pipes')
  const lines = createInterface(stdout)[Symbol.asyncIterator]()
  const next = async () => JSON.parse((await lines.next()).value ?? 'null')
  const { port, pid } = (await next()) as { port: number; pid: number }
  const close = async () => {
    if (child.exitCode !== null) return
    const exit = once(child, 'exit')
    stdin.end()
    await exit
  }
  return {
    port,
    pid,
    status: () => {
      stdin.write('status\n')
      return next()
    },
    close,
    [Symbol.asyncDispose]: close,
  }
}

async function main(): Promise<void> {
  const broker = await startNativeBroker(JSON.parse(process.argv[2] ?? '{}'))
  const port = await broker.listen()
  let budgetUsedMost = 0
  const timer = setInterval(() => {
    budgetUsedMost = Math.max(budgetUsedMost, broker.budget.used)
  }, 10)
  const print = (value: unknown) => process.stdout.write(`${JSON.stringify(value)}\n`)
  print({ port, pid: process.pid })
  for await (const _line of createInterface(process.stdin)) {
    global.gc?.()
    const status: BrokerStatus = {
      counters: broker.native.counters,
      budgetUsed: broker.budget.used,
      budgetUsedMost: Math.max(budgetUsedMost, broker.budget.used),
      budgetTotal: broker.budget.total,
      memory: process.memoryUsage(),
      residentMost: process.resourceUsage().maxRSS * 1024,
      reports: broker.reports.slice(-10),
    }
    print(status)
  }
  clearInterval(timer)
  await broker.close()
}

if (process.argv[1] === import.meta.filename) await main()
