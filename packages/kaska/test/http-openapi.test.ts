/** openapi.json: it names every route, each of its examples works, and what comes is what it says. */
import assert from 'node:assert/strict'
import { type TestContext, test } from 'node:test'
import fc from 'fast-check'
import { createHttpService } from '../src/http/http-app.ts'
import type { HttpParts } from '../src/http/http-parts.ts'
import type { Content, Operation } from '../src/http/openapi-operations.ts'
import { operations } from '../src/http/openapi-operations.ts'
import { namedSchemas, type Schema } from '../src/http/openapi-schemas.ts'
import { startHttp } from './http-start.ts'
import { mismatches } from './json-schema.ts'

const problemSchema: Schema = { $ref: '#/components/schemas/Problem' }
const usualProblems = [400, 401, 403, 413, 421, 429, 503]

interface Sent {
  readonly values?: Readonly<Record<string, string>>
  readonly accept?: string
  readonly type?: string
  readonly body?: string
}

/** Asks as the operation says, with values for its parameters. */
async function perform(url: string, operation: Operation, sent: Sent): Promise<Response> {
  const { values = {}, accept, type, body } = sent
  const query = new URLSearchParams()
  const headers = new Headers(accept === undefined ? {} : { accept })
  let { path } = operation
  for (const parameter of operation.parameters ?? []) {
    const value = values[parameter.name]
    if (parameter.in === 'path') {
      path = path.replace(`{${parameter.name}}`, encodeURIComponent(value ?? ''))
    } else if (value === undefined) continue
    else if (parameter.in === 'query') query.append(parameter.name, value)
    else headers.set(parameter.name, value)
  }
  if (type !== undefined) headers.set('content-type', type)
  return await fetch(`${url}${path}?${query}`, {
    method: operation.method.toUpperCase(),
    headers,
    ...(body === undefined ? {} : { body }),
  })
}

/** Checks an answer against what the operation may answer; its text, and of a stream the beginning. */
async function check(response: Response, operation: Operation): Promise<string> {
  const where = `${operation.id}: ${response.status}`
  const { answers, problems = [] } = operation
  const type = response.headers.get('content-type')?.split(';')[0] ?? ''
  if (type === 'text/event-stream') {
    const reader = response.body?.getReader()
    const { value } = (await reader?.read()) ?? {}
    await reader?.cancel()
    return new TextDecoder().decode(value)
  }
  const text = await response.text()
  const answer = answers[response.status]
  if (answer !== undefined && type !== 'application/problem+json') {
    const schema = answer.content?.[type]
    assert.ok(
      schema !== undefined || (answer.content === undefined && text === ''),
      `${where} ${type}`,
    )
    if (type !== 'application/json') return text
    const found = mismatches(JSON.parse(text), schema ?? {}, namedSchemas)
    assert.deepEqual(found, [], `${where} ${text.slice(0, 500)}`)
    return text
  }
  assert.ok([...usualProblems, ...problems].includes(response.status), `${where} ${text}`)
  assert.equal(type, 'application/problem+json', where)
  assert.deepEqual(mismatches(JSON.parse(text), problemSchema, namedSchemas), [], where)
  return text
}

function examplesOf({ parameters = [] }: Operation): Record<string, string> {
  const given = parameters.filter(({ example }) => example !== undefined)
  return Object.fromEntries(given.map(({ name, example }) => [name, String(example)]))
}

function textOf({ example }: Content): string {
  return typeof example === 'string' ? example : JSON.stringify(example)
}

test('the document is served, and is what an OpenAPI document is', async (context) => {
  const { ask } = await startHttp(context)
  const { json } = await ask('GET', '/openapi.json')
  assert.equal(json.openapi, '3.1.0')
  const references = JSON.stringify(json).match(/"#\/components\/schemas\/\w+"/g) ?? []
  for (const reference of references) {
    const name = JSON.parse(reference).split('/').at(-1)
    assert.ok(json.components.schemas[name], reference)
  }
  const ids = operations.map(({ id }) => id)
  assert.equal(new Set(ids).size, ids.length)
  for (const { path, parameters = [], answers } of operations) {
    const inPath = parameters.filter((parameter) => parameter.in === 'path')
    const names = inPath.map(({ name }) => name)
    assert.deepEqual(
      path.match(/\{\w+\}/g) ?? [],
      names.map((name) => `{${name}}`),
      path,
    )
    assert.ok(
      inPath.every(({ example }) => example !== undefined),
      path,
    )
    assert.ok(Object.keys(answers).length > 0)
  }
})

test('every route is in it, and nothing else', () => {
  // Nothing is asked of the parts while the paths are laid.
  const anything: unknown = new Proxy(() => {}, { get: () => anything })
  const { routes } = createHttpService(anything as HttpParts)
  const isPage = (path: string) => !/^\/(api|healthz|readyz|metrics)/.test(path)
  const laid = routes
    .filter(({ path }) => !isPage(path))
    .map(({ method, path }) => `${method} ${path.replace(/:([a-z]+)/g, '{$1}')}`)
  const described = operations.map(({ method, path }) => `${method.toUpperCase()} ${path}`)
  assert.deepEqual(laid.sort(), described.sort())
})

