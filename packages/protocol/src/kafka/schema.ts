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
 * written. A codec is built once per version, on its first use; a version that a message does not have is
 * a RangeError: whoever serves it has to look first.
 */
import { type ChunkReader, type Chunks, ChunkWriter, emptyBytes } from '../bytes.ts'
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
}

/** A type on the wire; `T` is what it is in TypeScript. */
export interface FieldType<T> {
  /** As Kafka's definitions call it: `int32`, `[]string`, `[]TopicData`, `records`, ... */
  readonly name: string
  readonly zero: T
  /** The fields of a struct, or of an array's elements; for checks against Kafka's definitions. */
  readonly fields?: Fields
  /** Of an array: the type of its elements. */
  // biome-ignore lint/suspicious/noExplicitAny: as in Fields.
  readonly element?: FieldType<any>
  readonly codec: (version: number, flexible: boolean, nullable: boolean) => FieldCodec<T>
}

export interface FieldCodec<T> {
  /** No value takes fewer bytes than these. */
  readonly bytesMin: number
  read(reader: ChunkReader, budget: ReadBudget): T
  /** The same in small steps, where there may be many: stops after each. */
  readSteps?: (reader: ChunkReader, budget: ReadBudget) => Steps<T>
  write(writer: ChunkWriter, value: T): void
}

/** Work that stops now and then, so that whoever does it can let others have a turn. */
type Steps<T> = Generator<undefined, T, undefined>

/** What the reading of one message may still take: some bytes can stand for objects many times their
 * size, so the elements of all of its arrays are counted. */
interface ReadBudget {
  elements: number
}

/** How many elements all arrays of a message may have together, unless the reader says otherwise. */
export const elementsMaxDefault: number = 2 ** 18

export interface Field<T> {
  readonly type: FieldType<T>
  readonly versions: VersionRange
  readonly nullable: VersionRange
  readonly tagged: VersionRange
  readonly tag: number | undefined
  readonly default: T
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
  /** Reads what the version, one of `versions`, has of it, and leaves the reader behind it. Throws
   * ProtocolError, also for more than `elementsMax` elements in all arrays. Byte fields are views; the
   * values of fields that were absent are shared and frozen. */
  read(reader: ChunkReader, version: number, elementsMax?: number): Values<F>
  /** The same in small steps, for a large message: whoever takes them may pause between them. */
  readSteps(reader: ChunkReader, version: number): Generator<undefined, Values<F>, undefined>
  /** Throws TypeError for a null where the version has none, RangeError for what is too long. */
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
    if (!inRange(versions, version)) throw new RangeError(`${name} has no version ${version}`)
    codecs[version] ??= structCodec(fields, version, inRange(flexible, version))
    return codecs[version]
  }
  return {
    name,
    key,
    versions,
    flexible,
    fields,
    read: (reader, version, elementsMax = elementsMaxDefault) =>
      codecOf(version).read(reader, { elements: elementsMax }),
    readSteps: (reader, version) =>
      stepsOf(codecOf(version), reader, { elements: elementsMaxDefault }),
    write: (writer, value, version) => codecOf(version).write(writer, value as Values<F>),
  }
}

function* stepsOf<T>(codec: FieldCodec<T>, reader: ChunkReader, budget: ReadBudget): Steps<T> {
  return codec.readSteps === undefined
    ? codec.read(reader, budget)
    : yield* codec.readSteps(reader, budget)
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
  }
}

function fixed<T>(
  name: string,
  bytes: number,
  zero: T,
  codec: Omit<FieldCodec<T>, 'bytesMin'>,
): (options?: Options<T>) => Field<T> {
  const bound: FieldCodec<T> = { bytesMin: bytes, read: codec.read, write: codec.write }
  const type: FieldType<T> = { name, zero, codec: () => bound }
  return (options) => field(type, options)
}

export const bool: (options?: Options<boolean>) => Field<boolean> = fixed('bool', 1, false, {
  read: (reader) => reader.u8() !== 0,
  write: (writer, value) => writer.u8(value ? 1 : 0),
})

export const int8: (options?: Options<number>) => Field<number> = fixed('int8', 1, 0, {
  read: (reader) => (reader.u8() << 24) >> 24,
  write: (writer, value) => writer.u8(value),
})

export const int16: (options?: Options<number>) => Field<number> = fixed('int16', 2, 0, {
  read: wire.readInt16,
  write: wire.writeInt16,
})

