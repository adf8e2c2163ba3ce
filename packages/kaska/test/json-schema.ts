/** Does a value match a schema? As much of JSON Schema as openapi.json is written in. */
import type { Schema } from '../src/http/openapi-schemas.ts'

type Schemas = Readonly<Record<string, Schema>>

/** What does not match, each with its place; empty: nothing. */
export function mismatches(value: unknown, schema: Schema, schemas: Schemas, at = '$'): string[] {
  if (schema.$ref !== undefined) {
    const named = schemas[schema.$ref.replace('#/components/schemas/', '')]
    return named === undefined
      ? [`${at}: there is no ${schema.$ref}`]
      : mismatches(value, named, schemas, at)
  }
  if (schema.oneOf !== undefined) {
    const tried = schema.oneOf.map((each) => mismatches(value, each, schemas, at))
    const fits = tried.filter((found) => found.length === 0).length
    if (fits === 1) return []
    return [`${at}: ${fits} of ${tried.length} fit`, ...tried.flat()]
  }
  const types = schema.type === undefined ? [] : [schema.type].flat()
  if (types.length > 0 && !types.some((type) => isOfType(value, type))) {
    return [`${at}: ${JSON.stringify(value)} is not ${types.join(' or ')}`]
  }
  if (schema.enum !== undefined && !schema.enum.includes(value as string)) {
    return [`${at}: ${JSON.stringify(value)} is none of ${schema.enum.join(', ')}`]
  }
  if (typeof value === 'number') {
    const { minimum = Number.NEGATIVE_INFINITY, maximum = Number.POSITIVE_INFINITY } = schema
    return value >= minimum && value <= maximum ? [] : [`${at}: ${value} is out of range`]
  }
  if (Array.isArray(value)) {
    const { prefixItems = [], items, minItems = 0, maxItems = Number.POSITIVE_INFINITY } = schema
    if (value.length < minItems || value.length > maxItems) return [`${at}: ${value.length} items`]
    return value.flatMap((item, index) => {
      const each = prefixItems[index] ?? items
      return each === undefined ? [] : mismatches(item, each, schemas, `${at}[${index}]`)
    })
  }
  if (typeof value !== 'object' || value === null) return []
  const { properties = {}, required = [], additionalProperties = true } = schema
  const missing = required.filter((name) => !(name in value))
  return [
    ...missing.map((name) => `${at}: ${name} is missing`),
    ...Object.entries(value).flatMap(([name, member]) => {
      const known = properties[name] ?? additionalProperties
      if (typeof known === 'object') return mismatches(member, known, schemas, `${at}.${name}`)
      return known ? [] : [`${at}.${name} is not described`]
    }),
  ]
}

function isOfType(value: unknown, type: string): boolean {
  switch (type) {
    case 'null':
      return value === null
    case 'array':
      return Array.isArray(value)
    case 'object':
      return typeof value === 'object' && value !== null && !Array.isArray(value)
    case 'integer':
      return Number.isSafeInteger(value)
    default:
      return typeof value === type
  }
}
