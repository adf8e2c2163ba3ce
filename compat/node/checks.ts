/**
 * Runs named checks, one after another, and tells each one's outcome as compat/lib/client.ts has it. A
 * check passes if it does not throw within its time.
 */
import process from 'node:process'
import { createInterface } from 'node:readline'

export interface CheckOptions {
  readonly msMax?: number
  /** Left out of the quick run. */
  readonly isSlow?: boolean
  /** Why the client cannot do it. */
  readonly skipped?: string | undefined
}

interface Check extends CheckOptions {
  readonly name: string
  run(): Promise<void>
}

const msMaxUsual = 30_000

export class Checks {
  readonly #checks: Check[] = []
  #answer = (): void => undefined

  add(name: string, run: () => Promise<void>, options: CheckOptions = {}): void {
    this.#checks.push({ ...options, name, run })
  }

  /** What a client lacks: told, so that the table says so. */
  skip(name: string, skipped: string): void {
    this.add(name, async () => undefined, { skipped })
  }

  /** Resolves once the broker is back. */
  async restartBroker(how: 'stop' | 'kill' = 'stop'): Promise<void> {
    const answered = new Promise<void>((resolve) => {
      this.#answer = resolve
    })
    print({ control: 'restart', how })
    await answered
  }

  /** Runs them, and ends the process. */
  async run(): Promise<never> {
    createInterface({ input: process.stdin }).on('line', () => this.#answer())
    const part = process.env['KASKA_COMPAT_CHECK'] ?? ''
    const isQuick = process.env['KASKA_COMPAT_QUICK'] === '1'
    const wanted = this.#checks.filter(
      (check) => check.name.includes(part) && !(isQuick && check.isSlow === true),
    )
    print({ checks: wanted.map((check) => check.name) })
    for (const check of wanted) await runCheck(check)
    process.exit(0)
  }
}

async function runCheck(check: Check): Promise<void> {
  const { name, skipped, msMax = msMaxUsual } = check
  if (skipped !== undefined) return print({ check: name, skipped })
  const started = performance.now()
  const ms = (): number => Math.round(performance.now() - started)
  let timer: NodeJS.Timeout | undefined
  const late = new Promise<never>((_, reject) => {
    timer = setTimeout(() => reject(new Error(`not done after ${msMax / 1000} s`)), msMax)
  })
  try {
    await Promise.race([check.run(), late])
    print({ check: name, ok: true, ms: ms() })
  } catch (error) {
    print({ check: name, ok: false, ms: ms(), reason: told(error) })
  } finally {
    clearTimeout(timer)
  }
}

/** An error's message, and those of its causes. */
export function told(error: unknown): string {
  if (!(error instanceof Error)) return String(error)
  const cause = error.cause === undefined ? '' : `; ${told(error.cause)}`
  const parts = error instanceof AggregateError ? `; ${error.errors.map(told).join('; ')}` : ''
  return `${error.name}: ${error.message}${cause}${parts}`.slice(0, 1500)
}

export function print(value: unknown): void {
  process.stdout.write(`${JSON.stringify(value)}\n`)
}

/** A name that nothing else has. */
export function uniqueName(prefix: string): string {
  return `${prefix}-${Math.random().toString(36).slice(2, 10)}`
}

/** The error that it rejects with. */
export async function rejection(promise: Promise<unknown>): Promise<Error> {
  try {
    await promise
  } catch (error) {
    return error instanceof Error ? error : new Error(String(error))
  }
  throw new Error('it did not fail')
}

export const sleep = (ms: number): Promise<void> => new Promise((done) => setTimeout(done, ms))

/** Asks until it is true. */
export async function until(
  what: string,
  isTrue: () => boolean | Promise<boolean>,
  msMax = 20_000,
) {
  const end = performance.now() + msMax
  while (!(await isTrue())) {
    if (performance.now() > end) throw new Error(`not after ${msMax / 1000} s: ${what}`)
    await sleep(25)
  }
}
