/** GET /api/v1/openapi.json: all of the HTTP interface, as an OpenAPI 3.1 document. */
import type { HttpApp, HttpParts } from './http-parts.ts'
import { type Answer, type Operation, operations } from './openapi-operations.ts'
import { namedSchemas, type Schema } from './openapi-schemas.ts'

/** What every operation may answer: what stands in its request is wrong, who may ask, no memory. */
const usualProblems = [400, 401, 403, 421, 429, 500, 503] as const

const reasons: Readonly<Record<number, string>> = {
  400: 'Something in the request is wrong.',
  401: 'A token is asked for.',
  403: 'A page of another origin asks, or the cluster does not allow it.',
  404: 'There is no such topic, partition or group.',
  406: 'Nothing here is of a type that is accepted.',
  409: 'It is there already, or has members that are running.',
  413: 'It is too large.',
  415: 'The body is of a type that is not taken.',
  416: 'The partition does not hold the offset; the problem has both bounds.',
  421: 'This broker is not called by this name.',
  429: 'Too many wrong tokens.',
  500: "A mistake of the broker's.",
  501: 'The cluster behind this address is too old for it.',
  503: 'Not now: no memory is free, a partition is offline, or the cluster is out of reach.',
  504: 'It was not acknowledged in time, and may be in the log or not.',
  507: 'The disk is full.',
}

export function openApiPath(app: HttpApp, { identity }: Pick<HttpParts, 'identity'>): void {
  app.get('/api/v1/openapi.json', (context) => context.json(openApiDocument(identity.software)))
}

/** `software`: `kaska 0.1.0`. */
export function openApiDocument(software: string) {
  const paths: Record<string, Record<string, object>> = {}
  for (const operation of operations) {
    paths[operation.path] = {
      ...paths[operation.path],
      [operation.method]: operationObject(operation),
    }
  }
  return {
    openapi: '3.1.0',
    info: {
      title: 'Kaska over HTTP',
      version: software.split(' ').at(-1) ?? software,
      description: 'Streams of messages for scripts and browsers: docs/http.md.',
      license: { name: 'Apache-2.0', identifier: 'Apache-2.0' },
    },
    servers: [{ url: '/' }],
    security: [{}, { bearer: [] }, { cookie: [] }],
    paths,
    components: {
      schemas: namedSchemas,
      securitySchemes: {
        bearer: { type: 'http', scheme: 'bearer' },
        cookie: { type: 'apiKey', in: 'cookie', name: 'kaska_token' },
      },
    },
  }
}

function operationObject(operation: Operation): object {
  const { id, tag, summary, description, parameters = [], body, answers, problems = [] } = operation
  const responses: Record<string, object> = {}
  for (const [status, answer] of Object.entries(answers)) responses[status] = answerObject(answer)
  const problem = { description: '', content: { 'application/problem+json': problemSchema } }
  for (const status of [...usualProblems, ...problems]) {
    responses[status] ??= { ...problem, description: reasons[status] ?? '' }
  }
  return {
    operationId: id,
    tags: [tag],
    summary,
    ...(description === undefined ? {} : { description }),
    parameters: parameters.map((parameter) => {
      return parameter.in === 'path' ? { ...parameter, required: true } : parameter
    }),
    ...(body === undefined ? {} : { requestBody: { required: true, content: body } }),
    responses,
  }
}

const problemSchema = { schema: { $ref: '#/components/schemas/Problem' } }

function answerObject({ description, content = {} }: Answer): object {
  const types = Object.entries(content)
  if (types.length === 0) return { description }
  const schemaOf = ([type, schema]: [string, Schema]) => [type, { schema }]
  return { description, content: Object.fromEntries(types.map(schemaOf)) }
}