test('its examples work one after the other', async (context) => {
  const { url } = await startHttp(context)
  const walked = operations.filter(({ method }) => method !== 'delete')
  const deletions = operations.filter(({ method }) => method === 'delete')
  for (const operation of [...walked, ...deletions]) {
    const values = examplesOf(operation)
    for (const [type, content] of Object.entries(operation.body ?? { '': undefined })) {
      const sent = content === undefined ? {} : { type, body: textOf(content) }
      const types = Object.values(operation.answers).flatMap(({ content }) =>
        Object.keys(content ?? { '*/*': {} }),
      )
      for (const accept of operation.body === undefined ? types : ['*/*']) {
        const response = await perform(url, operation, { values, accept, ...sent })
        const text = await check(response, operation)
        assert.ok(response.ok, `${operation.id} ${response.status} ${text}`)
      }
    }
  }
})

/** Values that fit a schema, and values that do not. */
function valuesFor(schema: Schema): fc.Arbitrary<unknown> {
  const { $ref, oneOf, properties, required = [], items, prefixItems } = schema
  if ($ref !== undefined) {
    const named = namedSchemas[$ref.replace('#/components/schemas/', '')]
    assert.ok(named)
    return valuesFor(named)
  }
  if (oneOf !== undefined) return fc.oneof(...oneOf.map(valuesFor))
  const odd = fc.oneof(
    { weight: 1, arbitrary: fc.jsonValue() },
    {
      weight: 1,
      arbitrary: fc.constantFrom(-1, 2 ** 53, 1e300, 0.5, '', '\0', '__proto__', [], {}),
    },
  )
  if (properties !== undefined) {
    const members = Object.entries(properties).map(([name, member]) => [name, valuesFor(member)])
    const keys = { requiredKeys: required as never[] }
    const record = fc.record(Object.fromEntries(members), keys)
    return fc.oneof({ weight: 19, arbitrary: record }, { weight: 1, arbitrary: odd })
  }
  if (prefixItems !== undefined) return fc.tuple(...prefixItems.map(valuesFor))
  if (items !== undefined) return fc.array(valuesFor(items), { maxLength: 3 })
  const kinds = [schema.type ?? []].flat().map((type) => fitting[type] ?? ['x'])
  const fits = fc.constantFrom<unknown>(...(schema.enum ?? kinds.flat()), 'x')
  return fc.oneof({ weight: 12, arbitrary: fits }, { weight: 1, arbitrary: odd })
}

/** Values that have an effect where they stand. */
const fitting: Readonly<Record<string, readonly unknown[]>> = {
  string: ['orders', 'new', 'eA=='],
  integer: [0, 1, 2, 3],
  number: [0, 60_000],
  boolean: [true, false],
  null: [null],
}

const oddTexts = fc.oneof(
  { weight: 5, arbitrary: fc.constantFrom('orders', '0', '1', 'g', 'start', 'end') },
  { weight: 1, arbitrary: fc.string({ unit: 'binary', maxLength: 20 }) },
  {
    weight: 2,
    arbitrary: fc.constantFrom(
      '-1',
      '99999999999999999',
      '1e3',
      'NaN',
      '..',
      '%2F',
      '\0',
      'a:b',
      '0:1',
    ),
  },
)

async function fuzz(context: TestContext, operation: Operation, runs: number): Promise<void> {
  const { url, reported } = await startHttp(context)
  const parameters = operation.parameters ?? []
  const names = Object.fromEntries(
    parameters.map(({ name, example = 1 }) => {
      const fits = fc.constantFrom(String(example), 'orders', '1')
      return [name, fc.oneof({ weight: 8, arbitrary: fits }, { weight: 1, arbitrary: oddTexts })]
    }),
  )
  const inPath = parameters.filter((each) => each.in === 'path').map(({ name }) => name)
  const values = fc.record(names, { requiredKeys: inPath })
  const bodies = Object.entries(operation.body ?? {}).map(([type, { schema }]) =>
    type === 'application/json'
      ? fc.record({
          type: fc.constant(type),
          body: valuesFor(schema).map((v) => JSON.stringify(v) ?? ''),
        })
      : fc.record({ type: fc.constant(type), body: fc.string({ unit: 'binary' }) }),
  )
  const body = bodies.length === 0 ? fc.constant({}) : fc.oneof(...bodies)
  await fc.assert(
    fc.asyncProperty(values, body, async (given, sent) => {
      // A header takes fewer characters than a path, and waiting is not what is tested.
      const { 'last-event-id': last, waitMs: _, ...rest } = given as Record<string, string>
      const isPlain = last !== undefined && /^[\x21-\x7e]+$/.test(last)
      const shown = isPlain ? { ...rest, 'last-event-id': last } : rest
      // An empty part, and dots, make another path.
      if (inPath.some((name) => /^\.{0,2}$/.test(shown[name] ?? ''))) return
      await check(await perform(url, operation, { values: shown, ...sent }), operation)
    }),
    { numRuns: runs },
  )
  assert.deepEqual(reported, [])
}

for (const operation of operations) {
  const hasInput = operation.parameters !== undefined || operation.body !== undefined
  if (!hasInput) continue
  test(`whatever is asked of ${operation.id}, the answer is one of those described`, async (context) => {
    await fuzz(context, operation, 60)
  })
}
