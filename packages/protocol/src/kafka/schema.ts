/**
 * Kafka's messages as declarations: one definition with the versions in it, from which the codec of
 * each version and the TypeScript types follow.
 *
 *   const heartbeatRequest = message({
 *     name: 'HeartbeatRequest', key: 12, versions: '0-4', flexible: '4+',
 *     fields: {
 *       groupId: string(),
 *       generationId: int32(),
 *       groupInstanceId: string({ versions: '3+', nullable: '3+', default: null }),
 *     },
 *   })
 *   type HeartbeatRequest = Decoded<typeof heartbeatRequest>
 *
 * A field that a version does not have reads as its default, and is left out when that version is
 * written. A codec is built once per version, on its first use.
 */
import { type ChunkReader, type Chunks, ChunkWriter } from '../bytes.ts'
import { ProtocolError } from '../errors.ts'
import { noTopicId } from '../topic-id.ts'
import { inRange, parseVersions, type VersionRange } from './versions.ts'
import * as wire from './wire.ts'

export interface FieldOptions<T> {
  /** In which versions of its message the field is; all unless said. */
  readonly versions?: string
  /** In which versions null is a value. */
  readonly nullable?: string
  /** What an absent field reads as; 0, '', empty, false, or null unless said. */
  readonly default?: T
  /** Tagged fields (KIP-482): the tag, and from which version on the field is tagged. */
  readonly tag?: number
  readonly tagged?: string
  /** May the field be left out, whatever its value, in a version that does not have it? Kafka refuses
   * to write a message with a value that the version cannot carry, unless the field is ignorable. */
  readonly ignorable?: boolean
}

/** A type on the wire; `T` is what it is in TypeScript. */
export interface FieldType<T> {
  /** As Kafka's definitions call it: `int32`, `[]string`, `[]TopicData`, `records`, ... */
  readonly name: string
  readonly zero: T
  /** The fields of a struct, or of an array's elements; for checks against Kafka's definitions. */
  readonly fields?: Fields
  readonly codec: (version: number, flexible: boolean, nullable: boolean) => FieldCodec<T>
}

export interface FieldCodec<T> {
  read(reader: ChunkReader): T
  write(writer: ChunkWriter, value: T): void
}

export interface Field<T> {
  readonly type: FieldType<T>
  readonly versions: VersionRange
  readonly nullable: VersionRange
  readonly tagged: VersionRange
  readonly tag: number | undefined
  readonly default: T
  readonly ignorable: boolean
}

// biome-ignore lint/suspicious/noExplicitAny: the one place where fields of all types meet.
export type Fields = Readonly<Record<string, Field<any>>>

/** The object that fields read as. */
export type Values<F extends Fields> = {
  [K in keyof F]: F[K] extends Field<infer T> ? T : never
}

/** The object that fields are written from: what is left out is the default. */
export type Input<F extends Fields> = {
  readonly [K in keyof F]?: F[K] extends Field<infer T> ? InputOf<T> : never
}

type InputOf<T> = T extends Chunks | Uint8Array
  ? T
  : T extends readonly (infer E)[]
    ? readonly InputOf<E>[]
    : T extends object
      ? { readonly [K in keyof T]?: InputOf<T[K]> }
      : T

/** A message: a request or a response of one API. */
export interface Message<F extends Fields> {
  readonly name: string
  readonly key: number
  readonly versions: VersionRange
  readonly flexible: VersionRange
  readonly fields: F
  read(reader: ChunkReader, version: number): Values<F>
  write(writer: ChunkWriter, value: Input<F>, version: number): void
}

/** What a message reads as. */
export type Decoded<M> = M extends Message<infer F> ? Values<F> : never

export function message<const F extends Fields>(definition: {
  readonly name: string
  readonly key: number
  readonly versions: string
  /** The versions with compact fields and tags (KIP-482); none unless said. */
  readonly flexible?: string
  readonly fields: F
}): Message<F> {
  const { name, key, fields } = definition
  const versions = parseVersions(definition.versions)
  const flexible = parseVersions(definition.flexible ?? 'none')
  const codecs: (FieldCodec<Values<F>> | undefined)[] = []
  const codecOf = (version: number) => {
    codecs[version] ??= structCodec(fields, version, inRange(flexible, version))
    return codecs[version]
  }
  return {
    name,
    key,
    versions,
    flexible,
    fields,
    read: (reader, version) => codecOf(version).read(reader),
    write: (writer, value, version) => codecOf(version).write(writer, value as Values<F>),
  }
}

type Options<T> = FieldOptions<T>

function field<T>(type: FieldType<T>, options: Options<T> = {}): Field<T> {
  return {
    type,
    versions: parseVersions(options.versions ?? '0+'),
    nullable: parseVersions(options.nullable ?? 'none'),
    tagged: parseVersions(options.tagged ?? 'none'),
    tag: options.tag,
    default: 'default' in options ? (options.default as T) : type.zero,
    ignorable: options.ignorable ?? false,
  }
}

