/**
 * The `kaska` command as an installed package has it: built, with no sources beside it. A clone's runs from its sources, which
 * takes longer to start. The other packages are found by their links in node_modules, built too.
 */
import { cpSync, rmSync } from 'node:fs'
import path from 'node:path'
import process from 'node:process'
import { run } from '../../scripts/workspace.ts'
import { root } from './target.ts'

/** Builds all, and resolves with the path of the program. */
export async function installKaska(): Promise<string> {
  await run(process.execPath, [path.join(root, 'scripts/build.ts')])
  const folder = path.join(root, 'node_modules/.cache/kaska-bench')
  rmSync(folder, { recursive: true, force: true })
  for (const part of ['package.json', 'bin', 'dist']) {
    const from = path.join(root, 'packages/kaska', part)
    cpSync(from, path.join(folder, part), { recursive: true })
  }
  return path.join(folder, 'bin/kaska.js')
}
