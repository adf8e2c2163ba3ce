/** Runs the command `kaska` as people do: a process with arguments, standard streams and an exit code. */
import { type ChildProcess, spawn } from 'node:child_process'
import { once } from 'node:events'
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import path from 'node:path'
import process from 'node:process'
import { fileURLToPath } from 'node:url'

export const binary = fileURLToPath(new URL('../bin/kaska.js', import.meta.url))

export interface RunOptions {
  readonly input?: string | Uint8Array
  readonly env?: Readonly<Record<string, string>>
  readonly cwd?: string
  /** How many files and sockets it may have open. Not on Windows. */
  readonly openFiles?: number
}

export interface RunResult {
  readonly code: number | null
  readonly signal: NodeJS.Signals | null
  readonly bytes: Buffer
  readonly stdout: string
  readonly stderr: string
}

/** Starts it; its streams are pipes. */
export function start(args: readonly string[], options: RunOptions = {}): ChildProcess {
  const { openFiles, cwd } = options
  const limit = ['/bin/sh', '-c', `ulimit -n ${openFiles} && exec "$@"`, 'sh']
  const wrap = openFiles === undefined ? [] : limit
  const [program = '', ...rest] = [...wrap, process.execPath, binary, ...args]
  return spawn(program, rest, {
    stdio: ['pipe', 'pipe', 'pipe'],
    env: environment(options.env),
    ...(cwd === undefined ? {} : { cwd }),
  })
}

/** Without what the tests' own environment may say about brokers. */
function environment(more: Readonly<Record<string, string>> = {}): NodeJS.ProcessEnv {
  const entries = Object.entries(process.env).filter(
    ([name]) => !/^(KASKA_|BROKER_|NODE_OPTIONS)/.test(name),
  )
  return { ...Object.fromEntries(entries), ...more }
}

/** What a process says until it ends. */
export async function result(child: ChildProcess): Promise<RunResult> {
  const out: Buffer[] = []
  const err: Buffer[] = []
  child.stdout?.on('data', (chunk: Buffer) => out.push(chunk))
  child.stderr?.on('data', (chunk: Buffer) => err.push(chunk))
  const [code, signal] = await once(child, 'close')
  const bytes = Buffer.concat(out)
  return { code, signal, bytes, stdout: bytes.toString(), stderr: Buffer.concat(err).toString() }
}

/** Runs it to its end; standard input is what is given, or empty. */
export function run(args: readonly string[], options: RunOptions = {}): Promise<RunResult> {
  const child = start(args, options)
  // It may end before it has read everything.
  child.stdin?.on('error', () => {})
  child.stdin?.end(options.input ?? '')
  return result(child)
}

/** Resolves when a stream has said what matches. */
export function said(
  child: ChildProcess,
  stream: 'stdout' | 'stderr',
  what: RegExp,
): Promise<RegExpExecArray> {
  return new Promise((resolve, reject) => {
    let text = ''
    const onData = (chunk: Buffer): void => {
      text += chunk.toString()
      const match = what.exec(text)
      if (match === null) return
      child[stream]?.off('data', onData)
      child[stream]?.resume()
      resolve(match)
    }
    child[stream]?.on('data', onData)
    child.once('close', () => reject(new Error(`it ended, and had said: ${text}`)))
  })
}

/** A broker in a process of its own. */
export class ServeProcess implements AsyncDisposable {
  readonly child: ChildProcess
  /** The line that it printed when it was ready. */
  readonly ready: string
  readonly url: string
  readonly port: number
  #stderr = ''

  private constructor(child: ChildProcess, match: RegExpExecArray) {
    this.child = child
    this.ready = match[0]
    this.url = match[1] ?? ''
    this.port = Number(match[2])
    child.stderr?.on('data', (chunk: Buffer) => {
      this.#stderr += chunk.toString()
    })
  }

  /** On a free port, in memory unless `--data` or `--engine` is among the arguments. */
  static async start(
    args: readonly string[] = [],
    options: RunOptions = {},
  ): Promise<ServeProcess> {
    const isElsewhere = args.includes('--data') || args.includes('--engine')
    const where = isElsewhere ? [] : ['--memory']
    const child = start(['serve', '--port', '0', ...where, ...args], options)
    let errors = ''
    const onError = (chunk: Buffer): void => {
      errors += chunk.toString()
    }
    child.stderr?.on('data', onError)
    try {
      const match = await said(child, 'stdout', /kaska \S+ ready on (kaskas?:\/\/\S+:(\d+)), .*\n/)
      return new ServeProcess(child, match)
    } catch (cause) {
      throw new Error(`serve did not start: ${errors}`, { cause })
    } finally {
      child.stderr?.off('data', onError)
    }
  }

  get stderr(): string {
    return this.#stderr
  }

  /** Runs a command against it. */
  run(args: readonly string[], options: RunOptions = {}): Promise<RunResult> {
    return run(args, { ...options, env: { KASKA_URL: this.url, ...options.env } })
  }

  /** Starts a command against it. */
  start(args: readonly string[], options: RunOptions = {}): ChildProcess {
    return start(args, { ...options, env: { KASKA_URL: this.url, ...options.env } })
  }

  /** Sends a signal, and resolves with how it ended. */
  async stop(
    signal: NodeJS.Signals = 'SIGTERM',
  ): Promise<{ code: number | null; signal: string | null }> {
    if (this.child.exitCode === null && this.child.signalCode === null) {
      const closed = once(this.child, 'close')
      this.child.kill(signal)
      await closed
    }
    return { code: this.child.exitCode, signal: this.child.signalCode }
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.stop('SIGKILL')
  }
}

/** A directory of its own, removed at the end. */
export async function temporaryDirectory(): Promise<AsyncDisposable & { path: string }> {
  const directory = await mkdtemp(path.join(tmpdir(), 'kaska-cli-'))
  return {
    path: directory,
    [Symbol.asyncDispose]: () => rm(directory, { recursive: true, force: true }),
  }
}
