/** openapi.json: it names every route, each of its examples works, and what comes is what it says. */
import assert from 'node:assert/strict'
import { type TestContext, test } from 'node:test'
import fc from 'fast-check'
import { createHttpService } from '../src/http/http-app.ts'
import type { HttpParts } from '../src/http/http-parts.ts'
import { type Operation, operations } from '../src/http/openapi-operations.ts'
import { namedSchemas, type Schema } from '../src/http/openapi-schemas.ts'
import { startHttp } from './http-start.ts'
import { check, perform, walkExamples } from './openapi-walk.ts'

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
  await walkExamples(url)
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
