import assert from 'node:assert/strict'
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import path from 'node:path'
import { test } from 'node:test'
import { isInContainer } from './container.ts'

test('a container is known by what its engine leaves', (context) => {
  const root = mkdtempSync(path.join(tmpdir(), 'kaska-container-'))
  context.after(() => rmSync(root, { recursive: true, force: true }))
  assert.equal(isInContainer(root), false)
  mkdirSync(path.join(root, 'proc/1'), { recursive: true })
  const groups = path.join(root, 'proc/1/cgroup')
  writeFileSync(groups, '0::/init.scope\n')
  assert.equal(isInContainer(root), false)
  writeFileSync(groups, '0::/kubepods.slice/pod1\n')
  assert.equal(isInContainer(root), true)
  rmSync(groups)
  writeFileSync(path.join(root, '.dockerenv'), '')
  assert.equal(isInContainer(root), true)
})
