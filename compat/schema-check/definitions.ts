/**
 * Kafka's own message definitions, the JSON files inside the released `kafka-clients` jars, flattened:
 * a message in a version is a list of fields, each with all that decides about its bytes.
 *
 * Versions that Apache Kafka 4 has dropped are looked up in the last jar that had them.
 */
import { kafka } from '@kaska/protocol'
import { mavenJar } from '../lib/maven.ts'
import { readZip } from '../lib/zip.ts'

/** Newest first: a version is judged by the first that has it. */
export const jarVersions = ['4.3.1', '3.9.1'] as const

export function clientsJar(version: string): string {
  return mavenJar(`org.apache.kafka:kafka-clients:${version}`)
}

/** A field of Kafka's JSON, as far as it is looked at. */
export interface JsonField {
  readonly name: string
  readonly type: string
  readonly versions: string
  readonly nullableVersions?: string
  readonly taggedVersions?: string
  readonly tag?: number
  readonly default?: string | number | boolean
  readonly fields?: readonly JsonField[]
}

export interface JsonMessage {
  readonly apiKey?: number
  readonly type: string
  readonly listeners?: readonly string[]
  readonly name: string
  readonly validVersions: string
  readonly flexibleVersions: string
  readonly latestVersionUnstable?: boolean
  readonly fields: readonly JsonField[]
  readonly commonStructs?: readonly { readonly name: string; readonly fields: JsonField[] }[]
}

/** All messages of one jar, by name. */
export function readDefinitions(jar: string): Map<string, JsonMessage> {
  const messages = new Map<string, JsonMessage>()
  for (const text of readZip(jar, (name) => /^common\/message\/.*\.json$/.test(name)).values()) {
    // Kafka's files have comments, and strings may hold what looks like one.
    const json = text
      .toString('utf8')
      .replace(/("(?:\\.|[^"\\])*")|\/\/.*$/gm, (_match, string?: string) => string ?? '')
    const message = JSON.parse(json) as JsonMessage
    messages.set(message.name, message)
  }
  return messages
}

/** The fields of Kafka's definition in one version, one line each. */
export function flattenTheirs(message: JsonMessage, version: number): string[] {
  const lines: string[] = []
  const walk = (fields: readonly JsonField[], path: string) => {
    for (const field of fields) {
      if (!has(field.versions, version)) continue
      const nullable = has(field.nullableVersions, version)
      const tag = has(field.taggedVersions, version) ? field.tag : undefined
      const standard = theirDefault(field)
      lines.push(line(path + camelCase(field.name), field.type, nullable, tag, standard))
      const structName = field.type.replace(/^\[\]/, '')
      const inner =
        field.fields ?? message.commonStructs?.find(({ name }) => name === structName)?.fields
      if (inner !== undefined) walk(inner, `${path}${camelCase(field.name)}.`)
    }
  }
  walk(message.fields, '')
  return lines
}

/** The fields of our schema in one version, in the same form. */
export function flattenOurs(fields: kafka.Fields, version: number, path = ''): string[] {
  const lines: string[] = []
  for (const [name, field] of Object.entries(fields)) {
    if (!kafka.inRange(field.versions, version)) continue
    const nullable = kafka.inRange(field.nullable, version)
    const tag = kafka.inRange(field.tagged, version) ? field.tag : undefined
    lines.push(line(path + name, field.type.name, nullable, tag, ourDefault(field)))
    if (field.type.fields !== undefined) {
      lines.push(...flattenOurs(field.type.fields, version, `${path}${name}.`))
    }
  }
  return lines
}

/** Does a range of Kafka's definitions hold this version? */
export function has(range: string | undefined, version: number): boolean {
  return range !== undefined && kafka.inRange(kafka.parseVersions(range), version)
}

function line(
  path: string,
  type: string,
  nullable: boolean,
  tag: number | undefined,
  standard: string,
): string {
  return `${path}: ${type}${nullable ? '?' : ''}${tag === undefined ? '' : ` #${tag}`} = ${standard}`
}

function camelCase(name: string): string {
  return name.slice(0, 1).toLowerCase() + name.slice(1)
}

const numbers = /^(int8|int16|uint16|int32|uint32|int64|float64)$/

function theirDefault({ type, default: value, nullableVersions }: JsonField): string {
  if (value === 'null') return 'null'
  if (type.startsWith('[]') || type === 'bytes' || type === 'records') return 'empty'
  if (numbers.test(type)) return String(Number(value ?? 0))
  if (type === 'bool') return String(value ?? false)
  if (type === 'string') return `'${value ?? ''}'`
  if (type === 'uuid') return 'zero'
  return nullableVersions === undefined ? 'struct' : 'nullable struct'
}

function ourDefault({ type, default: value, nullable }: kafka.Fields[string]): string {
  if (value === null) return 'null'
  if (typeof value === 'number' || typeof value === 'boolean') return String(value)
  if (type.name === 'uuid') return /^A{22}$/.test(value) ? 'zero' : value
  if (typeof value === 'string') return `'${value}'`
  if (Array.isArray(value) || value instanceof Uint8Array) {
    return value.length === 0 ? 'empty' : 'not empty'
  }
  return nullable.min > nullable.max ? 'struct' : 'nullable struct'
}
