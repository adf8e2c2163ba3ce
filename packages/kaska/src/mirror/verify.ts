/**
 * Compares both sides of a mirror. Partition by partition both are read in step: the same
 * messages in the same order, by key, value, headers and timestamp, and each at the target named after
 * its offset at the source. Counts and checksums (CRC-32C over all messages) are those of what both sides
 * can have: what one side has deleted since is left out. What a mirror that runs meanwhile is still bringing
 * is waited for: so both sides may be in use.
 */
import type { Clock, Codecs, Crc32c, Engine, OffsetBounds } from '@kaska/protocol'
import { topicNameOf } from '@kaska/protocol'
import { forEachAtOnce, type Patience, patiently } from './asking.ts'
import { differenceOf, MessageSum, type SideSum } from './message-sum.ts'
import { originOf } from './mirror-header.ts'
import { listTopics } from './mirror-topics.ts'
import type { MirroredRecord } from './read-batch.ts'
import { Arrivals, readCopies, readMessages } from './read-messages.ts'
import { findOrigin } from './target-place.ts'

export interface VerifyOptions {
  readonly source: Engine
  readonly target: Engine
  readonly clock: Clock
  readonly codecs: Codecs
  readonly crc32c: Crc32c
  readonly isWanted: (topic: string) => boolean
  /** Messages from this time on alone, by the source's own search; all unless said. */
  readonly since?: number
  readonly signal: AbortSignal
  readonly report: (line: string) => void
  readonly progress?: (messages: number) => void
}

export interface PartitionVerdict {
  readonly topic: string
  readonly partition: number
  readonly source: SideSum
  readonly target: SideSum
  /** Undefined where both sides are the same; else the first difference. */
  readonly difference: string | undefined
}

interface PartitionPair {
  readonly name: string
  /** The topic's ids on both sides. */
  readonly source: string
  readonly target: string
  readonly partition: number
}

/** Compares all wanted topics, as they are at the start; partitions come as they are done. */
export async function verifyTopics(
  options: VerifyOptions,
  done: (verdict: PartitionVerdict) => void,
): Promise<void> {
  const patience: Patience = options
  const topics = await listTopics(options.source, options.isWanted, patience)
  const pairs: PartitionPair[] = []
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
  const arrivals = new Arrivals(options.clock)
  await forEachAtOnce(pairs, async (pair) => {
    const sums = await compare(options, arrivals, pair, () => options.progress?.(++messages))
    done({ topic: pair.name, partition: pair.partition, ...sums })
  })
}

const nothing: SideSum = { messages: 0, checksum: '00000000' }

function missing(topic: string, partition: number, side: string): PartitionVerdict {
  const difference = `the ${side} has no such partition`
  return { topic, partition, source: nothing, target: nothing, difference }
}

async function compare(
  options: VerifyOptions,
  arrivals: Arrivals,
  { source: sourceTopic, target: targetTopic, partition }: PartitionPair,
  counted: () => void,
): Promise<Pick<PartitionVerdict, 'source' | 'target' | 'difference'>> {
  const bounds = (engine: Engine, topic: string) =>
    patiently(options, (context) => engine.offsets(topic, partition, context))
  // In this order: what the target holds by now comes from below the source's end.
  const there = await bounds(options.target, targetTopic)
  const here = await bounds(options.source, sourceTopic)
  const start = await startOf(options, sourceTopic, partition, here)
  // All that the target ever held is deleted there: nothing says what that was.
  const isEmptied = there.startOffset === there.endOffset && there.endOffset > 0
  let isMoreWanted = !isEmptied && start < here.endOffset
  const copyStart = await copyStartOf(options, targetTopic, partition, there, start)
  const copies = readCopies(
    options,
    options.target,
    { topic: targetTopic, partition, startOffset: copyStart, endOffset: there.endOffset },
    arrivals,
    () => isMoreWanted,
  )
  let { value: copy } = await copies.next()
  // What the target has deleted is at the source alone.
  let kept = start
  if (copy && copyStart === there.startOffset && copyStart > 0) {
    kept = originOf(copy.headers)?.offset ?? start
  }
  // What the source has deleted since is at the target alone.
  while (copy && isBefore(copy, start)) ({ value: copy } = await copies.next())
  const source = readMessages(options, options.source, {
    topic: sourceTopic,
    partition,
    startOffset: isEmptied ? here.endOffset : Math.max(start, kept),
    endOffset: here.endOffset,
  })
  const sourceSum = new MessageSum(options.crc32c)
  const targetSum = new MessageSum(options.crc32c)
  let difference: string | undefined
  try {
    for (let { value: original } = await source.next(); original || copy; ) {
      if (original) sourceSum.add(original)
      if (copy) targetSum.add(copy)
      difference ??= differenceOf(original ?? undefined, copy ?? undefined)
      counted()
      ;({ value: original } = await source.next())
      isMoreWanted = original !== undefined
      ;({ value: copy } = await copies.next())
    }
  } finally {
    await source.return()
    await copies.return()
  }
  return { source: sourceSum.result, target: targetSum.result, difference }
}

/** The source's offset to begin with. */
async function startOf(
  options: VerifyOptions,
  topic: string,
  partition: number,
  { startOffset, endOffset }: OffsetBounds,
): Promise<number> {
  const { source, since } = options
  if (since === undefined) return startOffset
  const found = await patiently(options, (context) =>
    source.offsetAt(topic, partition, since, context),
  )
  return found ?? endOffset
}

/** The target's offset to begin with: its first, or that of the first message that is wanted. */
async function copyStartOf(
  options: VerifyOptions,
  topic: string,
  partition: number,
  bounds: OffsetBounds,
  start: number,
): Promise<number> {
  const { target, codecs, since } = options
  if (since === undefined) return bounds.startOffset
  const where = { topic, partition, ...bounds }
  return await patiently(options, (context) =>
    findOrigin(target, where, start, start, codecs, context),
  )
}

function isBefore(copy: MirroredRecord, sourceStart: number): boolean {
  const origin = originOf(copy.headers)
  return origin !== undefined && origin.offset < sourceStart
}
