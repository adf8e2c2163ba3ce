/**
 * Paths into JSON, with a comparison or without one:
 *
 *     $.customer.id == 12345678901234567890      whole numbers are compared exactly
 *     items[0].sku    items[*].sku ~ "abc"       ~ contains, whatever the case
 *     $..price > 100                             at any depth
 *     $["a name"] != null                        without a comparison: is there such a thing
 *
 * Written in a text or without its quotes: `status == paid`.
 */
import { parseExact } from './json-text.ts'

type Step =
  | { readonly kind: 'name'; readonly name: string }
  | { readonly kind: 'index'; readonly index: number }
  | { readonly kind: 'all' }
  | { readonly kind: 'deep' }

type Operator = '==' | '!=' | '<' | '<=' | '>' | '>=' | '~'

/** Does the JSON text hold what was asked for? A text that is no JSON does not. */
export type JsonTest = (text: string) => boolean

/** Nobody's message is so deep; what is below is not looked at. */
const depthMax = 1000

const stepPattern =
  /\.\.(?=[^.])|\.?\[\s*(?:(-?\d+)|(\*)|("(?:[^"\\]|\\.)*"|'[^']*'))\s*\]|\.?(\*)|\.?([\p{L}\p{N}_$-]+)/uy
const comparisonPattern = /^\s*(==|=(?!=)|!=|<=|>=|<(?!=)|>(?!=)|~)\s*([\s\S]+?)\s*$/

/** Throws an Error that says where the path is wrong. */
export function compileJsonPath(source: string): JsonTest {
  const text = source.trim()
  const steps: Step[] = []
  let position = /^\$(?=$|[.[\s=!<>~])/.test(text) ? 1 : 0
  for (;;) {
    stepPattern.lastIndex = position
    const found = stepPattern.exec(text)
    if (found === null || found[0] === '') break
    position = stepPattern.lastIndex
    const [all, index, everything, quoted, star, name] = found
    if (all === '..') steps.push({ kind: 'deep' })
    else if (index !== undefined) steps.push({ kind: 'index', index: Number(index) })
    else if (everything !== undefined || star !== undefined) steps.push({ kind: 'all' })
    else steps.push({ kind: 'name', name: name ?? unquote(quoted ?? '') })
  }
  const rest = text.slice(position)
  const [, operator, literal] = comparisonPattern.exec(rest) ?? []
  if (operator === undefined && rest.trim() !== '') {
    throw new Error(`not a JSON path: '${rest.trim()}' at position ${position}`)
  }
  if (steps.length === 0 && operator === undefined && text !== '$') {
    throw new Error('not a JSON path: $.name, items[0].sku == "abc"')
  }
  const test = operator === undefined ? () => true : comparison(operator, literal ?? '')
  return (json) => {
    let value: unknown
    try {
      value = parseExact(json)
    } catch {
      return false
    }
    return isFound(value, steps, 0, test, 0)
  }
}

function isFound(
  value: unknown,
  steps: readonly Step[],
  at: number,
  test: (value: unknown) => boolean,
  depth: number,
): boolean {
  const step = steps[at]
  if (step === undefined) return test(value)
  if (typeof value !== 'object' || value === null || depth > depthMax) return false
  const below = (each: unknown, next: number) => isFound(each, steps, next, test, depth + 1)
  switch (step.kind) {
    case 'name':
      return Object.hasOwn(value, step.name) && !(Array.isArray(value) && step.name === 'length')
        ? below((value as Record<string, unknown>)[step.name], at + 1)
        : false
    case 'index': {
      if (!Array.isArray(value)) return false
      const index = step.index < 0 ? value.length + step.index : step.index
      return index in value && below(value[index], at + 1)
    }
    case 'all':
      return Object.values(value).some((each) => below(each, at + 1))
    case 'deep':
      return (
        isFound(value, steps, at + 1, test, depth + 1) ||
        Object.values(value).some((each) => below(each, at))
      )
  }
}

function comparison(written: string, literal: string): (value: unknown) => boolean {
  const operator = (written === '=' ? '==' : written) as Operator
  const wanted = literalOf(literal)
  if (operator === '~') {
    const part = String(wanted).toLowerCase()
    return (value) => typeof value !== 'object' && String(value).toLowerCase().includes(part)
  }
  return (value) => {
    if (operator === '==' || operator === '!=') {
      return isEqual(value, wanted) === (operator === '==')
    }
    const order = orderOf(value, wanted)
    if (order === undefined) return false
    if (operator === '<') return order < 0
    if (operator === '<=') return order <= 0
    return operator === '>' ? order > 0 : order >= 0
  }
}

function literalOf(text: string): unknown {
  if (/^'[^']*'$/.test(text)) return text.slice(1, -1)
  try {
    return parseExact(text)
  } catch {
    return text
  }
}

function isEqual(one: unknown, other: unknown): boolean {
  if (isNumber(one) && isNumber(other)) {
    // A double and a whole number of any length are compared as what they are.
    // biome-ignore lint/suspicious/noDoubleEquals: see above
    return one == other
  }
  if (typeof one === 'object' && one !== null && typeof other === 'object' && other !== null) {
    return isSame(one, other, 0)
  }
  return one === other
}

function isSame(one: object, other: object, depth: number): boolean {
  const names = Object.keys(one)
  if (Array.isArray(one) !== Array.isArray(other) || depth > depthMax) return false
  if (names.length !== Object.keys(other).length) return false
  return names.every((name) => {
    const mine = (one as Record<string, unknown>)[name]
    const theirs = (other as Record<string, unknown>)[name]
    if (typeof mine === 'object' && mine && typeof theirs === 'object' && theirs) {
      return isSame(mine, theirs, depth + 1)
    }
    return Object.hasOwn(other, name) && isEqual(mine, theirs)
  })
}

function isNumber(value: unknown): value is number | bigint {
  return typeof value === 'number' || typeof value === 'bigint'
}

/** Below 0: the one is less; undefined: neither can be said. */
function orderOf(one: unknown, other: unknown): number | undefined {
  const areNumbers = isNumber(one) && isNumber(other)
  if (!areNumbers && !(typeof one === 'string' && typeof other === 'string')) return undefined
  if (one < other) return -1
  return one > other ? 1 : 0
}

function unquote(quoted: string): string {
  if (quoted.startsWith("'")) return quoted.slice(1, -1)
  try {
    return JSON.parse(quoted) as string
  } catch {
    throw new Error(`not a JSON path: ${quoted}`)
  }
}
