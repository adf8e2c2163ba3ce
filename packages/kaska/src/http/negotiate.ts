/** Which of the types that an answer can have its asker wants (RFC 9110, 12.5.1). */
import { ProblemError } from './problem.ts'

/** The first of the types where all are alike to the asker. Throws ProblemError: 406. */
export function negotiate(accept: string | undefined, types: readonly string[]): string {
  const [first = ''] = types
  if (accept === undefined || accept.trim() === '') return first
  const ranges = accept.split(',').map(rangeOf)
  let best: { type: string; weight: number } | undefined
  for (const type of types) {
    const weight = weightOf(type, ranges)
    if (weight > (best?.weight ?? 0)) best = { type, weight }
  }
  if (best !== undefined) return best.type
  throw new ProblemError({
    status: 406,
    title: 'Not acceptable',
    detail: `there is ${types.join(', ')} here, and nothing else`,
  })
}

interface Range {
  readonly type: string
  readonly weight: number
}

function rangeOf(text: string): Range {
  const [type = '', ...parameters] = text.split(';').map((part) => part.trim().toLowerCase())
  const given = parameters.find((parameter) => parameter.startsWith('q='))
  const weight = given === undefined ? 1 : Number(given.slice(2))
  return { type, weight: weight >= 0 && weight <= 1 ? weight : 0 }
}

/** The most exact range counts. */
function weightOf(type: string, ranges: readonly Range[]): number {
  const half = `${type.slice(0, type.indexOf('/'))}/*`
  for (const wanted of [type, half, '*/*']) {
    const range = ranges.find((each) => each.type === wanted)
    if (range !== undefined) return range.weight
  }
  return 0
}
