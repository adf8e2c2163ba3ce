/** How two messages of a mirror's sides are compared, one by one and in sum; the mirror's own header is left out. */
import type { Crc32c } from '@kaska/protocol'
import { mirrorHeaderName, originOf } from './mirror-header.ts'
import type { MirroredRecord } from './read-batch.ts'

export interface SideSum {
  readonly messages: number
  /** 8 hexadecimal digits. */
  readonly checksum: string
}

/** What differs between a message and its copy; undefined is the end of a side. */
export function differenceOf(
  original: MirroredRecord | undefined,
  copy: MirroredRecord | undefined,
): string | undefined {
  if (copy === undefined) return `the target ends before the source's offset ${original?.offset}`
  if (original === undefined) return `the target's offset ${copy.offset} is not at the source`
  const origin = originOf(copy.headers)
  const where = `the source's offset ${original.offset} and the target's ${copy.offset}`
  if (origin === undefined) return `the target's offset ${copy.offset} was not mirrored`
  if (origin.offset !== original.offset) {
    return `${where}: the target's came from ${origin.offset}`
  }
  if (original.timestamp !== copy.timestamp) return `${where}: their timestamps differ`
  if (!isSame(original.key, copy.key)) return `${where}: their keys differ`
  if (!isSame(original.value, copy.value)) return `${where}: their values differ`
  const headers = ownHeaders(original)
  const others = ownHeaders(copy)
  const isEqual =
    headers.length === others.length &&
    headers.every(([name, value], index) => {
      const other = others[index]
      return other !== undefined && other[0] === name && isSame(value, other[1])
    })
  return isEqual ? undefined : `${where}: their headers differ`
}

function ownHeaders({ headers }: MirroredRecord): MirroredRecord['headers'] {
  return headers.filter(([name]) => name !== mirrorHeaderName)
}

function isSame(one: Uint8Array | null, other: Uint8Array | null): boolean {
  if (one === null || other === null) return one === other
  if (one.length !== other.length) return false
  for (let index = 0; index < one.length; index++) if (one[index] !== other[index]) return false
  return true
}

/** Have they the same key and value? */
export function hasSameContent(one: MirroredRecord, other: MirroredRecord): boolean {
  return isSame(one.key, other.key) && isSame(one.value, other.value)
}

const encoder = new TextEncoder()

/** Counts messages, and sums them up in their order. */
export class MessageSum {
  readonly #crc32c: Crc32c
  readonly #number = new Uint8Array(8)
  #crc = 0
  #messages = 0

  constructor(crc32c: Crc32c) {
    this.#crc32c = crc32c
  }

  add(record: MirroredRecord): void {
    this.#messages++
    this.#addNumber(record.timestamp)
    this.#addField(record.key)
    this.#addField(record.value)
    const headers = ownHeaders(record)
    this.#addNumber(headers.length)
    for (const [name, value] of headers) {
      this.#addField(encoder.encode(name))
      this.#addField(value)
    }
  }

  get result(): SideSum {
    return { messages: this.#messages, checksum: this.#crc.toString(16).padStart(8, '0') }
  }

  #addField(bytes: Uint8Array | null): void {
    this.#addNumber(bytes === null ? -1 : bytes.length)
    if (bytes !== null) this.#crc = this.#crc32c(bytes, this.#crc)
  }

  #addNumber(value: number): void {
    new DataView(this.#number.buffer).setFloat64(0, value)
    this.#crc = this.#crc32c(this.#number, this.#crc)
  }
}
