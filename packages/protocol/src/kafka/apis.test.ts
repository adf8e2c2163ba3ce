import assert from 'node:assert/strict'
import { test } from 'node:test'
import { apis, messages } from './apis.ts'
import { errorCode, errorOf, errorTable } from './errors.ts'

test('an API has a request and a response of the same key and versions', () => {
  for (const { key, name, request, response, versions, flexible } of apis.values()) {
    assert.equal(request.name, `${name}Request`)
    assert.equal(response.name, `${name}Response`)
    for (const message of [request, response]) {
      assert.equal(message.key, key)
      assert.deepEqual(message.versions, versions)
      assert.deepEqual(message.flexible, flexible)
    }
  }
  assert.deepEqual(
    [...apis.keys()],
    [...apis.keys()].sort((a, b) => a - b),
  )
})

test('tags are numbered from 0 in each struct, and are tagged only where it is flexible', () => {
  for (const message of messages) checkTags(message.name, message.fields, message.flexible.min)
})

function checkTags(name: string, fields: (typeof messages)[number]['fields'], min: number): void {
  const tags: number[] = []
  for (const { tag, tagged, type } of Object.values(fields)) {
    assert.equal(tag === undefined, tagged.min > tagged.max, name)
    if (tag !== undefined) tags.push(tag)
    if (tag !== undefined) assert.ok(tagged.min >= min, name)
    if (type.fields !== undefined) checkTags(`${name}.${type.name}`, type.fields, min)
  }
  assert.deepEqual(
    tags.sort((a, b) => a - b),
    tags.map((_, index) => index),
    name,
  )
}

test('an error has one code, one name, and says whether to try again', () => {
  assert.equal(new Set(errorTable.map(({ code }) => code)).size, errorTable.length)
  assert.equal(errorCode.UNKNOWN_TOPIC_OR_PARTITION, 3)
  assert.deepEqual(errorOf(3), {
    code: 3,
    name: 'UNKNOWN_TOPIC_OR_PARTITION',
    retriable: true,
  })
  assert.equal(errorOf(errorCode.UNKNOWN_SERVER_ERROR)?.retriable, false)
  assert.equal(errorOf(12345), undefined)
})
