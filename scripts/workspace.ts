/**
 * What the scripts share: where the repository is, how to run a program in it.
 */
import { type ChildProcess, spawn } from 'node:child_process'
import path from 'node:path'
import process from 'node:process'

/** The repository's folder. */
export const root = path.dirname(import.meta.dirname)

/** The published packages: each may import only those before it. */
export const packageNames = ['protocol', 'client', 'kaska'] as const

/** The environment, with the repository's own Node and tools before all others on the path. */
export function environmentWithOurNode(): NodeJS.ProcessEnv {
  const tools = path.join(root, 'node_modules', '.bin')
  return { ...process.env, PATH: `${tools}${path.delimiter}${process.env['PATH'] ?? ''}` }
}

/** Resolves with a process's exit code; one that a signal ended counts as 1. */
export function exitStatus(child: ChildProcess): Promise<number> {
  return new Promise((resolve, reject) => {
    child.once('error', reject)
    child.once('close', (code) => resolve(code ?? 1))
  })
}

export interface RunOptions {
  readonly cwd?: string
  readonly env?: NodeJS.ProcessEnv
}

/** Runs a program and returns what it printed; rejects with all its output if it fails. */
export async function run(
  program: string,
  argv: readonly string[],
  options: RunOptions = {},
): Promise<string> {
  const child = spawn(program, argv, {
    cwd: options.cwd ?? root,
    env: options.env ?? environmentWithOurNode(),
    stdio: ['ignore', 'pipe', 'pipe'],
  })
  let printed = ''
  let complained = ''
  child.stdout.setEncoding('utf8').on('data', (text: string) => {
    printed += text
  })
  child.stderr.setEncoding('utf8').on('data', (text: string) => {
    complained += text
  })
  const code = await exitStatus(child)
  if (code !== 0) {
    throw new Error(`${program} ${argv.join(' ')}: exit code ${code}\n${printed}${complained}`)
  }
  return printed
}
