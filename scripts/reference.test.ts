/** The generated pages of docs/reference/ say what the sources say. */
import assert from 'node:assert/strict'
import { readFileSync } from 'node:fs'
import path from 'node:path'
import { test } from 'node:test'
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