function fixed<T>(name: string, zero: T, codec: FieldCodec<T>): (options?: Options<T>) => Field<T> {
  const type: FieldType<T> = { name, zero, codec: () => codec }
  return (options) => field(type, options)
}

export const bool: (options?: Options<boolean>) => Field<boolean> = fixed('bool', false, {
  read: (reader) => reader.u8() !== 0,
  write: (writer, value) => writer.u8(value ? 1 : 0),
})

export const int8: (options?: Options<number>) => Field<number> = fixed('int8', 0, {
  read: (reader) => (reader.u8() << 24) >> 24,
  write: (writer, value) => writer.u8(value),
})

export const int16: (options?: Options<number>) => Field<number> = fixed('int16', 0, {
  read: wire.readInt16,
  write: wire.writeInt16,
})

export const uint16: (options?: Options<number>) => Field<number> = fixed('uint16', 0, {
  read: wire.readUint16,
  write: wire.writeInt16,
})

export const int32: (options?: Options<number>) => Field<number> = fixed('int32', 0, {
  read: wire.readInt32,
  write: wire.writeInt32,
})

export const int64: (options?: Options<number>) => Field<number> = fixed('int64', 0, {
  read: wire.readInt64,
  write: wire.writeInt64,
})

export const float64: (options?: Options<number>) => Field<number> = fixed('float64', 0, {
  read: wire.readFloat64,
  write: wire.writeFloat64,
})

/** 16 bytes, as 22 characters of base64url. */
export const uuid: (options?: Options<string>) => Field<string> = fixed('uuid', noTopicId, {
  read: wire.readUuid,
  write: wire.writeUuid,
})

type Nullable = { readonly nullable: string }

const stringType = lengthPrefixed('string', '', wire.readString, wire.writeString)
const emptyBytes: Uint8Array = new Uint8Array(0)
const bytesType = lengthPrefixed('bytes', emptyBytes, wire.readBytes, wire.writeBytes)
const noRecords: Chunks = []
const recordsType = lengthPrefixed('records', noRecords, wire.readRecords, wire.writeRecords)

export function string(options: Options<string | null> & Nullable): Field<string | null>
export function string(options?: Options<string>): Field<string>
export function string(options?: Options<string> | Options<string | null>): Field<string> {
  return field(stringType, options as Options<string>)
}

export function bytes(options: Options<Uint8Array | null> & Nullable): Field<Uint8Array | null>
export function bytes(options?: Options<Uint8Array>): Field<Uint8Array>
export function bytes(
  options?: Options<Uint8Array> | Options<Uint8Array | null>,
): Field<Uint8Array> {
  return field(bytesType, options as Options<Uint8Array>)
}

/** Record batches as they stand, in views. */
export function records(options: Options<Chunks | null> & Nullable): Field<Chunks | null> {
  return field(recordsType as FieldType<Chunks | null>, options)
}

/** An array of structs. */
export function array<const F extends Fields>(
  name: string,
  fields: F,
  options: Options<Values<F>[] | null> & Nullable,
): Field<Values<F>[] | null>
export function array<const F extends Fields>(
  name: string,
  fields: F,
  options?: Options<Values<F>[]>,
): Field<Values<F>[]>
export function array<const F extends Fields>(
  name: string,
  fields: F,
  options?: Options<Values<F>[]> | Options<Values<F>[] | null>,
): Field<Values<F>[]> {
  return field(arrayType(structType(name, fields)), options as Options<Values<F>[]>)
}

/** An array of a plain type: `list(int32())`. */
export function list<T>(
  element: Field<T>,
  options: Options<T[] | null> & Nullable,
): Field<T[] | null>
export function list<T>(element: Field<T>, options?: Options<T[]>): Field<T[]>
export function list<T>(
  element: Field<T>,
  options?: Options<T[]> | Options<T[] | null>,
): Field<T[]> {
  return field(arrayType(element.type), options as Options<T[]>)
}

/** A struct within a message. */
export function struct<const F extends Fields>(
  name: string,
  fields: F,
  options: Options<Values<F> | null> & Nullable,
): Field<Values<F> | null>
export function struct<const F extends Fields>(
  name: string,
  fields: F,
  options?: Options<Values<F>>,
): Field<Values<F>>
export function struct<const F extends Fields>(
  name: string,
  fields: F,
  options?: Options<Values<F>> | Options<Values<F> | null>,
): Field<Values<F>> {
  return field(structType(name, fields), options as Options<Values<F>>)
}

function lengthPrefixed<T>(
  name: string,
  zero: T,
  read: (reader: ChunkReader, compact: boolean) => T | null,
  write: (writer: ChunkWriter, value: T | null, compact: boolean) => void,
): FieldType<T> {
  return {
    name,
    zero,
    codec: (_version, flexible, nullable) => ({
      read: (reader) => {
        const value = read(reader, flexible)
        if (value === null && !nullable) throw new ProtocolError(`a ${name} is null`)
        return value as T
      },
      write: (writer, value) => write(writer, value, flexible),
    }),
  }
}

