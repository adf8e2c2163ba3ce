/**
 * Keeps processes on one core, where the system can (Linux): so that a round trip takes what the programs take.
 * Else the scheduler decides from one second to the next whether both share a core or each wakes the other's, which
 * costs 12 µs more a round trip in a virtual machine.
 */
import { spawnSync } from 'node:child_process'
import process from 'node:process'
import type { Target } from './target.ts'

/** Until it is disposed of, this process and the servers run on the first core that this process may use. */
export function onOneCore(servers: readonly Target[]): Disposable {
  const cores = /: (\d+)(.*)/.exec(taskset('-pc', process.pid))
  if (cores === null) return { [Symbol.dispose]: () => undefined }
  const [, first = '', others = ''] = cores
  const pids = [process.pid, ...servers.map(({ pid }) => pid)]
  const keepOn = (list: string) => {
    for (const pid of pids) taskset('-apc', list, pid)
  }
  keepOn(first)
  return { [Symbol.dispose]: () => keepOn(first + others) }
}

/** What it printed; nothing where there is none. */
function taskset(...argv: readonly (string | number)[]): string {
  return spawnSync('taskset', argv.map(String), { encoding: 'utf8' }).stdout ?? ''
}
