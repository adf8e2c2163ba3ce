/**
 * Builds what is published: the JavaScript and the declarations of the packages, each in its dist/, and the console in that of
 * the broker.
 *
 * Node gets few large files: to find, read and link 250 modules takes it longer than all else that a broker does at its start.
 * Bundlers for browsers get the modules of protocol and client one by one, and leave out what they do not need.
 *
 *     npm run build                               all
 *     node scripts/build.ts client                one, after those that it imports
 */
import { copyFileSync, mkdirSync, rmSync, writeFileSync } from 'node:fs'
import path from 'node:path'
import process from 'node:process'
import { build } from 'esbuild'
import { bundleConsole } from '../packages/console/build.ts'
import { packageNames, root, run } from './workspace.ts'

const last = process.argv[2]
if (last !== undefined && !packageNames.some((name) => name === last)) {
  throw new Error(`There is no package '${last}'.`)
}
for (const name of packageNames) {
  const folder = path.join(root, 'packages', name)
  rmSync(path.join(folder, 'dist'), { recursive: true, force: true })
  await run(process.execPath, [
    path.join(root, 'node_modules', 'typescript', 'bin', 'tsc'),
    '--project',
    path.join(folder, 'tsconfig.build.json'),
  ])
  await bundleForNode(folder, name)
  // npm packs the licence of the package's own folder only.
  copyFileSync(path.join(root, 'LICENSE'), path.join(folder, 'LICENSE'))
  if (name === 'kaska') await buildConsole(path.join(folder, 'dist', 'console'))
  if (name === last) break
}

/** What Node imports of a package: the broker's in dist/ itself, that of the others in dist/node/. */
async function bundleForNode(folder: string, name: (typeof packageNames)[number]): Promise<void> {
  const entries = name === 'kaska' ? ['index', 'testing', 'cli/main'] : ['index']
  await build({
    absWorkingDir: folder,
    entryPoints: entries.map((entry) => ({ in: `src/${entry}.ts`, out: entry })),
    outdir: name === 'kaska' ? 'dist' : 'dist/node',
    // As deep as the modules in src/host, some of which look for files beside the package's own.
    chunkNames: 'host/[name]-[hash]',
    bundle: true,
    splitting: true,
    format: 'esm',
    platform: 'node',
    target: 'node22.15',
    // Other packages stay what they are: an error of @kaska/protocol is the same class for all who import it.
    packages: 'external',
    logLevel: 'warning',
  })
}

async function buildConsole(folder: string): Promise<void> {
  for (const file of await bundleConsole()) {
    const target = path.join(folder, file.path)
    mkdirSync(path.dirname(target), { recursive: true })
    writeFileSync(target, file.contents)
  }
}
