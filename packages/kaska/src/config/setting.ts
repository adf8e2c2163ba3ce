/**
 * A setting by Kafka's name: its type, what it accepts, its default, and what it does. A setting does
 * what it says or is refused: none is stored and ignored in silence. Tables of settings are what
 * validates, what is answered to clients, and what docs/reference/ is generated from.
 */
import { InvalidArgumentError } from '@kaska/protocol'

/** Kafka's types, as its clients are told of them. */
export type SettingType = 'boolean' | 'int' | 'long' | 'double' | 'string' | 'list'

export interface Setting {
  readonly name: string
  readonly type: SettingType
  /** The smallest and the largest number that it takes; those of the type unless said. */
  readonly min?: number
  readonly max?: number
  /** The words that it takes, or its list's elements; any unless said. */
  readonly words?: readonly string[]
  /** Why it takes no value but those that mean the same as the default. */
  readonly only?: string
  /** As it is written; undefined: it has no value unless it is set. */
  readonly default: string | undefined
  /** What it does, for people. */
  readonly doc: string
}

export const int32Max = 0x7fffffff
const int64Max = 0x7fffffffffffffffn

/** What is wrong with a value, as the end of a sentence that begins with the name; undefined: nothing. */
export function refusal(setting: Setting, text: string): string | undefined {
  const wrong = mismatch(setting, text)
  if (wrong !== undefined) return `${wrong}, not '${shown(text)}'`
  if (setting.only === undefined || isSame(setting, text, setting.default ?? '')) return undefined
  return `is '${setting.default ?? ''}' and cannot be set to '${shown(text)}': ${setting.only}`
}

/** Throws InvalidArgumentError for a value that the setting does not take. */
export function checkValue(setting: Setting, text: string): void {
  const reason = refusal(setting, text)
  if (reason !== undefined) throw new InvalidArgumentError(`${setting.name} ${reason}`)
}

/** The elements of a list's value. */
export function elementsOf(text: string): string[] {
  const elements = text.split(',').map((element) => element.trim())
  return elements.filter((element) => element !== '')
}

/** A whole number's value; what is too large for a safe integer is the largest one. */
export function numberOf(text: string): number {
  return Math.min(Number(text), Number.MAX_SAFE_INTEGER)
}

/** The range of a number that is bounded, for people: `from 1`, `from 0 to 10`. */
export function rangeOf({ type, min, max }: Setting): string | undefined {
  if (type !== 'int' && type !== 'long' && type !== 'double') return undefined
  const isOpen = max === undefined || max === int32Max
  if (min === undefined && isOpen) return undefined
  return isOpen ? `from ${min}` : `from ${min ?? ''} to ${max}`
}

function mismatch(setting: Setting, text: string): string | undefined {
  const { type, words } = setting
  switch (type) {
    case 'boolean':
      return /^(true|false)$/i.test(text) ? undefined : 'is true or false'
    case 'int':
    case 'long':
      return wholeMismatch(setting, text)
    case 'double':
      return doubleMismatch(setting, text)
    case 'string':
      return words === undefined || words.includes(text) ? undefined : `is ${words.join(' or ')}`
    case 'list': {
      const isKnown = (element: string) => words === undefined || words.includes(element)
      return elementsOf(text).every(isKnown) ? undefined : `is a list of ${words?.join(', ')}`
    }
  }
}

function wholeMismatch(setting: Setting, text: string): string | undefined {
  const typeMax = setting.type === 'int' ? BigInt(int32Max) : int64Max
  const max = setting.max === undefined ? typeMax : BigInt(setting.max)
  const min = setting.min === undefined ? -typeMax - 1n : BigInt(setting.min)
  if (/^-?\d{1,19}$/.test(text)) {
    const value = BigInt(text)
    if (value >= min && value <= max) return undefined
  }
  return `is an integer from ${min} to ${max}`
}

function doubleMismatch(setting: Setting, text: string): string | undefined {
  const { min = Number.NEGATIVE_INFINITY, max = Number.POSITIVE_INFINITY } = setting
  const value = /^-?\d{1,16}(\.\d{1,16})?$/.test(text) ? Number(text) : Number.NaN
  return value >= min && value <= max ? undefined : `is a number from ${min} to ${max}`
}

function isSame({ type }: Setting, text: string, other: string): boolean {
  if (type === 'boolean') return text.toLowerCase() === other
  if (type === 'list') return elementsOf(text).join() === elementsOf(other).join()
  if (type === 'string') return text === other
  return type === 'double' ? Number(text) === Number(other) : BigInt(text) === BigInt(other)
}

function shown(text: string): string {
  return text.length <= 100 ? text : `${text.slice(0, 100).toWellFormed()}...`
}
