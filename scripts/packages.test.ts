/** What the package.json files promise: one version for all, exact dependencies, no registry's name. */
import assert from 'node:assert/strict'
import { readFileSync } from 'node:fs'
import path from 'node:path'
import { test } from 'node:test'
import { packageNames, root } from './workspace.ts'

interface Manifest {
  readonly name: string
  readonly version: string
  readonly engines?: { readonly node: string }
  readonly dependencies?: Readonly<Record<string, string>>
  readonly optionalDependencies?: Readonly<Record<string, string>>
  readonly devDependencies?: Readonly<Record<string, string>>
}

function read(file: string): string {
  return readFileSync(path.join(root, file), { encoding: 'utf8' })
}

const workspace: Manifest = JSON.parse(read('package.json'))
const packages = packageNames.map(
  (name): Manifest => JSON.parse(read(`packages/${name}/package.json`)),
)

test('all packages have one version, and depend on each other at it', () => {
  for (const { name, version, dependencies = {} } of packages) {
    assert.equal(version, workspace.version, name)
    for (const other of packages) {
      assert.equal(dependencies[other.name] ?? version, version, `${name}: ${other.name}`)
    }
  }
  assert.match(
    read('CHANGELOG.md'),
    new RegExp(`^## ${workspace.version.replaceAll('.', '\\.')}`, 'm'),
  )
})

test('all packages support the same Node', () => {
  assert.deepEqual(new Set(packages.map(({ engines }) => engines?.node)), new Set(['>=22.15']))
})

test('dependencies are exact versions', () => {
  for (const manifest of [workspace, ...packages]) {
    const versions = Object.entries({
      ...manifest.dependencies,
      ...manifest.optionalDependencies,
      ...manifest.devDependencies,
    })
    for (const [name, version] of versions) {
      assert.match(version, /^\d+\.\d+\.\d+$/, `${manifest.name}: ${name}`)
    }
  }
})

test('the lock file serves behind any registry', () => {
  assert.doesNotMatch(read('package-lock.json'), /"resolved": "http/)
})
