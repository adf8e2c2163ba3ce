import assert from 'node:assert/strict'
import { test } from 'node:test'
import { shownTopics, type TopicColumn, type TopicRow } from './topics-list.ts'

function row(name: string, changes: Partial<TopicRow> = {}): TopicRow {
  const counts = { partitions: 1, messages: 0, bytes: 0, messagesIn: 0, rate: null }
  return {
    name,
    id: name,
    retentionMs: null,
    retentionBytes: null,
    groups: [],
    ...counts,
    ...changes,
  }
}

const rows = [
  row('b', { messages: 5, groups: ['Billing'] }),
  row('c', { messages: 7, retentionMs: 1000, rate: 0 }),
  row('Ab', { messages: 5, partitions: 3, retentionMs: 2000, rate: 1.5 }),
]

function names(filter: string, column: TopicColumn, isDescending = false): string {
  return shownTopics(rows, filter, column, isDescending)
    .map(({ name }) => name)
    .join(' ')
}

test('topics are found by parts of their names and of those of their groups', () => {
  assert.equal(names('', 'name'), 'Ab b c')
  assert.equal(names(' B ', 'name'), 'Ab b')
  assert.equal(names('bill', 'name'), 'b')
  assert.equal(names('none', 'name'), '')
})

test('they are sorted both ways, equal ones by name', () => {
  assert.equal(names('', 'name', true), 'c b Ab')
  assert.equal(names('', 'messages'), 'Ab b c')
  assert.equal(names('', 'messages', true), 'c Ab b')
  assert.equal(names('', 'partitions', true), 'Ab b c')
})

test('no limit is the longest retention; a rate that is not known is the lowest', () => {
  assert.equal(names('', 'retention'), 'c Ab b')
  assert.equal(names('', 'rate'), 'b c Ab')
})
