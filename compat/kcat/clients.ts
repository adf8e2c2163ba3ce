/** kcat, as Debian packages it (librdkafka 2.0): installed by apt-get where that may be. */
import { spawnSync } from 'node:child_process'
import path from 'node:path'
import process from 'node:process'
import type { Client, Command } from '../lib/client.ts'
import { SkippedError } from '../lib/maven.ts'
import { install as installNodeClients } from '../node/clients.ts'

export const clients: readonly Client[] = [{ name: 'kcat', isQuick: true, msMax: 300_000, prepare }]

function prepare(): Command {
  installNodeClients()
  if (spawnSync('kcat', ['-V']).error !== undefined) install()
  const file = path.join(import.meta.dirname, 'kcat.ts')
  return { program: process.execPath, argv: ['--conditions=source', file] }
}

function install(): void {
  const canInstall = process.getuid?.() === 0 && spawnSync('apt-get', ['-v']).error === undefined
  if (!canInstall)
    throw new SkippedError('kcat is not here, and only root may install it, on Debian')
  const command = 'apt-get update -qq && apt-get install -y -qq --no-install-recommends kcat'
  const { status, stderr } = spawnSync('sh', ['-c', command], { encoding: 'utf8' })
  if (status !== 0) throw new SkippedError(`apt-get did not install kcat: ${stderr.slice(-200)}`)
}