export const int32: (options?: Options<number>) => Field<number> = fixed('int32', 4, 0, {
  read: wire.readInt32,
  write: wire.writeInt32,
})

export const int64: (options?: Options<number>) => Field<number> = fixed('int64', 8, 0, {
  read: wire.readInt64,
  write: wire.writeInt64,
})

/** 16 bytes, as 22 characters of base64url. */
export const uuid: (options?: Options<string>) => Field<string> = fixed('uuid', 16, noTopicId, {
  read: wire.readUuid,
  write: wire.writeUuid,
})

type Nullable = { readonly nullable: string }

const stringType = lengthPrefixed('string', '', 2, wire.readString, wire.writeString)
const bytesType = lengthPrefixed('bytes', emptyBytes, 4, wire.readBytes, wire.writeBytes)
const noRecords: Chunks = Object.freeze([])
const recordsType = lengthPrefixed('records', noRecords, 4, wire.readRecords, wire.writeRecords)

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
  lengthBytes: number,
  read: (reader: ChunkReader, compact: boolean) => T | null,
  write: (writer: ChunkWriter, value: T | null, compact: boolean) => void,
): FieldType<T> {
  return {
    name,
    zero,
    codec: (_version, flexible, nullable) => ({
      bytesMin: flexible ? 1 : lengthBytes,
      read: (reader) => {
        const value = read(reader, flexible)
        if (value === null && !nullable) throw new ProtocolError(`a ${name} is null`)
        return value as T
      },
      write: (writer, value) => {
        if (value === null && !nullable) throw new TypeError(`a ${name} is null`)
        write(writer, value, flexible)
      },
    }),
  }
}

/** Elements that are encoded already, in the place of an array's. */
class EncodedElements {
  readonly length: number
  readonly chunks: Chunks

  constructor(length: number, chunks: Chunks) {
    this.length = length
    this.chunks = chunks
  }
}

/** What an array field of a message is written from. */
type ElementOf<F extends Fields, Name extends keyof F> =
  NonNullable<Input<F>[Name]> extends readonly (infer E)[] ? E : never

/**
 * Encodes the elements of an array of a message one by one: a large message can be made in slices, and
 * its elements need not all be there at once. `finish` gives what stands for the array in the message,
 * which has to be written at the same version.
 */
export class ElementsEncoder<F extends Fields, Name extends keyof F & string> {
  readonly #codec: FieldCodec<unknown>
  readonly #writer = new ChunkWriter(4096)
  #length = 0

  constructor(message: Message<F>, name: Name, version: number) {
    const element = message.fields[name]?.type.element
    if (element === undefined) throw new TypeError(`${message.name}.${name} is no array`)
    this.#codec = element.codec(version, inRange(message.flexible, version), false)
  }

  /** How many bytes there are. */
  get bytes(): number {
    return this.#writer.length
  }

  add(value: ElementOf<F, Name>): void {
    this.#codec.write(this.#writer, value)
    this.#length++
  }

