/**
 * Errors as HTTP says them: a status, and problem details (RFC 9457) with the error's own code in `code`.
 */
import { KaskaError, OffsetOutOfRangeError, SendBatchError } from '@kaska/protocol'

const statusByCode: ReadonlyMap<string, number> = new Map([
  ['UNKNOWN_TOPIC', 404],
  ['UNKNOWN_PARTITION', 404],
  ['TOPIC_EXISTS', 409],
  ['GROUP_ACTIVE', 409],
  ['LOG_TRUNCATED', 409],
  ['INVALID_TOPIC', 400],
  ['INVALID_ARGUMENT', 400],
  ['INVALID_MESSAGE', 400],
  ['INVALID_TIMESTAMP', 400],
  ['PROTOCOL', 400],
  ['NOT_AUTHORIZED', 403],
  ['MESSAGE_TOO_LARGE', 413],
  ['OFFSET_OUT_OF_RANGE', 416],
  ['UNSUPPORTED_COMPRESSION', 501],
  ['UNSUPPORTED_OPERATION', 501],
  ['UNSUPPORTED_VERSION', 501],
  ['OVERLOADED', 503],
  ['PARTITION_OFFLINE', 503],
  ['CLOSED', 503],
  ['CONNECTION', 503],
  ['DELIVERY_TIMEOUT', 504],
  ['DISK_FULL', 507],
])

export interface Problem {
  readonly status: number
  readonly title: string
  readonly detail?: string
  /** Further members: RFC 9457, 3.2. */
  readonly [member: string]: unknown
}

/** What an error of HTTP's own is answered with. */
export class ProblemError extends Error {
  override readonly name = 'ProblemError'
  readonly problem: Problem
  readonly headers: Readonly<Record<string, string>>

  constructor(problem: Problem, headers: Readonly<Record<string, string>> = {}) {
    super(problem.title)
    this.problem = problem
    this.headers = headers
  }
}

export function problemResponse(
  { status, title, ...rest }: Problem,
  more: Readonly<Record<string, string>> = {},
): Response {
  const headers: Record<string, string> = { 'content-type': 'application/problem+json', ...more }
  if (status === 401) headers['www-authenticate'] = 'Bearer realm="kaska"'
  if (status === 503 || status === 429) headers['retry-after'] = '1'
  return new Response(`${JSON.stringify({ type: 'about:blank', title, status, ...rest })}\n`, {
    status,
    headers,
  })
}

/** What an error that a request met is answered with; undefined: a mistake of ours. */
export function problemOf(error: unknown): Problem | undefined {
  if (error instanceof ProblemError) return error.problem
  if (error instanceof SendBatchError) return batchProblem(error)
  if (!(error instanceof KaskaError)) return undefined
  const { code, message, retriable } = error
  const status = statusByCode.get(code)
  if (status === undefined) return undefined
  const bounds =
    error instanceof OffsetOutOfRangeError
      ? { startOffset: error.startOffset, endOffset: error.endOffset }
      : {}
  return { status, title: error.name, detail: message, code, retriable, ...bounds }
}

const internal: Problem = { status: 500, title: 'InternalError', code: 'INTERNAL' }

/** The first failure's, with what became of each message. */
function batchProblem(error: SendBatchError): Problem | undefined {
  const problems = error.results.map((result) =>
    'error' in result ? problemOf(result.error) : undefined,
  )
  const first = problems.find((problem) => problem !== undefined)
  if (first === undefined) return undefined
  const results = error.results.map((result, index) => {
    if (!('error' in result)) return result
    const { title, detail, code } = problems[index] ?? internal
    return { partition: result.partition, title, detail, code }
  })
  return { ...first, title: error.name, code: error.code, detail: error.message, results }
}
