/**
 * Released jars from Maven Central, by Maven itself: into a cache outside of the repository, so that
 * nothing of them is ever committed. Where there is no Maven, or no network, the caller is told so and
 * skips its part.
 */
import { spawnSync } from 'node:child_process'
import { existsSync, mkdirSync } from 'node:fs'
import { tmpdir } from 'node:os'
import path from 'node:path'
import process from 'node:process'

/** Where what is fetched lies; `KASKA_COMPAT_CACHE` names another place. */
export const cacheDirectory: string =
  process.env['KASKA_COMPAT_CACHE'] ?? path.join(tmpdir(), 'kaska-compat')

/** Why a part of the compatibility checks does not run here. */
export class SkippedError extends Error {
  override readonly name = 'SkippedError'
}

/** The path of a jar, `group:artifact:version`; fetched once. Throws SkippedError. */
export function mavenJar(coordinates: string): string {
  const [, artifact, version] = coordinates.split(':')
  const directory = path.join(cacheDirectory, 'jars')
  const file = path.join(directory, `${artifact}-${version}.jar`)
  if (existsSync(file)) return file
  mkdirSync(directory, { recursive: true })
  const goal = ['dependency:copy', `-Dartifact=${coordinates}`, `-DoutputDirectory=${directory}`]
  const { error, status, stdout } = spawnSync('mvn', ['-q', '-B', ...goal], {
    encoding: 'utf8',
    timeout: 300_000,
  })
  if (error !== undefined) throw new SkippedError(`mvn does not run here: ${error.message}`)
  if (status !== 0 || !existsSync(file)) {
    throw new SkippedError(`Maven did not get ${coordinates}: ${stdout.trim().split('\n')[0]}`)
  }
  return file
}

/** Runs a program of the JDK to its end, with this as its standard input, and returns what it printed.
 * Throws SkippedError if it is not there, Error if it fails. */
export function runJdk(program: 'java' | 'javac', args: readonly string[], input = ''): string {
  const { error, status, stdout, stderr } = spawnSync(program, args, {
    input,
    encoding: 'utf8',
    maxBuffer: 2 ** 30,
  })
  if (error !== undefined) throw new SkippedError(`${program} does not run here: ${error.message}`)
  if (status !== 0) throw new Error(`${program} ended with ${status}:\n${stderr.slice(0, 4000)}`)
  return stdout
}