function arrayType<T>(element: FieldType<T>): FieldType<T[]> {
  return {
    name: `[]${element.name}`,
    zero: [],
    ...(element.fields === undefined ? {} : { fields: element.fields }),
    codec: (version, flexible, nullable) => {
      const { read, write } = element.codec(version, flexible, false)
      return {
        read: (reader) => {
          const count = wire.readLength(reader, flexible, true)
          if (count === -1) {
            if (!nullable) throw new ProtocolError('an array is null')
            return null as unknown as T[]
          }
          // Every element takes at least a byte: a count beyond what is left is a lie.
          if (count > reader.remaining) {
            throw new ProtocolError(`an array claims ${count} elements`)
          }
          const values: T[] = []
          for (let index = 0; index < count; index++) values.push(read(reader))
          return values
        },
        write: (writer, values) => {
          if (values === null) {
            wire.writeLength(writer, -1, flexible, true)
            return
          }
          wire.writeLength(writer, values.length, flexible, true)
          for (const value of values) write(writer, value)
        },
      }
    },
  }
}

function structType<F extends Fields>(name: string, fields: F): FieldType<Values<F>> {
  return {
    name,
    zero: defaultsOf(fields),
    fields,
    codec: (version, flexible, nullable) => {
      const codec = structCodec(fields, version, flexible)
      if (!nullable) return codec
      return {
        read: (reader) => {
          if ((reader.u8() << 24) >> 24 < 0) return null as unknown as Values<F>
          return codec.read(reader)
        },
        write: (writer, value) => {
          writer.u8(value === null ? 0xff : 1)
          if (value !== null) codec.write(writer, value)
        },
      }
    },
  }
}

function defaultsOf<F extends Fields>(fields: F): Values<F> {
  const values: Record<string, unknown> = {}
  for (const [name, { default: value }] of Object.entries(fields)) values[name] = value
  return values as Values<F>
}

interface BoundField {
  readonly name: string
  readonly field: Field<unknown>
  readonly codec: FieldCodec<unknown>
}

function structCodec<F extends Fields>(
  fields: F,
  version: number,
  flexible: boolean,
): FieldCodec<Values<F>> {
  const plain: BoundField[] = []
  const tagged: BoundField[] = []
  for (const [name, definition] of Object.entries(fields)) {
    if (!inRange(definition.versions, version)) continue
    const nullable = inRange(definition.nullable, version)
    const codec = definition.type.codec(version, flexible, nullable)
    const isTagged = definition.tag !== undefined && inRange(definition.tagged, version)
    const bound: BoundField = { name, field: definition, codec }
    if (isTagged) tagged.push(bound)
    else plain.push(bound)
  }
  tagged.sort((a, b) => (a.field.tag as number) - (b.field.tag as number))
  const defaults = defaultsOf(fields)
  return {
    read: (reader) => {
      const values: Record<string, unknown> = { ...defaults }
      for (const { name, codec } of plain) values[name] = codec.read(reader)
      if (flexible) readTags(reader, tagged, values)
      return values as Values<F>
    },
    write: (writer, input) => {
      const values = input as Record<string, unknown>
      for (const { name, field: definition, codec } of plain) {
        const value = values[name]
        codec.write(writer, value === undefined ? definition.default : value)
      }
      if (flexible) writeTags(writer, tagged, values)
    },
  }
}

/** Tags that are not known here are skipped (KIP-482). */
function readTags(
  reader: ChunkReader,
  tagged: readonly BoundField[],
  values: Record<string, unknown>,
): void {
  const count = reader.varint()
  if (count > reader.remaining) throw new ProtocolError(`a struct claims ${count} tags`)
  for (let index = 0; index < count; index++) {
    const tag = reader.varint()
    const length = reader.varint()
    const end = reader.remaining - length
    if (end < 0) throw new ProtocolError('a tagged field is longer than its message')
    const known = tagged.find(({ field: definition }) => definition.tag === tag)
    if (known === undefined) {
      reader.skip(length)
      continue
    }
    values[known.name] = known.codec.read(reader)
    if (reader.remaining !== end) throw new ProtocolError(`tag ${tag} has another length`)
  }
}

/** A tagged field that has its default value is left out. */
function writeTags(
  writer: ChunkWriter,
  tagged: readonly BoundField[],
  values: Record<string, unknown>,
): void {
  const present = tagged.filter(({ name, field: definition }) => {
    const value = values[name]
    return value !== undefined && !isDefault(value, definition.default)
  })
  writer.varint(present.length)
  for (const { name, field: definition, codec } of present) {
    const nested = new ChunkWriter()
    codec.write(nested, values[name])
    writer.varint(definition.tag as number)
    writer.varint(nested.length)
    writer.views(nested.finish())
  }
}

function isDefault(value: unknown, standard: unknown): boolean {
  if (value === standard) return true
  if (Array.isArray(value)) return value.length === 0 && Array.isArray(standard)
  if (typeof value !== 'object' || typeof standard !== 'object') return false
  if (value === null || standard === null) return false
  const before = standard as Record<string, unknown>
  return Object.entries(value).every(([name, part]) => isDefault(part, before[name]))
}
