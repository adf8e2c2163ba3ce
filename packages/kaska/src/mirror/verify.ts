/**
 * Are the messages of two sides the same? Partition by partition both are read in step: the same
 * messages in the same order, by key, value, headers and timestamp, and each at the target named after
 * its offset at the source. Counts and checksums (CRC-32C over all messages) are those of what both sides
 * can have: what one side has deleted since is left out.
 */
import {
  type Clock,
  type Codecs,
  type Crc32c,
  type Engine,
  type PollResult,
  topicNameOf,
} from '@kaska/protocol'
import { forEachAtOnce, type Patience, patiently } from './asking.ts'
import { mirrorHeaderName, originOf } from './mirror-header.ts'
import { listTopics } from './mirror-topics.ts'
import { endOf, type MirroredRecord, recordsOf } from './read-batch.ts'

export interface VerifyOptions {
  readonly source: Engine
  readonly target: Engine
  readonly clock: Clock
  readonly codecs: Codecs
  readonly crc32c: Crc32c
  readonly isWanted: (topic: string) => boolean
  readonly signal: AbortSignal
  readonly report: (line: string) => void
  readonly progress?: (messages: number) => void
}

export interface SideSum {
  readonly messages: number
  /** 8 hexadecimal digits. */
  readonly checksum: string
}

export interface PartitionVerdict {
  readonly topic: string
  readonly partition: number
  readonly source: SideSum
  readonly target: SideSum
  /** Undefined where both sides are the same; else the first difference. */
  readonly difference: string | undefined
}

/** Compares all wanted topics, as they are at the start; partitions come as they are done. */
export async function verifyTopics(
  options: VerifyOptions,
  done: (verdict: PartitionVerdict) => void,
): Promise<void> {
  const patience: Patience = options
  const topics = await listTopics(options.source, options.isWanted, patience)
  const pairs: { name: string; source: string; target: string | undefined; partition: number }[] =
    []
  for (const { name, id, partitions } of topics) {
    // An engine may know a topic by its id only once it was asked for its name: so both are.
    const names = [topicNameOf(name)]
    await patiently(patience, (context) => options.source.resolve(names, context))
    const [found] = await patiently(patience, (context) => options.target.resolve(names, context))
    const count = Math.max(partitions, found?.partitions ?? 0)
    for (let partition = 0; partition < count; partition++) {
      const target = found !== undefined && partition < found.partitions ? found.id : undefined
      if (partition >= partitions || target === undefined) {
        done(missing(name, partition, partition >= partitions ? 'source' : 'target'))
      } else pairs.push({ name, source: id, target, partition })
    }
  }
  let messages = 0
  await forEachAtOnce(pairs, async ({ name, source, target, partition }) => {
    const sums = await compare(options, source, target as string, partition, () => {
      options.progress?.(++messages)
    })
    done({ topic: name, partition, ...sums })
  })
}

const nothing: SideSum = { messages: 0, checksum: '00000000' }

function missing(topic: string, partition: number, side: string): PartitionVerdict {
  const difference = `the ${side} has no such partition`
  return { topic, partition, source: nothing, target: nothing, difference }
}

async function compare(
  options: VerifyOptions,
  sourceTopic: string,
  targetTopic: string,
  partition: number,
  counted: () => void,
): Promise<Pick<PartitionVerdict, 'source' | 'target' | 'difference'>> {
  const bounds = (engine: Engine, topic: string) =>
    patiently(options, (context) => engine.offsets(topic, partition, context))
  const sourceBounds = await bounds(options.source, sourceTopic)
  const targetBounds = await bounds(options.target, targetTopic)
  const sourceSum = new Sum(options.crc32c)
  const targetSum = new Sum(options.crc32c)
  const target = readAll(options, options.target, targetTopic, partition, targetBounds)
  let copy = await target.next()
  // What the source has deleted since is at the target alone.
  while (!copy.done && isBefore(copy.value, sourceBounds.startOffset)) copy = await target.next()
  // What the target has deleted is at the source alone.
  const from =
    targetBounds.startOffset === 0 || copy.done
      ? sourceBounds.startOffset
      : Math.max(
          sourceBounds.startOffset,
          originOf(copy.value.headers)?.offset ?? sourceBounds.startOffset,
        )
  // All that the target ever held is deleted there: nothing says what that was.
  const isEmptied = targetBounds.startOffset === targetBounds.endOffset
  const start = isEmptied && targetBounds.endOffset > 0 ? sourceBounds.endOffset : from
  const range = { startOffset: start, endOffset: sourceBounds.endOffset }
  const source = readAll(options, options.source, sourceTopic, partition, range)
  let difference: string | undefined
  try {
    for (;;) {
      const original = await source.next()
      if (original.done && copy.done) break
      if (!original.done) sourceSum.add(original.value)
      if (!copy.done) targetSum.add(copy.value)
      difference ??= differenceOf(original.value ?? undefined, copy.value ?? undefined)
      if (!copy.done) copy = await target.next()
      counted()
    }
  } finally {
    await source.return()
    await target.return()
  }
  return { source: sourceSum.result, target: targetSum.result, difference }
}

function isBefore(copy: MirroredRecord, sourceStart: number): boolean {
  const origin = originOf(copy.headers)
  return origin !== undefined && origin.offset < sourceStart
}

function differenceOf(
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

const encoder = new TextEncoder()

/** Counts messages, and sums them up in their order. */
class Sum {
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

const readBytesMax = 1 << 20

/** The messages of a partition from one offset to another; each is valid until the next is asked for. */
async function* readAll(
  options: VerifyOptions,
  engine: Engine,
  topic: string,
  partition: number,
  { startOffset, endOffset }: { startOffset: number; endOffset: number },
): AsyncGenerator<MirroredRecord, void, void> {
  let offset = startOffset
  while (offset < endOffset) {
    const answer: PollResult = await patiently(options, (context) =>
      engine.poll(
        { parts: [{ topic, partition, offset }], waitMs: 0, bytesMax: readBytesMax },
        context,
      ),
    )
    try {
      if (answer.failures[0] !== undefined) throw answer.failures[0].error
      if (answer.batches.length === 0) return
      for (const batch of answer.batches) {
        const end = endOf(batch)
        if (end <= offset) continue
        for (const record of recordsOf(batch, offset, options.codecs)) {
          if (record.offset >= endOffset) return
          yield record
        }
        offset = end
      }
    } finally {
      answer.release()
    }
  }
}
