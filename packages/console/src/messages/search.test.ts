import assert from 'node:assert/strict'
import { after, before, test } from 'node:test'
import { type Client, connect } from '@kaska/client'
import type { StoredMessage } from '@kaska/protocol'
import fc from 'fast-check'
import { startBroker, type TestBroker } from 'kaska/testing'
import { compileJsonPath } from './json-path.ts'
import { createPathMatcher, createTextMatcher, type Matcher } from './matchers.ts'
import { packMessages, unpackMessages } from './packed-messages.ts'
import { type SearchProgress, search } from './search.ts'
import { TopicReader } from './topic-reader.ts'

let kaska: TestBroker
let client: Client
before(async () => {
  kaska = await startBroker()
  client = await connect(kaska.url)
})
after(async () => {
  await client.close()
  await kaska.close()
})

const utf8 = (text: string) => new TextEncoder().encode(text)

test('paths into JSON', () => {
  const json = JSON.stringify({
    customer: { id: 42, name: 'Ann', tags: ['new', 'VIP'] },
    items: [
      { sku: 'abc-1', price: 3.5 },
      { sku: 'abc-2', price: 120 },
    ],
    'a name': null,
    paid: true,
    status: 'done',
  }).replace('42', '12345678901234567890')
  const cases: readonly (readonly [string, boolean])[] = [
    ['$', true],
    ['$.customer', true],
    ['customer.id', true],
    ['$.customer.nobody', false],
    ['$.customer.id == 12345678901234567890', true],
    ['$.customer.id == 12345678901234567891', false],
    ['$.customer.id > 12345678901234567889', true],
    ['$.customer.name == "Ann"', true],
    ["$.customer.name == 'Ann'", true],
    ['$.customer.name = Ann', true],
    ['$.customer.name != Ann', false],
    ['customer.tags[*] == VIP', true],
    ['customer.tags[-1] == VIP', true],
    ['customer.tags[2]', false],
    ['customer.tags ~ vip', false],
    ['customer.tags[*] ~ vip', true],
    ['items[0].sku ~ "ABC"', true],
    ['items[*].price >= 120', true],
    ['items[*].price > 120', false],
    ['$..price > 100', true],
    ['$..price > 1000', false],
    ['$..sku', true],
    ['$["a name"] == null', true],
    ["$['a name'] != null", false],
    ['paid == true', true],
    ['status < e', true],
    ['customer.tags == ["new","VIP"]', true],
    ['$.*.id', true],
    ['$.__proto__', false],
    ['$.constructor', false],
    ['items.length', false],
  ]
  for (const [path, isFound] of cases) assert.equal(compileJsonPath(path)(json), isFound, path)
  assert.equal(compileJsonPath('$')('no JSON'), false)
  for (const wrong of ['', '$.', 'a b', '$.a ==', '[', '$.a ]']) {
    assert.throws(() => compileJsonPath(wrong), /not a JSON path/, wrong)
  }
})

test('any text is a path, or is refused', () => {
  fc.assert(
    fc.property(fc.string(), fc.json(), (path, json) => {
      try {
        compileJsonPath(path)(json)
      } catch (error) {
        assert.match(String(error), /not a JSON path/)
      }
    }),
  )
})

test('a nesting that no stack would bear finds nothing, and throws nothing', () => {
  const deep = `${'['.repeat(100_000)}${']'.repeat(100_000)}`
  assert.equal(compileJsonPath('$..price')(deep), false)
})

test('text is found in each field, whatever its case, also in what is not UTF-8', async () => {
  const message = (fields: Partial<StoredMessage>): StoredMessage => ({
    topic: 't',
    partition: 0,
    offset: 0,
    timestamp: 0,
    key: null,
    value: null,
    headers: [],
    ...fields,
  })
  const messages = [
    message({ key: utf8('a needle') }),
    message({ value: new Uint8Array([0xff, ...utf8('NEEDLE'), 0xff]) }),
    message({ headers: [['Needle', null]] }),
    message({
      headers: [
        ['n', utf8('x')],
        ['n', utf8('needle')],
      ],
    }),
    message({ value: utf8('hay') }),
  ]
  const { signal } = new AbortController()
  const found = (scope: 'all' | 'key' | 'value' | 'headers') =>
    createTextMatcher('nEEdle', scope).match(messages, signal)
  assert.deepEqual(await found('all'), [0, 1, 2, 3])
  assert.deepEqual(await found('key'), [0])
  assert.deepEqual(await found('value'), [1])
  assert.deepEqual(await found('headers'), [2, 3])
})