  finish(): readonly ElementOf<F, Name>[] {
    const elements = new EncodedElements(this.#length, this.#writer.finish())
    return elements as unknown as readonly ElementOf<F, Name>[]
  }
}

function arrayType<T>(element: FieldType<T>): FieldType<T[]> {
  const name = `[]${element.name}`
  return {
    name,
    element,
    zero: Object.freeze([]) as unknown as T[],
    ...(element.fields === undefined ? {} : { fields: element.fields }),
    codec: (version, flexible, nullable) => {
      const codec = element.codec(version, flexible, false)
      /** -1: it is null. */
      const readCount = (reader: ChunkReader, budget: ReadBudget): number => {
        const count = wire.readLength(reader, flexible, true)
        if (count === -1) {
          if (!nullable) throw new ProtocolError(`a ${name} is null`)
          return -1
        }
        budget.elements -= count
        if (count * codec.bytesMin > reader.remaining || budget.elements < 0) {
          throw new ProtocolError(`a ${name} claims ${count} elements`)
        }
        return count
      }
      return {
        bytesMin: flexible ? 1 : 4,
        read: (reader, budget) => {
          const count = readCount(reader, budget)
          if (count === -1) return null as unknown as T[]
          const values: T[] = []
          for (let index = 0; index < count; index++) values.push(codec.read(reader, budget))
          return values
        },
        readSteps: function* (reader, budget) {
          const count = readCount(reader, budget)
          if (count === -1) return null as unknown as T[]
          const values: T[] = []
          for (let index = 0; index < count; index++) {
            values.push(
              codec.readSteps === undefined
                ? codec.read(reader, budget)
                : yield* codec.readSteps(reader, budget),
            )
            yield
          }
          return values
        },
        write: (writer, values) => {
          if (values === null) {
            if (!nullable) throw new TypeError(`a ${name} is null`)
            wire.writeLength(writer, -1, flexible, true)
            return
          }
          wire.writeLength(writer, values.length, flexible, true)
          if (values instanceof EncodedElements) writer.views(values.chunks)
          else for (const value of values) codec.write(writer, value)
        },
      }
    },
  }
}

function structType<F extends Fields>(name: string, fields: F): FieldType<Values<F>> {
  return {
    name,
    zero: Object.freeze(defaultsOf(fields)),
    fields,
    codec: (version, flexible, nullable) => {
      const codec = structCodec(fields, version, flexible)
      if (!nullable) return codec
      return {
        bytesMin: 1,
        read: (reader, budget) => {
          // The sign alone decides: -1 is null, 1 a struct.
          if (reader.u8() >= 0x80) return null as unknown as Values<F>
          return codec.read(reader, budget)
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
  readonly tag: number
  readonly default: unknown
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
    const bound = { name, tag: definition.tag ?? -1, default: definition.default, codec }
    if (inRange(definition.tagged, version)) tagged.push(bound)
    else plain.push(bound)
  }
  tagged.sort((a, b) => a.tag - b.tag)
  const defaults = defaultsOf(fields)
  const readSteps: FieldCodec<Values<F>>['readSteps'] = function* (reader, budget) {
    const values: Record<string, unknown> = { ...defaults }
    for (const { name, codec } of plain) {
      values[name] =
        codec.readSteps === undefined
          ? codec.read(reader, budget)
          : yield* codec.readSteps(reader, budget)
    }
    if (flexible) readTags(reader, tagged, values, budget)
    return values as Values<F>
  }
  const hasSteps = plain.some(({ codec }) => codec.readSteps !== undefined)
  return {
    bytesMin: plain.reduce((sum, { codec }) => sum + codec.bytesMin, flexible ? 1 : 0),
    read: (reader, budget) => {
      const values: Record<string, unknown> = { ...defaults }
      for (const { name, codec } of plain) values[name] = codec.read(reader, budget)
      if (flexible) readTags(reader, tagged, values, budget)
      return values as Values<F>
    },
    ...(hasSteps ? { readSteps } : {}),
    write: (writer, input) => {
      const values = input as Record<string, unknown>
      for (const one of plain) {
        const value = values[one.name]
        one.codec.write(writer, value === undefined ? one.default : value)
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
  budget: ReadBudget,
): void {
  for (let left = reader.varint(); left > 0; left--) {
    const tag = reader.varint()
    const length = reader.varint()
    const end = reader.remaining - length
    if (end < 0) throw new ProtocolError('a tagged field is longer than its message')
    const known = tagged.find((one) => one.tag === tag)
    if (known === undefined) {
      reader.skip(length)
      continue
    }
    values[known.name] = known.codec.read(reader, budget)
    if (reader.remaining !== end) throw new ProtocolError(`tag ${tag} has another length`)
  }
}

const taggedBytesExpected = 64

/** A tagged field that has its default value is left out. */
function writeTags(
  writer: ChunkWriter,
  tagged: readonly BoundField[],
  values: Record<string, unknown>,
): void {
  let present = 0
  for (const one of tagged) if (!isDefault(values[one.name], one.default)) present++
  writer.varint(present)
  if (present === 0) return
  for (const one of tagged) {
    const value = values[one.name]
    if (isDefault(value, one.default)) continue
    const nested = new ChunkWriter(taggedBytesExpected)
    one.codec.write(nested, value)
    writer.varint(one.tag)
    writer.varint(nested.length)
    for (const chunk of nested.finish()) writer.copy(chunk)
  }
}

function isDefault(value: unknown, standard: unknown): boolean {
  if (value === undefined || value === standard) return true
  if (value === null || standard === null) return false
  if (Array.isArray(value)) return value.length === 0
  if (typeof value !== 'object') return false
  const parts = standard as Record<string, unknown>
  for (const [name, part] of Object.entries(value)) if (!isDefault(part, parts[name])) return false
  return true
}
