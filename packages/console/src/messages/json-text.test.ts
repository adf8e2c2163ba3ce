import assert from 'node:assert/strict'
import { test } from 'node:test'
import fc from 'fast-check'
import { jsonProblem, parseExact, prettyJson } from './json-text.ts'

const pretty = (text: string) =>
  prettyJson(text)
    ?.pieces.map((piece) => piece.text)
    .join('')

test('any JSON is shown as JSON.stringify would indent it', () => {
  fc.assert(
    fc.property(fc.json({ maxDepth: 6 }), (text) => {
      const value: unknown = JSON.parse(text)
      assert.equal(pretty(JSON.stringify(value)), JSON.stringify(value, null, 2))
    }),
  )
})

test('any text is JSON here where it is JSON to JSON.parse', () => {
  const likely = fc
    .array(
      fc.constantFrom(...['{', '}', '[', ']', ',', ':', '"a"', '1', '-', '.5', 'e9', 'null', ' ']),
      { maxLength: 8 },
    )
    .map((parts) => parts.join(''))
  fc.assert(
    fc.property(fc.oneof(likely, fc.string(), fc.json()), (text) => {
      let isJson = true
      try {
        JSON.parse(text)
      } catch {
        isJson = false
      }
      assert.equal(jsonProblem(text) === undefined, isJson, text)
    }),
    { numRuns: 2000 },
  )
})

test('numbers stay as they are written', () => {
  const text = '{"id":12345678901234567890123,"price":1.10,"tiny":1E-400,"zero":-0}'
  const shown = pretty(text) ?? ''
  for (const number of ['12345678901234567890123', '1.10', '1E-400', '-0']) {
    assert.ok(shown.includes(`: ${number}`), number)
  }
  assert.deepEqual(parseExact(text), {
    id: 12345678901234567890123n,
    price: 1.1,
    tiny: 0,
    zero: -0,
  })
})

test('what is parsed exactly is what JSON.parse makes of it, where no number is long', () => {
  fc.assert(
    fc.property(fc.json(), (text) => {
      // The last element sends it through the exact reader.
      const long = `[${text},9007199254740993]`
      const [value, number] = parseExact(long) as unknown[]
      assert.equal(number, 9007199254740993n)
      const isLong = /\d{16}/.test(text)
      if (!isLong) assert.deepEqual(value, JSON.parse(text))
    }),
  )
})

test('a name is a name, also __proto__', () => {
  const value = parseExact('{"__proto__":{"isAdmin":true},"n":10000000000000000}') as object
  assert.equal(Object.getPrototypeOf(value), Object.prototype)
  assert.equal('isAdmin' in value, false)
})

test('a nesting that no stack would bear is shown', () => {
  const depth = 200_000
  const text = `${'['.repeat(depth)}1234567890123456789${']'.repeat(depth)}`
  assert.equal(jsonProblem(text), undefined)
  assert.equal(prettyJson(text, 1000)?.isCut, true)
})

test('what is wrong is said, and where', () => {
  assert.match(jsonProblem('{"a":1,}') ?? '', /"}" instead of a name at position 7/)
  assert.match(jsonProblem('{"a') ?? '', /a string without its end/)
  assert.match(jsonProblem('') ?? '', /ends too early/)
  assert.match(jsonProblem('1 2') ?? '', /more than one value at position 2/)
})
