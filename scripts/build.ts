/**
 * Builds what is published: the JavaScript and the declarations of the packages, each in its dist/, and the console in that of
 * the broker.
 *
 *     npm run build                               all
 *     node scripts/build.ts client                one, after those that it imports
 */
import { copyFileSync, mkdirSync, rmSync, writeFileSync } from 'node:fs'
import path from 'node:path'
import process from 'node:process'
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
  // npm packs the licence of the package's own folder only.
  copyFileSync(path.join(root, 'LICENSE'), path.join(folder, 'LICENSE'))
  if (name === 'kaska') await buildConsole(path.join(folder, 'dist', 'console'))
  if (name === last) break
}

async function buildConsole(folder: string): Promise<void> {
  for (const file of await bundleConsole()) {
    const target = path.join(folder, file.path)
    mkdirSync(path.dirname(target), { recursive: true })
    writeFileSync(target, file.contents)
  }
}
