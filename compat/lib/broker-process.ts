/**
 * A broker in a process of its own, on loopback, with a directory and a port that it keeps over restarts.
 * Whoever starts one ends it: `stop` leaves no process and no file behind.
 */
import { type ChildProcess, spawn } from 'node:child_process'
import { randomInt } from 'node:crypto'
import { once } from 'node:events'
import { mkdtempSync, readFileSync, rmSync } from 'node:fs'
import { createServer } from 'node:net'
import { tmpdir } from 'node:os'
import path from 'node:path'
import process from 'node:process'

const stopMsMax = 20_000
const outputCharsMax = 16_384

/** How a kind of broker is run; `ready` resolves once it answers a real request. */
export interface BrokerPlan {
  readonly name: string
  readonly port: number
  /** Everything that the broker writes; removed in the end. */
  readonly directory: string
  readonly program: string
  readonly argv: readonly string[]
  readonly startMsMax: number
  ready(): Promise<boolean>
}

export class BrokerProcess implements AsyncDisposable {
  readonly name: string
  readonly port: number
  readonly directory: string
  /** From the start of the process to the first answer. */
  startMs = 0
  readonly #plan: BrokerPlan
  #child: ChildProcess | undefined
  #output = ''

  constructor(plan: BrokerPlan) {
    this.#plan = plan
    this.name = plan.name
    this.port = plan.port
    this.directory = plan.directory
  }

  get bootstrap(): string {
    return `127.0.0.1:${this.port}`
  }

  get pid(): number {
    return this.#child?.pid ?? 0
  }

  /** The last that it printed. */
  get output(): string {
    return this.#output
  }

  /** Resolves when it answers. Rejects with what it printed if it does not, and ends it. */
  async start(): Promise<void> {
    const plan = this.#plan
    const started = performance.now()
    this.#output = ''
    const child = spawn(plan.program, plan.argv, {
      cwd: plan.directory,
      stdio: ['ignore', 'pipe', 'pipe'],
    })
    this.#child = child
    process.once('exit', this.#abandon)
    child.once('exit', () => process.off('exit', this.#abandon))
    const keep = (text: string): void => {
      this.#output = (this.#output + text).slice(-outputCharsMax)
    }
    child.stdout.setEncoding('utf8').on('data', keep)
    child.stderr.setEncoding('utf8').on('data', keep)
    child.once('error', (error) => keep(String(error)))
    while (!(await plan.ready())) {
      const isLate = performance.now() - started > plan.startMsMax
      if (isLate || child.pid === undefined || hasEnded(child)) {
        await this.end('SIGKILL')
        const why = isLate ? `no answer in ${plan.startMsMax} ms` : 'it ended'
        throw new Error(`${plan.name} did not start: ${why}\n${this.#output}`)
      }
      await new Promise((resolve) => setTimeout(resolve, 20))
    }
    this.startMs = performance.now() - started
  }

  /** When this process ends before it, whatever the reason. */
  readonly #abandon = (): void => {
    this.#child?.kill('SIGKILL')
    rmSync(this.directory, { recursive: true, force: true })
  }

  /** Ends it and starts it again, same port and directory. */
  async restart(signal: NodeJS.Signals = 'SIGTERM'): Promise<void> {
    await this.end(signal)
    await this.start()
  }

  /** Ends the process, and leaves the directory; one that does not end by itself is killed. */
  async end(signal: NodeJS.Signals = 'SIGTERM'): Promise<void> {
    const child = this.#child
    if (child?.pid === undefined || hasEnded(child)) return
    const exit = once(child, 'exit')
    child.kill(signal)
    const timer = setTimeout(() => child.kill('SIGKILL'), stopMsMax)
    await exit
    clearTimeout(timer)
  }

  /** Ends the process, and removes the directory. */
  async stop(signal: NodeJS.Signals = 'SIGKILL'): Promise<void> {
    await this.end(signal)
    rmSync(this.directory, { recursive: true, force: true })
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.stop()
  }
}

export function createDirectory(name: string): string {
  return mkdtempSync(path.join(tmpdir(), `kaska-compat-${name}-`))
}

/**
 * Ports that are free, and stay so: the system gives none of them to who asks for any. For servers that cannot be
 * asked for one, and for those that are to come back on theirs.
 */
export async function freePorts(count: number): Promise<number[]> {
  const ports = new Set<number>()
  while (ports.size < count) {
    const port = randomInt(portMin, givenPortMin())
    if (await isFree(port)) ports.add(port)
  }
  return [...ports]
}

const portMin = 10_000

/** The first of the ports that the system gives to connections, and to who listens on any. */
function givenPortMin(): number {
  try {
    const range = readFileSync('/proc/sys/net/ipv4/ip_local_port_range', 'latin1')
    return Math.max(Number.parseInt(range, 10), portMin + 1000)
  } catch {
    // As Linux has it; elsewhere they begin later.
    return 32_768
  }
}

async function isFree(port: number): Promise<boolean> {
  const server = createServer().listen(port, '127.0.0.1')
  try {
    await once(server, 'listening')
  } catch {
    return false
  }
  await once(server.close(), 'close')
  return true
}

function hasEnded(child: ChildProcess): boolean {
  return child.exitCode !== null || child.signalCode !== null
}
