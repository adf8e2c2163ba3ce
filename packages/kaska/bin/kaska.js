#!/usr/bin/env node
// The `kaska` command: JavaScript that any Node can read, so that an old one gets an answer. A published
// package has dist/ and no src/; a clone has src/, and runs it as it is.
import { existsSync } from 'node:fs'
import module from 'node:module'
import { fileURLToPath } from 'node:url'

// Read when the first file operation needs the pool: enough threads for the syncs of many partitions
// at a time, with some left for reads (docs/decisions/0001).
process.env.UV_THREADPOOL_SIZE ??= '16'

const source = new URL('../src/cli/main.ts', import.meta.url)
const inClone = existsSync(source)
const [major, minor] = process.versions.node.split('.').map(Number)
const isNewEnough = major > 22 || (major === 22 && minor >= 15)

if (!isNewEnough) {
  refuse('Kaska needs Node 22.15 or newer')
} else if (inClone && !process.features.typescript) {
  refuse("Kaska's sources need Node 22.18 or newer")
} else {
  if (inClone) useSources()
  const { main } = await import(inClone ? source.href : '../dist/cli/main.js')
  await main()
}

function refuse(reason) {
  const wayOut = inClone ? " `npx kaska` in the clone's folder brings its own." : ''
  console.error(`${reason}; this is Node ${process.versions.node}.${wayOut}`)
  process.exitCode = 1
}

/** Makes Kaska's packages resolve to their sources, in this process alone. What stripping the types
 * and compiling has given is kept for the next start, which then takes half the time to load. */
function useSources() {
  module.enableCompileCache(
    fileURLToPath(new URL('../../../node_modules/.cache/kaska', import.meta.url)),
  )
  module.registerHooks({
    resolve: (specifier, context, next) =>
      specifier.startsWith('@kaska/') || specifier === 'kaska' || specifier.startsWith('kaska/')
        ? next(specifier, { ...context, conditions: [...context.conditions, 'source'] })
        : next(specifier, context),
  })
}
