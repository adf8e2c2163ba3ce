/** The generated pages of docs/reference/ say what the sources say. */
import assert from 'node:assert/strict'
import { readFileSync } from 'node:fs'
import path from 'node:path'
import { test } from 'node:test'
import { metricTable } from '../packages/kaska/src/http/metric-table.ts'
import { referencePages } from './reference.ts'
import { root } from './workspace.ts'

for (const { file, text } of referencePages()) {
  test(`${file} is up to date`, () => {
    assert.equal(
      readFileSync(path.join(root, file), { encoding: 'utf8' }),
      text,
      'run: npm run docs',
    )
  })
}

test('docs/operations.md asks for metrics that there are', () => {
  const text = readFileSync(path.join(root, 'docs/operations.md'), { encoding: 'utf8' })
  const names = new Set(metricTable.map(({ name }) => name))
  const asked = text.match(/\b(?:kaska|process)_[a-z_]+/g) ?? []
  assert.ok(asked.length > 10)
  for (const name of asked) {
    // One whose name ends with _bucket is a histogram's.
    assert.ok(names.has(name.replace(/_bucket$/, '')), name)
  }
})
