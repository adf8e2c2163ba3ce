/** The lint rule of the layers: what it refuses, and that it sees every form of import. */
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { checkLayers, importsOf } from './layers.ts'

function reasons(file: string, specifier: string): string[] {
  return checkLayers(file, `import { x } from '${specifier}'\n`).map((breach) => breach.reason)
}

test('a package imports only those below it', () => {
  assert.deepEqual(reasons('packages/protocol/src/a.ts', '@kaska/client'), [
    'this package may not import @kaska/client',
  ])
  assert.deepEqual(reasons('packages/client/src/a.ts', '@kaska/protocol'), [])
  assert.deepEqual(reasons('packages/client/src/a.ts', 'kaska'), [
    'this package may not import kaska',
  ])
  assert.deepEqual(reasons('packages/client/src/a.ts', '../../kaska/src/broker.ts'), [
    "../../kaska/src/broker.ts lies outside of the package's sources",
  ])
})

test('only host/ imports the built-ins of Node, and no package sees one in protocol', () => {
  assert.deepEqual(reasons('packages/kaska/src/log/a.ts', 'node:fs'), [
    'only host/ may import node:fs',
  ])
  assert.deepEqual(reasons('packages/kaska/src/log/a.ts', 'node:assert/strict'), [])
  assert.deepEqual(reasons('packages/kaska/src/host/disk.ts', 'node:fs'), [])
  assert.deepEqual(reasons('packages/client/src/client.ts', 'node:net'), [
    'only host/ may import node:net',
  ])
  assert.deepEqual(reasons('packages/client/src/client.test.ts', 'node:net'), [])
  assert.deepEqual(reasons('packages/protocol/src/a.ts', 'node:assert'), [
    'no part of this package may import node:assert',
  ])
})

test('inside the broker the folders layer too', () => {
  assert.deepEqual(reasons('packages/kaska/src/log/a.ts', '../topics/topics.ts'), [
    'log/ may not import topics/',
  ])
  assert.deepEqual(reasons('packages/kaska/src/topics/a.ts', '../log/disk.ts'), [])
  assert.deepEqual(reasons('packages/kaska/src/topics/a.ts', '../native/session.ts'), [
    'topics/ may not import native/',
  ])
  assert.deepEqual(reasons('packages/kaska/src/native/a.ts', '../log/disk.ts'), [
    'native/ may not import log/',
  ])
  assert.deepEqual(reasons('packages/kaska/src/native/a.ts', '../host/node-disk.ts'), [
    'native/ may not import host/',
  ])
  assert.deepEqual(reasons('packages/kaska/src/log/a.ts', '../broker.ts'), [
    'log/ may not import what joins the parts',
  ])
  assert.deepEqual(reasons('packages/kaska/src/broker.ts', './native/session.ts'), [])
  assert.deepEqual(reasons('packages/kaska/src/wheels/a.ts', '../log/disk.ts'), [
    'scripts/layers.ts does not say what wheels/ may import',
  ])
})

test('a package of the registry is for the folder that is named', () => {
  assert.deepEqual(reasons('packages/kaska/src/cli/main.ts', 'commander'), [])
  assert.deepEqual(reasons('packages/kaska/src/broker.ts', 'commander'), [
    'only cli/ may import commander',
  ])
  assert.deepEqual(reasons('packages/kaska/src/cli/main.ts', 'left-pad'), [
    'this package may not import left-pad',
  ])
})

test('every form of import is seen, with its line', () => {
  const text = `/** A comment. */
import './a.ts'
import b from './b.ts'
import type { C } from './c.ts'
import {
  d1,
  type d2,
} from './d.ts'
import * as e from './e.ts'
export * from './f.ts'
export { g } from './g.ts'
export const text = 'from "./not-this.ts"'
const h = await import('./h.ts')
`
  assert.deepEqual(importsOf(text), [
    { specifier: './a.ts', line: 2 },
    { specifier: './b.ts', line: 3 },
    { specifier: './c.ts', line: 4 },
    { specifier: './d.ts', line: 8 },
    { specifier: './e.ts', line: 9 },
    { specifier: './f.ts', line: 10 },
    { specifier: './g.ts', line: 11 },
    { specifier: './h.ts', line: 13 },
  ])
})
