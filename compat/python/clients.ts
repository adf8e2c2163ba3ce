/** Python's client by librdkafka's makers, from its registry: a virtual environment of its own in the cache. */
import { spawnSync } from 'node:child_process'
import { copyFileSync, existsSync, mkdirSync, readFileSync } from 'node:fs'
import path from 'node:path'
import type { Client, Command } from '../lib/client.ts'
import { cacheDirectory, SkippedError } from '../lib/maven.ts'
import { groupsCommand } from '../node/clients.ts'

const folder = import.meta.dirname

export const clients: readonly Client[] = [
  { name: 'confluent-kafka', isQuick: true, msMax: 300_000, prepare },
]

function prepare(): readonly Command[] {
  const python = install()
  const member = { program: python, argv: [path.join(folder, 'member.py')] }
  return [
    { program: python, argv: [path.join(folder, 'confluent.py')] },
    groupsCommand({ member, assignors: ['', 'roundrobin', 'cooperative-sticky'] }),
  ]
}

/** The path of a Python that has what requirements.txt names. Throws SkippedError. */
function install(): string {
  const environment = path.join(cacheDirectory, 'python')
  const python = path.join(environment, 'bin', 'python')
  const wanted = path.join(folder, 'requirements.txt')
  const installed = path.join(environment, 'requirements.txt')
  if (existsSync(installed) && readFileSync(wanted).equals(readFileSync(installed))) return python
  mkdirSync(cacheDirectory, { recursive: true })
  run('python3', ['-m', 'venv', environment])
  run(python, ['-m', 'pip', 'install', '--quiet', '--only-binary', ':all:', '-r', wanted])
  copyFileSync(wanted, installed)
  return python
}

function run(program: string, argv: readonly string[]): void {
  const { error, status, stderr } = spawnSync(program, argv, { encoding: 'utf8' })
  if (error !== undefined) throw new SkippedError(`${program} does not run here: ${error.message}`)
  if (status !== 0) throw new SkippedError(`${argv.join(' ')}: ${stderr.trim().slice(-200)}`)
}
