/** franz-go: a Kafka client in Go. */
import { spawnSync } from 'node:child_process'
import { mkdirSync } from 'node:fs'
import path from 'node:path'
import type { Client, Command } from '../lib/client.ts'
import { cacheDirectory, SkippedError } from '../lib/maven.ts'

export const clients: readonly Client[] = [
  { name: 'franz-go', isQuick: true, msMax: 300_000, prepare: build },
]

function build(): Command {
  mkdirSync(cacheDirectory, { recursive: true })
  const program = path.join(cacheDirectory, 'franz-go-checks')
  const { error, status, stderr } = spawnSync('go', ['build', '-o', program, '.'], {
    cwd: import.meta.dirname,
    encoding: 'utf8',
    timeout: 300_000,
  })
  if (error !== undefined) throw new SkippedError(`go does not run here: ${error.message}`)
  if (status !== 0)
    throw new SkippedError(`go did not build it: ${stderr.trim().split('\n').at(-1)}`)
  return { program, argv: [] }
}
