/**
 * Who may import whom (docs/architecture.md), as one table, and the check of a file against it.
 *
 *   packages   protocol <- client <- kaska: a package imports those to its left.
 *   folders    inside a package that has a table, a folder imports those in its row, and itself.
 *              '' is what lies directly in src/. What joins the parts may import them all.
 *   world      Node's built-ins and other people's packages are for the folders that are named.
 *
 * Globals (Date, setTimeout, process, ...) are checked by Biome: see noRestrictedGlobals in biome.json.
 */
import path from 'node:path'

/** A breach of a rule, at a line that counts from 1. */
export interface Breach {
  readonly file: string
  readonly line: number
  readonly reason: string
}

interface PackageLayers {
  /** The other packages of this repository that it may import. */
  readonly packages: readonly string[]
  /** Packages from the registry, by the folders that may import them. */
  readonly dependencies: Readonly<Record<string, readonly string[]>>
  /** The folders that may import Node's built-ins. */
  readonly node: readonly string[]
  /** Built-ins that reach nothing outside of the program: for all folders. */
  readonly pure: readonly string[]
  /** What each folder may import beside itself; undefined: the package has no layers inside. */
  readonly folders?: Readonly<Record<string, readonly string[]>>
}

/** Everything in the package. */
const all = ['*']

const layers: Readonly<Record<string, PackageLayers>> = {
  protocol: { packages: [], dependencies: {}, node: [], pure: [] },
  client: {
    packages: ['@kaska/protocol'],
    dependencies: { '@platformatic/kafka': ['host'] },
    node: ['host'],
    pure: [],
  },
  kaska: {
    packages: ['@kaska/protocol', '@kaska/client'],
    dependencies: {
      '@node-rs/crc32': ['host'],
      '@hono/node-server': ['host'],
      ws: ['host'],
      'hono/route': ['http'],
      'hono/tiny': ['http'],
      commander: ['cli'],
    },
    node: ['host'],
    pure: ['node:assert/strict'],
    folders: {
      log: [],
      // Tables of settings: pure.
      config: [],
      // What is counted for people who watch: plain numbers.
      figures: [],
      topics: ['log', 'config'],
      groups: ['log', 'topics', 'config'],
      // Cuts what arrives into frames that are paid for, and long work into slices; knows no protocol.
      transport: [],
      // Sessions are frames in, calls of an `Engine`, frames out: they know neither files nor topics.
      native: ['transport', 'figures'],
      kafka: ['transport', 'config', 'figures'],
      // Requests are calls of an `Engine`; the server is the host's.
      http: ['config', 'transport', 'figures'],
      // Copies from one `Engine` to another.
      mirror: [],
      // Makes the seams out of Node; knows the interfaces only.
      host: ['log', 'http', 'figures'],
      '': all,
      cli: all,
    },
  },
}

/** Modules that a folder may not import although its row allows the folder they are in. */
const exceptions: readonly { from: string; module: string; reason: string }[] = [
  {
    from: 'packages/kaska/src/topics/',
    module: 'packages/kaska/src/log/memory-disk.ts',
    reason: 'topics are given a Disk',
  },
]

const sourceFile = /^packages\/([a-z-]+)\/src\/(.*)$/
const testFile = /\.(test|test-[a-z]+|bench)\.ts$/
const importPattern =
  /^[ \t]*(?:import|export)\s+(?:[\w$*{}\s,]+?\sfrom\s+)?['"]([^'"\n]+)['"]|\bimport\(\s*['"]([^'"\n]+)['"]/gm

/** What a module imports: the specifiers as they are written, with their lines. */
export function importsOf(text: string): { specifier: string; line: number }[] {
  const found: { specifier: string; line: number }[] = []
  for (const match of text.matchAll(importPattern)) {
    const specifier = match[1] ?? match[2]
    if (specifier === undefined) continue
    const line = text.slice(0, match.index + match[0].length).split('\n').length
    found.push({ specifier, line })
  }
  return found
}

/** Checks one source file, whose path is relative to the repository, with '/' between its parts. */
export function checkLayers(file: string, text: string): Breach[] {
  const [, packageName = '', inner = ''] = sourceFile.exec(file) ?? []
  const rules = layers[packageName]
  if (rules === undefined || testFile.test(file)) return []
  const folder = folderOf(inner)
  const breaches: Breach[] = []
  for (const { specifier, line } of importsOf(text)) {
    const reason = refuse(specifier, file, folder, rules)
    if (reason !== undefined) breaches.push({ file, line, reason })
  }
  return breaches
}

function refuse(
  specifier: string,
  file: string,
  folder: string,
  rules: PackageLayers,
): string | undefined {
  if (specifier.startsWith('.')) return refuseRelative(specifier, file, folder, rules)
  if (specifier.startsWith('node:')) {
    if (rules.pure.includes(specifier)) return undefined
    return isIn(file, rules.node) ? undefined : `${who(rules.node)} may import ${specifier}`
  }
  if (rules.packages.includes(specifier)) return undefined
  const folders = rules.dependencies[specifier]
  if (folders === undefined) return `this package may not import ${specifier}`
  return isIn(file, folders) ? undefined : `${who(folders)} may import ${specifier}`
}

function refuseRelative(
  specifier: string,
  file: string,
  folder: string,
  rules: PackageLayers,
): string | undefined {
  const target = path.posix.join(path.posix.dirname(file), specifier)
  const root = /^packages\/[a-z-]+\/src\//.exec(file)?.[0] ?? ''
  if (!target.startsWith(root)) return `${specifier} lies outside of the package's sources`
  if (testFile.test(target)) return 'only tests may import a test'
  for (const exception of exceptions) {
    if (file.startsWith(exception.from) && target === exception.module) return exception.reason
  }
  if (rules.folders === undefined) return undefined
  const targetFolder = folderOf(target.slice(root.length))
  const allowed = rules.folders[folder]
  if (allowed === undefined) return `scripts/layers.ts does not say what ${folder}/ may import`
  if (targetFolder === folder || allowed === all || allowed.includes(targetFolder)) return undefined
  return `${folder}/ may not import ${targetFolder === '' ? 'what joins the parts' : `${targetFolder}/`}`
}

function folderOf(inner: string): string {
  const end = inner.indexOf('/')
  return end === -1 ? '' : inner.slice(0, end)
}

/** Does the file lie in one of the folders, at any depth? */
function isIn(file: string, folders: readonly string[]): boolean {
  return folders.some((folder) => file.includes(`/${folder}/`))
}

function who(folders: readonly string[]): string {
  if (folders.length === 0) return 'no part of this package'
  return `only ${folders.map((folder) => `${folder}/`).join(' and ')}`
}
