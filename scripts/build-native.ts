/**
 * Builds the addon in packages/kaska/native for each platform that has one, with the compiler of a pinned version of Zig, which
 * comes from PyPI and compiles for all of them on any. The same source gives the same bytes everywhere, so what is
 * committed can be checked:
 *
 *     npm run build:native                        writes the files
 *     npm run build:native -- --check             compiles, and fails where a file differs
 */
import { createHash } from 'node:crypto'
import { existsSync, mkdirSync, readFileSync } from 'node:fs'
import path from 'node:path'
import process from 'node:process'
import { parseArgs } from 'node:util'
import { root, run } from './workspace.ts'

const zig = 'ziglang==0.17.1'

/** Node's names of a platform and the compiler's. */
const targets = {
  'linux-x64': 'x86_64-linux-gnu',
  'linux-arm64': 'aarch64-linux-gnu',
}

const { values } = parseArgs({ options: { check: { type: 'boolean', default: false } } })
const scratch = path.join(root, '.tmp', 'native')
const folder = path.join(root, 'packages', 'kaska', 'native')
const source = path.join(folder, 'crc32c.c')
const sourceSha256 = createHash('sha256').update(readFileSync(source)).digest('hex')
mkdirSync(scratch, { recursive: true })

const python = path.join(scratch, zig, 'bin', 'python')
if (!existsSync(python)) {
  await run('python3', ['-m', 'venv', path.join(scratch, zig)])
}
await run(python, ['-m', 'pip', 'install', '--quiet', '--disable-pip-version-check', zig])

const different: string[] = []
for (const [platform, target] of Object.entries(targets)) {
  const name = `crc32c-${platform}.node`
  const committed = path.join(folder, name)
  const built = values.check ? path.join(scratch, name) : committed
  const cc = ['-m', 'ziglang', 'cc', '-target', target, '-O2', '-Wall', '-Wextra', '-Werror']
  // No C library: the addon loads whichever there is, glibc or musl.
  const library = ['-shared', '-fPIC', '-ffreestanding', '-nostdlib', '-fvisibility=hidden']
  const reproducible = ['-s', '-Wl,--build-id=none', `-DSOURCE="${sourceSha256}"`]
  await run(python, [...cc, ...library, ...reproducible, '-o', built, source])
  if (!readFileSync(built).equals(readFileSync(committed))) different.push(name)
}
if (different.length > 0) {
  process.stderr.write(
    `${different.join(', ')}: not what crc32c.c and ${zig} make. Run 'npm run build:native'.\n`,
  )
  process.exitCode = 1
}
