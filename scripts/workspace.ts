/**
 * What the scripts share: where the repository is, how to run a program in it.
 */
import { type ChildProcess, spawn } from 'node:child_process'
import path from 'node:path'
import process from 'node:process'
import { pathToFileURL } from 'node:url'

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

export interface TestRun {
  /** Relative to the repository. */
  readonly files: readonly string[]
  /** Files that run at once. */
  readonly atOnce: number
  /** A file that takes longer hangs. */
  readonly fileMsMax: number
  /** For Node's test runner. */
  readonly options?: readonly string[]
  /** Beside that of `environmentWithOurNode`. */
  readonly env?: NodeJS.ProcessEnv
}

/** Node's own options for a test file: the packages are their sources, and in CI random values are the same each time. */
export function testOptions({ CI = '' }: NodeJS.ProcessEnv): string[] {
  const seed = pathToFileURL(path.join(root, 'scripts/fixed-seed.ts'))
  return ['--conditions=source', ...(CI === '' ? [] : [`--import=${seed}`])]
}

/** Runs test files with Node's test runner, whose report is printed; resolves with its exit code. */
export function runTests({
  files,
  atOnce,
  fileMsMax,
  options = [],
  env,
}: TestRun): Promise<number> {
  const argv = [
    ...testOptions(process.env),
    '--test',
    '--test-reporter=spec',
    `--test-concurrency=${atOnce}`,
    `--test-timeout=${fileMsMax}`,
    ...options,
    ...files,
  ]
  const runner = spawn(process.execPath, argv, {
    cwd: root,
    stdio: 'inherit',
    env: { ...environmentWithOurNode(), ...env },
  })
  return exitStatus(runner)
}

/** The paths that hold one of the filters, or all where there are none; in order, with '/' between the parts. */
export function filesThatHold(paths: readonly string[], filters: readonly string[]): string[] {
  return paths
    .map((file) => file.split(path.sep).join('/'))
    .filter((file) => filters.length === 0 || filters.some((filter) => file.includes(filter)))
    .sort()
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
