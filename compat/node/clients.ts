/** The Kafka clients of Node: installed here by `npm ci`, as the lock file has them. */
import { spawnSync } from 'node:child_process'
import { copyFileSync, existsSync, readFileSync } from 'node:fs'
import path from 'node:path'
import process from 'node:process'
import type { Client, Command } from '../lib/client.ts'
import { SkippedError } from '../lib/maven.ts'
import type { GroupClient } from './group-checks.ts'

const folder = import.meta.dirname

const msMax = 300_000

export const clients: readonly Client[] = [
  { name: 'kafkajs', isQuick: true, msMax, prepare: () => command('kafkajs.ts') },
  { name: 'platformatic', isQuick: true, msMax, prepare: () => command('platformatic.ts') },
  { name: 'native', isQuick: true, isKaskaOnly: true, msMax, prepare: () => command('native.ts') },
]

/** How a file of this folder is run. */
export function command(file: string): Command {
  install()
  return { program: process.execPath, argv: ['--conditions=source', path.join(folder, file)] }
}

/** Installs them unless they are; a copy of the lock file tells. Throws SkippedError. */
export function install(): void {
  const lock = path.join(folder, 'package-lock.json')
  const installed = path.join(folder, 'node_modules', 'installed-lock.json')
  if (existsSync(installed) && readFileSync(lock).equals(readFileSync(installed))) return
  const argv = ['ci', '--no-audit', '--no-fund', '--ignore-scripts']
  const { error, status, stderr } = spawnSync('npm', argv, { cwd: folder, encoding: 'utf8' })
  if (error !== undefined) throw new SkippedError(`npm does not run here: ${error.message}`)
  if (status !== 0) throw new SkippedError(`npm did not get the clients: ${stderr.slice(-300)}`)
  copyFileSync(lock, installed)
}

/** The checks of groups with another client's member program (see groups.ts). Throws SkippedError. */
export function groupsCommand(client: Pick<GroupClient, 'member' | 'assignors' | 'withoutStatic'>) {
  const { program, argv } = command('groups.ts')
  return { program, argv: [...argv, JSON.stringify(client)] }
}
