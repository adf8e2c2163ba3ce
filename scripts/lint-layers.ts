/**
 * Checks the layers of all sources (layers.ts): prints each breach, and exits with 1 if there is one.
 */
import { globSync, readFileSync } from 'node:fs'
import path from 'node:path'
import process from 'node:process'
import { checkLayers } from './layers.ts'
import { root } from './workspace.ts'

const files = globSync('packages/*/src/**/*.ts', { cwd: root }).sort()
const breaches = files.flatMap((file) =>
  checkLayers(
    file.split(path.sep).join('/'),
    readFileSync(path.join(root, file), { encoding: 'utf8' }),
  ),
)
for (const { file, line, reason } of breaches) console.error(`${file}:${line}: ${reason}`)
if (breaches.length > 0) process.exitCode = 1
else console.log(`Checked the layers of ${files.length} files.`)
