/** Packages from npm that a suite needs and nobody else: a folder with pinned versions, installed at first use. */
import { spawnSync } from 'node:child_process'
import { existsSync } from 'node:fs'
import path from 'node:path'
import { SkippedError } from '../../compat/lib/maven.ts'
import { root } from './target.ts'

/** Returns the path of `bench/<name>/node_modules`. No script of a package is run. Throws SkippedError. */
export function npmFolder(name: string): string {
  const directory = path.join(root, 'bench', name)
  const installed = path.join(directory, 'node_modules')
  if (existsSync(path.join(installed, '.package-lock.json'))) return installed
  const argv = ['ci', '--ignore-scripts', '--no-audit', '--no-fund']
  const { error, status, stderr } = spawnSync('npm', argv, {
    cwd: directory,
    encoding: 'utf8',
    timeout: 300_000,
  })
  if (error !== undefined) throw new SkippedError(`npm does not run here: ${error.message}`)
  if (status !== 0) throw new SkippedError(`npm did not install ${name}: ${stderr.trim()}`)
  return installed
}
