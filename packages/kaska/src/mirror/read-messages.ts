/**
 * The messages of a partition, and those of a target that a mirror may still be bringing. Each message is
 * valid until the next is asked for.
 */
import {
  type Clock,
  type Codecs,
  type Engine,
  OffsetOutOfRangeError,
  type PollPart,
  type PollRequest,
  type PollResult,
  type RequestContext,
} from '@kaska/protocol'
import { type Patience, patiently } from './asking.ts'
import { endOf, type MirroredRecord, recordsOf } from './read-batch.ts'

const readBytesMax = 1 << 20
/** A cluster that has just changed a leader may take so long to show what is there. */
const waitMs = 500

export interface ReadOptions extends Patience {
  readonly codecs: Codecs
}

export interface PartitionRange {
  readonly topic: string
  readonly partition: number
  readonly startOffset: number
  readonly endOffset: number
}

export type Messages = AsyncGenerator<MirroredRecord, void, void>

/** A poll of one partition; rejects with its failure. */
export async function pollOne(
  engine: Engine,
  part: PollPart,
  limits: Omit<PollRequest, 'parts'>,
  context: RequestContext,
): Promise<PollResult> {
  const answer = await engine.poll({ parts: [part], ...limits }, context)
  const [failure] = answer.failures
  if (failure === undefined) return answer
  answer.release()
  throw failure.error
}

/** Reads one message, which is valid while the task runs; undefined where there is none at that offset. */
export async function withMessage(
  engine: Engine,
  part: PollPart,
  { codecs, context }: { readonly codecs: Codecs; readonly context: RequestContext },
  task: (message: MirroredRecord | undefined) => Promise<void>,
): Promise<void> {
  let answer: PollResult
  try {
    answer = await pollOne(engine, part, { waitMs: 0, bytesMax: 1 }, context)
  } catch (error) {
    if (!(error instanceof OffsetOutOfRangeError)) throw error
    return await task(undefined)
  }
  try {
    for (const batch of answer.batches) {
      for (const record of recordsOf(batch, part.offset, codecs)) {
        return await task(record.offset === part.offset ? record : undefined)
      }
    }
    await task(undefined)
  } finally {
    answer.release()
  }
}

/** The messages from one offset to another. */
export async function* readMessages(
  options: ReadOptions,
  engine: Engine,
  { topic, partition, startOffset, endOffset }: PartitionRange,
): Messages {
  let offset = startOffset
  while (offset < endOffset) {
    const part = { topic, partition, offset }
    const answer: PollResult = await patiently(options, (context) =>
      pollOne(engine, part, { waitMs, bytesMax: readBytesMax }, context),
    )
    try {
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

/** How long nothing may come anywhere until no more is waited for. */
const idleMsMax = 2000

/** For what a mirror that runs meanwhile brings; shared by all partitions. */
export class Arrivals {
  readonly #clock: Clock
  #idleSince: number | undefined

  constructor(clock: Clock) {
    this.#clock = clock
  }

  /** Is it worth waiting any more? */
  get isHopeful(): boolean {
    return this.#idleSince === undefined || this.#clock.monotonic() - this.#idleSince < idleMsMax
  }

  saw(isAnything: boolean): void {
    if (isAnything) this.#idleSince = undefined
    else this.#idleSince ??= this.#clock.monotonic()
  }
}

/** The target's messages in a range, and behind it as long as `isMoreWanted` and there are any. */
export async function* readCopies(
  options: ReadOptions,
  engine: Engine,
  range: PartitionRange,
  arrivals: Arrivals,
  isMoreWanted: () => boolean,
): Messages {
  yield* readMessages(options, engine, range)
  const { topic, partition } = range
  for (let startOffset = range.endOffset; isMoreWanted() && arrivals.isHopeful; ) {
    const part = { topic, partition, offset: startOffset }
    const answer = await patiently(options, (context) =>
      pollOne(engine, part, { waitMs, bytesMax: 1 }, context),
    )
    let endOffset = startOffset
    try {
      for (const batch of answer.batches) endOffset = Math.max(endOffset, endOf(batch))
    } finally {
      answer.release()
    }
    arrivals.saw(endOffset > startOffset)
    const next = { topic, partition, startOffset, endOffset }
    for await (const message of readMessages(options, engine, next)) {
      if (!isMoreWanted()) return
      yield message
    }
    startOffset = endOffset
  }
}
