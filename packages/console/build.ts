/**
 * Bundles the console into a handful of files, which the broker serves: the page, its script and its style. Run for
 * what is published (scripts/build.ts), and by a broker in a clone when somebody first opens the page.
 */
import { readFile } from 'node:fs/promises'
import { fileURLToPath } from 'node:url'
import { build } from 'esbuild'

export interface ConsoleFile {
  /** `index.html`, `assets/main.js`, ... */
  readonly path: string
  readonly contents: Uint8Array
}

const source = fileURLToPath(new URL('./src/', import.meta.url))

/** The pages, as they are. */
const pages = ['index.html', 'icon.svg']

/** Resolves with all files. Rejects with esbuild's errors. */
export async function bundleConsole(): Promise<ConsoleFile[]> {
  const { outputFiles } = await build({
    absWorkingDir: source,
    entryPoints: { main: 'main.tsx' },
    outdir: 'assets',
    bundle: true,
    format: 'esm',
    platform: 'browser',
    target: 'es2022',
    conditions: ['source', 'browser'],
    jsx: 'automatic',
    jsxImportSource: 'preact',
    minify: true,
    legalComments: 'eof',
    write: false,
    logLevel: 'silent',
    loader: { '.svg': 'dataurl' },
  })
  const bundled = outputFiles.map(({ path, contents }) => ({
    path: `assets/${path.split(/[\\/]/).at(-1)}`,
    contents,
  }))
  const copied = await Promise.all(
    pages.map(async (path) => ({ path, contents: await readFile(source + path) })),
  )
  return [...copied, ...bundled]
}
