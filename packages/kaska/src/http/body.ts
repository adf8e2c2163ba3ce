/** The body of a request, within the broker's byte budget. */
import { InvalidArgumentError, MessageTooLargeError, OverloadedError } from '@kaska/protocol'
import type { ByteBudget } from '../transport/byte-budget.ts'

/** Messages of 64 MiB as JSON, and what is around them. */
const bodyBytesMax = 96 * 1024 * 1024
/** What a byte of a body takes while it is read, decoded and sent. */
const bytesPerByte = 4

const decoder = new TextDecoder('utf-8', { fatal: true })

/**
 * Reads the body and hands it to `use`; what it takes in memory is reserved until that settles. Rejects
 * with MessageTooLargeError, OverloadedError.
 */
export async function withBody<T>(
  request: Request,
  budget: ByteBudget,
  use: (body: Uint8Array) => Promise<T>,
): Promise<T> {
  let reserved = 0
  const reserve = (bytes: number): void => {
    const wanted = bytes * bytesPerByte
    if (wanted > budget.total / 2 || !budget.tryReserve(wanted)) {
      throw new OverloadedError('the broker has no memory free for a request of this size')
    }
    reserved += wanted
  }
  try {
    const chunks: Uint8Array[] = []
    let length = 0
    if (request.body !== null) {
      for await (const chunk of request.body as unknown as AsyncIterable<Uint8Array>) {
        length += chunk.length
        if (length > bodyBytesMax) {
          throw new MessageTooLargeError(`a request has at most ${bodyBytesMax} bytes`)
        }
        reserve(chunk.length)
        chunks.push(chunk)
      }
    }
    return await use(joined(chunks, length))
  } finally {
    budget.release(reserved)
  }
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