test('messages are the same after they were packed', () => {
  const bytes = fc.option(fc.uint8Array({ maxLength: 20 }))
  const message: fc.Arbitrary<StoredMessage> = fc.record(
    {
      topic: fc.constant('t'),
      partition: fc.nat(),
      offset: fc.maxSafeNat(),
      timestamp: fc.integer({ min: -1, max: Number.MAX_SAFE_INTEGER }),
      key: bytes,
      value: bytes,
      headers: fc.array(
        fc.tuple(
          fc.string({ unit: 'binary' }).filter((name) => name.isWellFormed()),
          bytes,
        ),
        { maxLength: 3 },
      ),
    },
    { noNullPrototype: true },
  )
  fc.assert(
    fc.property(fc.array(message), (messages) => {
      assert.deepEqual(unpackMessages(packMessages(messages)), messages)
    }),
  )
})

async function searching(
  topic: string,
  matcher: Matcher,
  options: {
    foundMax?: number
    signal?: AbortSignal
    progress?: (at: SearchProgress) => void
  } = {},
) {
  const own = await connect(kaska.url)
  const { signal = new AbortController().signal } = options
  const found: StoredMessage[] = []
  const progress: SearchProgress[] = []
  try {
    const reader = await TopicReader.open({
      client: own,
      topic,
      partition: undefined,
      start: { at: 'start' },
      signal,
      fetchPage: () => Promise.reject(new Error('not asked for')),
    })
    const isComplete = await search({
      reader,
      matcher,
      signal,
      found: (messages) => found.push(...messages),
      progress: (at) => {
        progress.push(at)
        options.progress?.(at)
      },
      ...(options.foundMax === undefined ? {} : { foundMax: options.foundMax }),
    })
    return { isComplete, found, progress }
  } finally {
    await own.close()
  }
}

test('all of a topic is looked through, with its progress; it can be bounded and ended', async () => {
  await client.createTopic('wide', { partitions: 2 })
  const count = 20_000
  const values = Array.from({ length: count }, (_, index) => `{"n":${index}}`)
  await client.sendBatch(
    'wide',
    values.map((value, index) => ({ value, partition: index % 2 })),
  )
  const all = await searching('wide', createPathMatcher('n >= 19990', 'value'))
  assert.equal(all.isComplete, true)
  const found = all.found.map(({ value }) => new TextDecoder().decode(value ?? undefined))
  assert.deepEqual(found.sort(), values.slice(19990))
  const last = all.progress.at(-1)
  assert.deepEqual(last, { done: count, total: count, messages: count, found: 10 })
  assert.ok(all.progress.length > 5)
  const done = all.progress.map((each) => each.done)
  assert.deepEqual(
    done,
    done.toSorted((one, other) => one - other),
  )

  const some = await searching('wide', createTextMatcher('"n"', 'all'), { foundMax: 7 })
  assert.equal(some.isComplete, false)
  assert.equal(some.found.length, 7)

  const aborter = new AbortController()
  const ended = searching('wide', createTextMatcher('"n"', 'all'), {
    signal: aborter.signal,
    progress: ({ messages }) => {
      if (messages > 0) aborter.abort(new Error('enough'))
    },
  })
  await assert.rejects(ended, /enough/)
})

test('a topic without a message, and what comes while it is looked through', async () => {
  await client.createTopic('empty')
  const { isComplete, found } = await searching('empty', createTextMatcher('', 'all'))
  assert.deepEqual([isComplete, found.length], [true, 0])
  await client.sendBatch('empty', ['one', 'two'])
  let isSent = false
  const matcher: Matcher = {
    ...createTextMatcher('', 'all'),
    match: async (messages) => {
      if (!isSent) await client.send('empty', 'late')
      isSent = true
      return messages.map((_, index) => index)
    },
  }
  const later = await searching('empty', matcher)
  assert.equal(later.found.length, 2)
})
