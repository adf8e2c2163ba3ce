/** How far a group is behind: in messages, and by the age of the first message that it has not read. */
import {
  type Clock,
  type Engine,
  logAppendTimeBit,
  type OffsetBounds,
  type RequestContext,
  type TopicId,
} from '@kaska/protocol'
import type { FigureSource, Place } from './figure-source.ts'

/** Partitions whose bounds are asked for together. */
const atOnce = 256

/** The bounds of many partitions, asked for some at a time; those of one that cannot be read are undefined. */
export class BoundsQueue {
  readonly #figures: Pick<FigureSource, 'bounds'>
  readonly #asking: RequestContext
  #waiting: { readonly place: Place; use(bounds: OffsetBounds | undefined): void }[] = []

  constructor(figures: Pick<FigureSource, 'bounds'>, asking: RequestContext) {
    this.#figures = figures
    this.#asking = asking
  }

  /** To be awaited where there is something to wait for: then it is time to ask. */
  add(place: Place, use: (bounds: OffsetBounds | undefined) => void): Promise<void> | undefined {
    this.#waiting.push({ place, use })
    return this.#waiting.length < atOnce ? undefined : this.flush()
  }

  /** Asks for what is left. */
  async flush(): Promise<void> {
    const waiting = this.#waiting
    if (waiting.length === 0) return
    this.#waiting = []
    const places = waiting.map(({ place }) => place)
    const bounds = await this.#figures.bounds(places, this.#asking)
    for (const [index, { use }] of waiting.entries()) use(bounds[index])
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
