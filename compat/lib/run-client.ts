/** Runs a client's program against a broker, and gathers what it tells (see client.ts). */
import { type ChildProcess, spawn } from 'node:child_process'
import { once } from 'node:events'
import process from 'node:process'
import { createInterface } from 'node:readline'
import type { BrokerProcess } from './broker-process.ts'
import type { Client, Command, Outcomes } from './client.ts'

const talkCharsMax = 4_000

export interface RunOptions {
  readonly broker: BrokerProcess
  readonly isQuick: boolean
  /** A part of the names of the only checks to run. */
  readonly check?: string | undefined
  report(line: string): void
}

export async function runClient(
  client: Client,
  command: Command,
  options: RunOptions,
): Promise<Outcomes> {
  const { broker, report } = options
  const outcomes: Outcomes = new Map()
  const expected: string[] = []
  const { child, talk } = startProgram(command, options)
  const started = performance.now()
  const abandon = (): void => killTree(child)
  process.once('exit', abandon)
  let end = ''
  const timer = setTimeout(() => {
    end = `the program was ended after ${client.msMax / 1000} s`
    killTree(child)
  }, client.msMax)
  const restart = async (how: unknown): Promise<void> => {
    try {
      await broker.restart(how === 'kill' ? 'SIGKILL' : 'SIGTERM')
    } catch (error) {
      end = String(error)
      killTree(child)
    }
    child.stdin?.write('restarted\n')
  }
  const lines = createInterface({ input: child.stdout ?? process.stdin })
  lines.on('line', (line) => {
    const told = parse(line)
    if (told === undefined) talk.add(`${line}\n`)
    else if (Array.isArray(told['checks'])) expected.push(...told['checks'].map(String))
    else if (told['control'] === 'restart') void restart(told['how'])
    else addOutcome(outcomes, told, report)
  })
  const code = await ended(child)
  clearTimeout(timer)
  process.off('exit', abandon)
  if (end === '' && code !== 0) end = `the program ended with ${code}`
  const untold = expected.filter((name) => !outcomes.has(name))
  for (const name of untold) {
    const outcome = { check: name, ok: false, ms: 0, reason: end || 'the program did not tell' }
    addOutcome(outcomes, outcome, report)
  }
  const hasFailed = [...outcomes.values()].some((outcome) => outcome.kind === 'failed')
  if (end !== '' && !hasFailed) {
    const ms = Math.round(performance.now() - started)
    addOutcome(outcomes, { check: 'the program', ok: false, ms, reason: end }, report)
  }
  if ((hasFailed || end !== '') && talk.text !== '') report(indent(talk.text))
  return outcomes
}

function startProgram(command: Command, options: RunOptions) {
  const { broker, isQuick, check = '' } = options
  const child = spawn(command.program, [...command.argv, broker.bootstrap], {
    cwd: command.cwd,
    // A group of its own: what it has started ends with it.
    detached: true,
    stdio: ['pipe', 'pipe', 'pipe'],
    env: {
      ...process.env,
      ...command.env,
      KASKA_COMPAT_BROKER: broker.name === 'Kaska' ? 'kaska' : 'apache-kafka',
      KASKA_COMPAT_DIRECTORY: broker.directory,
      KASKA_COMPAT_CHECK: check,
      KASKA_COMPAT_QUICK: isQuick ? '1' : '',
    },
  })
  const talk = {
    text: '',
    add: (text: string): void => {
      talk.text = (talk.text + text).slice(-talkCharsMax)
    },
  }
  child.stderr.setEncoding('utf8').on('data', talk.add)
  child.on('error', (error) => talk.add(`${error}\n`))
  child.stdin.on('error', () => undefined)
  return { child, talk }
}

/** All that it has printed is read then. */
async function ended(child: ChildProcess): Promise<number | string> {
  if (child.pid === undefined) return 'an error'
  const close = once(child, 'close')
  await once(child, 'exit')
  // What it has started may hold its output open.
  killTree(child)
  await close
  return child.exitCode ?? child.signalCode ?? 'an error'
}

/** Ends a program and all that it has started. */
function killTree(child: ChildProcess): void {
  try {
    process.kill(-(child.pid ?? 0), 'SIGKILL')
  } catch {
    // Nothing of it is left.
  }
}

function addOutcome(
  outcomes: Outcomes,
  told: Record<string, unknown>,
  report: (line: string) => void,
): void {
  const name = String(told['check'])
  const reason = String(told['reason'] ?? told['skipped'] ?? '')
  const ms = Math.round(Number(told['ms'] ?? 0))
  if (told['skipped'] !== undefined) outcomes.set(name, { kind: 'skipped', reason })
  else if (told['ok'] === true) outcomes.set(name, { kind: 'passed', ms })
  else {
    outcomes.set(name, { kind: 'failed', ms, reason })
    report(`  FAILED ${name}: ${reason}`)
  }
}

function parse(line: string): Record<string, unknown> | undefined {
  if (!line.startsWith('{')) return undefined
  try {
    return JSON.parse(line)
  } catch {
    return undefined
  }
}

function indent(text: string): string {
  return text.trimEnd().replaceAll(/^/gm, '    | ')
}
