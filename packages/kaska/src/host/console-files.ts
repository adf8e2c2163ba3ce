/**
 * The console's files: as they were built into the package, or, in a clone, bundled when somebody first asks for
 * one. Kept in memory from then on, as they are and compressed.
 */
import { createHash } from 'node:crypto'
import { existsSync } from 'node:fs'
import { readdir, readFile } from 'node:fs/promises'
import path from 'node:path'
import { fileURLToPath } from 'node:url'
import { promisify } from 'node:util'
import { brotliCompress, gzip } from 'node:zlib'
import type { ConsoleFile, ConsoleFiles } from '../http/console-files.ts'

/** Beside the built broker. */
const built = fileURLToPath(new URL('../console/', import.meta.url))
/** In a clone, seen from the broker's sources. */
const bundler = new URL('../../../console/build.ts', import.meta.url)

const types: Readonly<Record<string, string>> = {
  '.html': 'text/html; charset=utf-8',
  '.js': 'text/javascript; charset=utf-8',
  '.css': 'text/css; charset=utf-8',
  '.svg': 'image/svg+xml',
}

interface RawFile {
  readonly path: string
  readonly contents: Uint8Array
}

export function openConsoleFiles(): ConsoleFiles {
  let loading: Promise<ReadonlyMap<string, ConsoleFile>> | undefined
  return {
    async get(name) {
      loading ??= load()
      // A bundle that failed is tried again: in a clone somebody may be mending it.
      const files = await loading.catch((error) => {
        loading = undefined
        throw error
      })
      return files.get(name)
    },
  }
}

async function load(): Promise<ReadonlyMap<string, ConsoleFile>> {
  const files = existsSync(built) ? await readBuilt() : await bundle()
  const entries = await Promise.all(
    files.map(async (file) => [file.path, await compressed(file)] as const),
  )
  return new Map(entries)
}

async function readBuilt(): Promise<RawFile[]> {
  const names = await readdir(built, { recursive: true, withFileTypes: true })
  return await Promise.all(
    names
      .filter((entry) => entry.isFile())
      .map(async (entry) => {
        const file = path.join(entry.parentPath, entry.name)
        const name = path.relative(built, file).split(path.sep).join('/')
        return { path: name, contents: await readFile(file) }
      }),
  )
}

async function bundle(): Promise<RawFile[]> {
  if (!existsSync(bundler)) throw new Error('the console was not built')
  const { bundleConsole } = (await import(bundler.href)) as {
    bundleConsole(): Promise<RawFile[]>
  }
  return await bundleConsole()
}

async function compressed({ path: name, contents }: RawFile): Promise<ConsoleFile> {
  const [br, gz] = await Promise.all([
    promisify(brotliCompress)(contents),
    promisify(gzip)(contents, { level: 9 }),
  ])
  return {
    type: types[path.extname(name)] ?? 'application/octet-stream',
    etag: `"${createHash('sha256').update(contents).digest('base64url').slice(0, 22)}"`,
    identity: contents,
    br,
    gzip: gz,
  }
}
