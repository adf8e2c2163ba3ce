/** The body of a request, within the broker's byte budget. */
import { InvalidArgumentError, MessageTooLargeError, OverloadedError } from '@kaska/protocol'
import type { ByteBudget } from '../transport/byte-budget.ts'
import { ProblemError } from './problem.ts'

/** A document of JSON is parsed at one go: a longer one would hold up everybody else. */
export const jsonBytesMax = 8 * 1024 * 1024
const jsonType = 'application/json'

export interface BodyBounds {
  readonly bytesMax: number
  /** What a byte of the body takes while it is read, decoded and sent. */
  readonly bytesPerByte: number
}

export const jsonBounds: BodyBounds = { bytesMax: jsonBytesMax, bytesPerByte: 4 }

const decoder = new TextDecoder('utf-8', { fatal: true })

/**
 * Reads the body and hands it to `use`, with what reserves memory beyond it and throws OverloadedError; all of
 * that is reserved until `use` settles. Rejects with MessageTooLargeError, OverloadedError.
 */
export async function withBody<T>(
  request: Request,
  budget: ByteBudget,
  { bytesMax, bytesPerByte }: BodyBounds,
  use: (body: Uint8Array, take: (bytes: number) => void) => Promise<T>,
): Promise<T> {
  const check = (length: number): void => {
    if (length > bytesMax) {
      throw new MessageTooLargeError(`such a request has at most ${bytesMax} bytes`)
    }
  }
  check(Number(request.headers.get('content-length') ?? 0))
  let reserved = 0
  const take = (bytes: number): void => {
    if (!budget.tryReserve(bytes)) {
      throw new OverloadedError('the broker has no memory free for a request of this size')
    }
    reserved += bytes
  }
  try {
    const chunks: Uint8Array[] = []
    let length = 0
    if (request.body !== null) {
      for await (const chunk of request.body as unknown as AsyncIterable<Uint8Array>) {
        length += chunk.length
        check(length)
        take(chunk.length * bytesPerByte)
        chunks.push(chunk)
      }
    }
    return await use(joined(chunks, length), take)
  } finally {
    budget.release(reserved)
  }
}

/** The body, which has to be JSON and to say so. Rejects as `withBody`, with InvalidArgumentError, and with
 * 415. */
export async function jsonBody(
  request: Request,
  budget: ByteBudget,
  bounds: BodyBounds = jsonBounds,
): Promise<unknown> {
  checkType(request, [jsonType])
  return await withBody(request, budget, bounds, async (body) => jsonOf(body))
}

/**
 * Which of the types the body is of. What a page of another origin can send without asking (a form's types,
 * text/plain, none) is never among them. Throws ProblemError: 415.
 */
export function checkType(request: Request, types: readonly string[]): string {
  const given = mediaType(request.headers.get('content-type') ?? '')
  if (types.includes(given)) return given
  throw new ProblemError(
    {
      status: 415,
      title: 'Unsupported media type',
      detail: `the body is ${types.join(', ')}, and says so in Content-Type; not '${given.slice(0, 100)}'`,
    },
    { accept: types.join(', ') },
  )
}

/** `text/html` of `Text/HTML; charset=utf-8`. */
export function mediaType(field: string): string {
  return (field.split(';')[0] ?? '').trim().toLowerCase()
}

/** The body as JSON. Throws InvalidArgumentError. */
export function jsonOf(body: Uint8Array): unknown {
  try {
    return JSON.parse(decoder.decode(body))
  } catch (cause) {
    const text = cause instanceof SyntaxError ? cause.message : 'it is not UTF-8'
    throw new InvalidArgumentError(`the body is not JSON: ${text}`)
  }
}

/**
 * The members of a JSON object, none but those of these names (any where undefined). Throws
 * InvalidArgumentError.
 */
export function membersOf(
  value: unknown,
  names: readonly string[] | undefined,
  what: string,
): Record<string, unknown> {
  if (typeof value !== 'object' || value === null || Array.isArray(value)) {
    throw new InvalidArgumentError(`${what} is a JSON object`)
  }
  const unknown = names && Object.keys(value).find((name) => !names.includes(name))
  if (unknown === undefined) return value as Record<string, unknown>
  throw new InvalidArgumentError(
    `${what} has no '${unknown.slice(0, 100).toWellFormed()}'; it may have ${names?.join(', ')}`,
  )
}

function joined(chunks: readonly Uint8Array[], length: number): Uint8Array {
  const [first] = chunks
  if (chunks.length === 1 && first !== undefined) return first
  const bytes = new Uint8Array(length)
  let position = 0
  for (const chunk of chunks) {
    bytes.set(chunk, position)
    position += chunk.length
  }
  return bytes
}
