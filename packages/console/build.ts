/**
 * Bundles the console into a handful of files, which the broker serves: the page, its script and its style. Run for
 * what is published (scripts/build.ts), and by a broker in a clone when somebody first opens the page.
 */
import { readFile } from 'node:fs/promises'
import { stdout } from 'node:process'
import { fileURLToPath } from 'node:url'
import { brotliCompressSync } from 'node:zlib'
import { type BuildOptions, build } from 'esbuild'

export interface ConsoleFile {
  /** `index.html`, `assets/main.js`, ... */
  readonly path: string
  readonly contents: Uint8Array
}

const source = fileURLToPath(new URL('./src/', import.meta.url))

/** The pages, as they are. */
const pages = ['index.html', 'icon.svg']

const shared: BuildOptions = {
  absWorkingDir: source,
  bundle: true,
  platform: 'browser',
  target: 'es2022',
  conditions: ['source', 'browser'],
  minify: true,
  write: false,
  logLevel: 'silent',
}

/** Resolves with all files. Rejects with esbuild's errors. */
export async function bundleConsole(): Promise<ConsoleFile[]> {
  const [bundled, copied, sandbox] = await Promise.all([
    bundlePage(),
    Promise.all(pages.map(async (path) => ({ path, contents: await readFile(source + path) }))),
    bundleSandbox(),
  ])
  return [...copied, sandbox, ...bundled]
}

async function bundlePage(): Promise<ConsoleFile[]> {
  const { outputFiles } = await build({
    ...shared,
    entryPoints: { main: 'main.tsx' },
    outdir: 'assets',
    format: 'esm',
    jsx: 'automatic',
    jsxImportSource: 'preact',
    legalComments: 'eof',
    loader: { '.svg': 'dataurl' },
  })
  return (outputFiles ?? []).map(({ path, contents }) => ({
    path: `assets/${path.split(/[\\/]/).at(-1)}`,
    contents,
  }))
}

/** One page with all that it needs in it: its frame may load nothing. */
async function bundleSandbox(): Promise<ConsoleFile> {
  const workerSource = await bundleScript('search-worker.ts')
  const script = await bundleScript('sandbox.ts', { workerSource: JSON.stringify(workerSource) })
  const page = await readFile(`${source}sandbox.html`, 'utf8')
  const [before = '', after = ''] = page.split('<script></script>')
  const contents = new TextEncoder().encode(`${before}<script>${script}</script>${after}`)
  return { path: 'sandbox.html', contents }
}

async function bundleScript(entry: string, define: Record<string, string> = {}): Promise<string> {
  const options: BuildOptions = { ...shared, entryPoints: [entry], format: 'iife', define }
  const { outputFiles } = await build({ ...options, write: false })
  return outputFiles?.[0]?.text ?? ''
}

/** Run by itself it says what the page takes on its way to a browser. */
if (import.meta.main) {
  const files = await bundleConsole()
  const sizes = files.map(
    ({ path, contents }) => [path, brotliCompressSync(contents).length] as const,
  )
  for (const [path, size] of sizes) stdout.write(`${path}: ${size} bytes compressed\n`)
  stdout.write(`together: ${sizes.reduce((sum, [, size]) => sum + size, 0)} bytes compressed\n`)
}
