/**
 * The driver of the Kafka suite, bench/franz: one program on franz-go, which is a broker (kfake) too. Built
 * on demand by the Go of this machine, into the cache that compat/ has.
 */
import { spawnSync } from 'node:child_process'
import { mkdirSync } from 'node:fs'
import path from 'node:path'
import { cacheDirectory, SkippedError } from '../../compat/lib/maven.ts'
import { runDriver } from './driver.ts'
import { root } from './target.ts'

const sources = path.join(root, 'bench/franz')
const commandMsMax = 120_000

/** What a command measured; see bench/franz/main.go. */
export interface FranzFigures {
  readonly seconds: number
  readonly records: number
  readonly valueBytes: number
  /** Bytes of the batches, headers included, where the command reads batches. */
  readonly wireBytes?: number
  /** Of the driver itself. */
  readonly cpuSeconds: number
  /** Microseconds of each record or round, sorted. */
  readonly micros?: readonly number[]
}

export type FranzOptions = Readonly<Record<string, string | number | boolean>>

/** Builds the driver; returns its path. Throws SkippedError where there is no Go, or no network. */
export function buildFranz(): string {
  const program = path.join(cacheDirectory, 'franz')
  mkdirSync(cacheDirectory, { recursive: true })
  const { error, status, stderr } = spawnSync('go', ['build', '-o', program, '.'], {
    cwd: sources,
    encoding: 'utf8',
    timeout: 600_000,
  })
  if (error !== undefined) throw new SkippedError(`go does not run here: ${error.message}`)
  if (status !== 0) throw new SkippedError(`go did not build the driver: ${stderr.trim()}`)
  return program
}

/** Runs a command of the driver to its end. Rejects with what it said if it fails. */
export async function runFranz(
  program: string,
  command: string,
  port: number,
  options: FranzOptions = {},
): Promise<FranzFigures> {
  const flags = Object.entries(options).map(([name, value]) => `--${name}=${value}`)
  const argv = [command, `--brokers=127.0.0.1:${port}`, ...flags]
  return await runDriver<FranzFigures>(program, argv, { msMax: commandMsMax })
}
