/** Requests that openapi.json describes, and their answers held against it. */
import assert from 'node:assert/strict'
import { type Content, type Operation, operations } from '../src/http/openapi-operations.ts'
import { namedSchemas, type Schema } from '../src/http/openapi-schemas.ts'
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
export async function perform(url: string, operation: Operation, sent: Sent): Promise<Response> {
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
export async function check(response: Response, operation: Operation): Promise<string> {
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

/** Performs the examples of all operations, one after the other, the deletions last: each succeeds. */
export async function walkExamples(url: string): Promise<void> {
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
}
