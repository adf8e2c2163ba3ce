/** How far a group is behind: in messages, and by the age of the first message that it has not read. */
import {
  type Clock,
  type Engine,
  kafka,
  logAppendTimeBit,
  type OffsetBounds,
  type RequestContext,
  type TopicId,
} from '@kaska/protocol'
import type { GroupMember } from './broker-parts.ts'

/** A partition's bounds; those of one that cannot be read are undefined. Each is asked for once. */
export class Bounds {
  readonly #engine: Pick<Engine, 'offsets'>
  readonly #asking: RequestContext
  readonly #known = new Map<string, OffsetBounds | undefined>()

  constructor(engine: Pick<Engine, 'offsets'>, asking: RequestContext) {
    this.#engine = engine
    this.#asking = asking
  }

  async of(topic: TopicId, partition: number): Promise<OffsetBounds | undefined> {
    const key = `${topic} ${partition}`
    if (this.#known.has(key)) return this.#known.get(key)
    const bounds = await this.#engine
      .offsets(topic, partition, this.#asking)
      .catch(() => this.#asking.signal?.throwIfAborted())
    this.#known.set(key, bounds ?? undefined)
    return bounds ?? undefined
  }
}

/** The messages from the offset on that are still there. */
export function lagOf(offset: number, { startOffset, endOffset }: OffsetBounds): number {
  return Math.max(0, endOffset - Math.max(startOffset, offset))
}

/**
 * The age in ms of the first message at or after the offset, by the batch that it lies in; null where none
 * can be read, or it has no timestamp.
 */
export async function ageOf(
  { topic, partition, offset }: { topic: TopicId; partition: number; offset: number },
  { engine, clock }: { readonly engine: Pick<Engine, 'poll'>; readonly clock: Clock },
  asking: RequestContext,
): Promise<number | null> {
  const parts = [{ topic, partition, offset }]
  const result = await engine.poll({ parts, waitMs: 0, bytesMax: 1 }, asking)
  try {
    const [batch] = result.batches
    if (batch === undefined) return null
    const { attributes, baseTimestamp, maxTimestamp } = batch
    const timestamp = (attributes & logAppendTimeBit) === 0 ? baseTimestamp : maxTimestamp
    return timestamp < 0 ? null : Math.max(0, clock.now() - timestamp)
  } finally {
    result.release()
  }
}

/** What a member of a group of consumers was assigned; nothing where that cannot be read. */
export function assignmentOf(
  { assignment }: Pick<GroupMember, 'assignment'>,
  protocolType: string,
): { topic: string; partitions: readonly number[] }[] {
  if (protocolType !== 'consumer' || assignment.length === 0) return []
  try {
    const type = kafka.consumerProtocolAssignment
    const { assignedPartitions } = kafka.readVersioned(type, [assignment])
    return assignedPartitions.map(({ topic, partitions }) => ({ topic, partitions }))
  } catch {
    // Its members understand each other, or do not: that is their affair.
    return []
  }
}
