/** A server under measurement: a process of its own, with its CPU time and its peak memory. */
import { type ChildProcess, spawn } from 'node:child_process'
import { once } from 'node:events'
import { mkdtempSync, readFileSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import path from 'node:path'
import process from 'node:process'

export const root = path.join(import.meta.dirname, '../..')
const startMsMax = 30_000
const readyLine = /ready on kaska:\/\/\S*:(\d+)/

export type SyncMode = 'always' | 'os'

export class Target implements AsyncDisposable {
  readonly port: number
  /** From the start of the process to the line that says it is ready. */
  readonly startMs: number
  readonly #child: ChildProcess
  readonly #directory: string

  constructor(child: ChildProcess, port: number, startMs: number, directory: string) {
    this.#child = child
    this.port = port
    this.startMs = startMs
    this.#directory = directory
  }

  get pid(): number {
    return this.#child.pid ?? 0
  }

  /** User and system time so far, in steps of 10 ms. */
  cpuSeconds(): number {
    return cpuSecondsOf(this.pid)
  }

  memory(): { residentBytes: number; peakBytes: number } {
    return memoryOf(this.pid)
  }

  /** Stops the process, and removes what it has written. */
  async stop(signal: NodeJS.Signals = 'SIGKILL'): Promise<void> {
    if (this.#child.exitCode === null && this.#child.signalCode === null) {
      this.#child.kill(signal)
      await once(this.#child, 'exit')
    }
    rmSync(this.#directory, { recursive: true, force: true })
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.stop()
  }
}

/** User and system time of a process so far, all its threads, in steps of 10 ms. */
export function cpuSecondsOf(pid: number): number {
  const stat = readFileSync(`/proc/${pid}/stat`, 'utf8')
  const fields = stat.slice(stat.lastIndexOf(')') + 2).split(' ')
  return (Number(fields[11]) + Number(fields[12])) / 100
}

export function memoryOf(pid: number): { residentBytes: number; peakBytes: number } {
  const status = readFileSync(`/proc/${pid}/status`, 'utf8')
  const kibibytes = (name: string): number =>
    Number(new RegExp(`^${name}:\\s+(\\d+) kB`, 'm').exec(status)?.[1] ?? 0)
  return { residentBytes: kibibytes('VmRSS') * 1024, peakBytes: kibibytes('VmHWM') * 1024 }
}

/** `hasCrc`: it also computes a CRC of all that it reads, as every broker has to. */
export function startSink(way: 'sync' | 'pool', sync: SyncMode, hasCrc = false): Promise<Target> {
  const directory = mkdtempSync(path.join(tmpdir(), 'kaska-sink-'))
  const file = path.join(directory, 'sink.log')
  const sink = path.join(root, 'bench/sink.ts')
  const crc = hasCrc ? ['--crc'] : []
  const argv = ['--conditions=source', sink, '--file', file, '--way', way, '--sync', sync, ...crc]
  return start(argv, directory, /^(\d+)$/m)
}

/** A bare server that sends ranges of a file of so many bytes, and nothing else. */
export function startSource(bytes: number): Promise<Target> {
  const directory = mkdtempSync(path.join(tmpdir(), 'kaska-source-'))
  const file = path.join(directory, 'source.log')
  const argv = [path.join(root, 'bench/source.ts'), '--file', file, '--bytes', String(bytes)]
  return start(argv, directory, /^(\d+)$/m)
}

export function startEcho(): Promise<Target> {
  const directory = mkdtempSync(path.join(tmpdir(), 'kaska-echo-'))
  return start([path.join(root, 'bench/echo.ts')], directory, /^(\d+)$/m)
}

export interface KaskaOptions {
  readonly sync?: SyncMode
  /** Options of Node's, before the program. */
  readonly nodeOptions?: readonly string[]
  readonly serveOptions?: readonly string[]
  /** Instead of a new one; it is not removed. */
  readonly directory?: string
  readonly isMemory?: boolean
  /** Instead of the clone's, which runs from its sources. */
  readonly program?: string
}

export function startKaska(options: KaskaOptions = {}): Promise<Target> {
  const { sync = 'os', nodeOptions = [], serveOptions = [], isMemory = false } = options
  const { program = path.join(root, 'packages/kaska/bin/kaska.js') } = options
  const directory = mkdtempSync(path.join(tmpdir(), 'kaska-bench-'))
  const data = options.directory ?? path.join(directory, 'data')
  const storage = isMemory ? ['--memory'] : ['--data', data, '--sync', sync]
  const argv = [...nodeOptions, program, 'serve', '--port', '0', ...storage, ...serveOptions]
  return start(argv, directory, readyLine)
}

/** Kaska in front of a cluster (`kafka://b1:9092`), with nothing kept here. */
export function startGateway(engine: string): Promise<Target> {
  const directory = mkdtempSync(path.join(tmpdir(), 'kaska-gateway-'))
  const kaska = path.join(root, 'packages/kaska/bin/kaska.js')
  return start([kaska, 'serve', '--port', '0', '--engine', engine], directory, readyLine)
}

async function start(argv: readonly string[], directory: string, ready: RegExp): Promise<Target> {
  const started = performance.now()
  const child = spawn(process.execPath, argv, { cwd: directory, stdio: ['ignore', 'pipe', 'pipe'] })
  let printed = ''
  const port = await new Promise<number>((resolve, reject) => {
    const timer = setTimeout(() => {
      reject(new Error(`${argv.join(' ')}: not ready after ${startMsMax} ms\n${printed}`))
    }, startMsMax)
    const read = (text: string): void => {
      printed += text
      const match = ready.exec(printed)
      if (match === null) return
      clearTimeout(timer)
      resolve(Number(match[1]))
    }
    child.stdout.setEncoding('utf8').on('data', read)
    child.stderr.setEncoding('utf8').on('data', read)
    child.once('exit', (code) => {
      clearTimeout(timer)
      reject(new Error(`${argv.join(' ')}: exit code ${code}\n${printed}`))
    })
  })
  const startMs = performance.now() - started
  child.stdout.removeAllListeners('data').resume()
  child.stderr.removeAllListeners('data').on('data', (text) => process.stderr.write(text))
  return new Target(child, port, startMs, directory)
}
