/** Runs a load in a process of its own, which prints what it measured. */
import { spawn } from 'node:child_process'
import { once } from 'node:events'

export interface DriverOptions {
  readonly cwd?: string
  /** It is killed when it takes longer. */
  readonly msMax: number
}

/** What the program printed, as JSON. Rejects with the end of what it complained of if it fails. */
export async function runDriver<Figures>(
  program: string,
  argv: readonly string[],
  { cwd, msMax }: DriverOptions,
): Promise<Figures> {
  const child = spawn(program, argv, { cwd, stdio: ['ignore', 'pipe', 'pipe'] })
  let printed = ''
  let failure = ''
  child.stdout.setEncoding('utf8').on('data', (text) => {
    printed += text
  })
  child.stderr.setEncoding('utf8').on('data', (text) => {
    failure += text
  })
  const timer = setTimeout(() => {
    failure += `no end after ${msMax} ms`
    child.kill('SIGKILL')
  }, msMax)
  const [code] = (await once(child, 'close')) as [number | null]
  clearTimeout(timer)
  if (code !== 0) throw new Error(`${argv.join(' ')}: ${failure.trim().slice(-2000)}`)
  return JSON.parse(printed) as Figures
}
