import assert from 'node:assert/strict'
import { readFileSync } from 'node:fs'
import { test } from 'node:test'
import { native } from '../src/index.ts'
import { protocolDocFile, withGeneratedParts } from './protocol-doc.ts'

const page = readFileSync(protocolDocFile, 'utf8')

test('the errors and the conversation in docs/protocol.md are those of the codecs', () => {
  assert.equal(
    page,
    withGeneratedParts(page),
    'write it: node --conditions=source packages/protocol/test/protocol-doc.ts',
  )
})

test('docs/protocol.md describes every operation by its number', () => {
  for (const [name, number] of Object.entries(native.operation)) {
    assert.match(page, new RegExp(`^\\| ${number} \\| ${name} \\|`, 'm'))
  }
})
