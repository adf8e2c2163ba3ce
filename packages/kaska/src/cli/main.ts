/**
 * The command `kaska`: understands the command line, and runs what it asks for. Exit codes: 0 done
 * (also when it was stopped by Ctrl-C, and when the reader of its output has gone), 1 failed, 2 not
 * understood. Each command's implementation is loaded when it is asked for.
 */
import { CommanderError } from 'commander'
import { BrokenPipeError } from '../host/byte-output.ts'
import { packageVersion } from '../host/package-version.ts'
import { Terminal } from '../host/terminal.ts'
import { exitCodeOf, exitDone, exitUsage, failureLine } from './failure.ts'
import { createProgram } from './program.ts'

/** Runs a command line: Node, the script and the arguments. Sets the process's exit code. */
export async function main(argv?: readonly string[]): Promise<void> {
  const terminal = new Terminal()
  const code = await run(argv?.slice(2) ?? terminal.arguments, terminal)
  terminal.clearProgress()
  terminal.exit(code)
}

async function run(args: readonly string[], terminal: Terminal): Promise<number> {
  try {
    await createProgram(terminal, packageVersion()).parseAsync(args, { from: 'user' })
    await terminal.output.send()
    return exitDone
  } catch (error) {
    return report(error, terminal)
  }
}

async function report(error: unknown, terminal: Terminal): Promise<number> {
  if (error instanceof BrokenPipeError) return exitDone
  if (error instanceof CommanderError) {
    // It has said everything already: help and version on standard output, mistakes on the other.
    await terminal.output.send().catch(() => {})
    return error.exitCode === 0 ? exitDone : exitUsage
  }
  // What was read before the failure is not lost with it.
  await terminal.output.send().catch(() => {})
  terminal.say(failureLine(error))
  const isDebugged = (terminal.environment['KASKA_DEBUG'] ?? '') !== ''
  if (isDebugged && error instanceof Error) terminal.say(stackOf(error))
  return exitCodeOf(error)
}

function stackOf(error: Error): string {
  const stack = error.stack ?? String(error)
  return error.cause instanceof Error ? `${stack}\ncaused by ${stackOf(error.cause)}` : stack
}
