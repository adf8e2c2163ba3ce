/**
 * Looks through a topic, from where the reader stands to where it ended when it was opened. The next messages are
 * read while those before them are looked at. What is found is bounded: the search stops when there is enough.
 */
import type { StoredMessage } from '@kaska/protocol'
import { ownBytes } from './kept-messages.ts'
import type { Matcher } from './matchers.ts'
import { turn } from './message-feed.ts'
import type { TopicReader } from './topic-reader.ts'

export interface SearchProgress {
  /** Offsets looked at, and all of them: with those that hold no message. */
  readonly done: number
  readonly total: number
  /** Messages looked at. */
  readonly messages: number
  readonly found: number
}

export interface SearchOptions {
  readonly reader: TopicReader
  readonly matcher: Matcher
  readonly signal: AbortSignal
  /** Messages that were found, with bytes of their own, in the order in which they were read. */
  readonly found: (messages: readonly StoredMessage[]) => void
  readonly progress: (progress: SearchProgress) => void
  /** It stops after so many: 10,000. */
  readonly foundMax?: number
}

export const foundMaxDefault = 10_000

/** Messages of a batch: so many that it takes about as long as it may. */
const batchCountMin = 16
const batchCountMax = 2000
const batchBytes = 4 << 20
/** For so long a batch is read before others have their turn. */
const batchMs = 10
/** A batch that is looked at in less is followed by a larger one, one that takes more by a smaller one. */
const matchMsMin = 20
const matchMsMax = 200
/** For so long a message may take to come before it is looked whether there is one at all. */
const waitMs = 250

/** Resolves with whether all was looked at; false: enough was found. Rejects with the signal's reason, ... */
export async function search(options: SearchOptions): Promise<boolean> {
  const { reader, matcher, signal, foundMax = foundMaxDefault } = options
  const total = sum(reader.ends) - sum(reader.starts)
  let messages = 0
  let found = 0
  let batchCount = 10 * batchCountMin
  let matching: Promise<void> = Promise.resolve()
  report()
  while (found < foundMax && !isDone()) {
    const batch = await readBatch()
    await matching
    matching = match(batch)
    // Who awaits it hears of it.
    matching.catch(() => {})
    await turn()
    signal.throwIfAborted()
  }
  await matching
  signal.throwIfAborted()
  report()
  return found < foundMax

  function isDone(): boolean {
    const positions = reader.positions()
    for (const [partition, end] of reader.ends) {
      if ((positions.get(partition) ?? end) < end) return false
    }
    return true
  }

  async function readBatch(): Promise<StoredMessage[]> {
    const batch: StoredMessage[] = []
    let until = Number.POSITIVE_INFINITY
    let bytes = 0
    while (batch.length < batchCount && bytes < batchBytes && performance.now() < until) {
      const message = await reader.next(batch.length > 0 ? 0 : waitMs, signal)
      if (message === undefined) break
      if (batch.length === 0) until = performance.now() + batchMs
      // What came since it began is not looked for.
      if (message.offset >= (reader.ends.get(message.partition) ?? 0)) continue
      batch.push(message)
      bytes += (message.key?.length ?? 0) + (message.value?.length ?? 0)
    }
    return batch
  }

  async function match(batch: readonly StoredMessage[]): Promise<void> {
    if (batch.length > 0) {
      const startedAt = performance.now()
      const places = await matcher.match(batch, signal)
      const tookMs = performance.now() - startedAt
      if (tookMs < matchMsMin) batchCount = Math.min(batchCount * 2, batchCountMax)
      if (tookMs > matchMsMax) batchCount = Math.max(batchCount >> 1, batchCountMin)
      const hits = places
        .slice(0, foundMax - found)
        .map((place) => ownBytes(batch[place] as StoredMessage))
      messages += batch.length
      found += hits.length
      if (hits.length > 0 && !signal.aborted) options.found(hits)
    }
    report()
  }

  function report(): void {
    if (signal.aborted) return
    let left = 0
    const positions = reader.positions()
    for (const [partition, end] of reader.ends) {
      left += Math.max(0, end - (positions.get(partition) ?? end))
    }
    options.progress({ done: total - left, total, messages, found })
  }
}

function sum(offsets: ReadonlyMap<number, number>): number {
  let all = 0
  for (const offset of offsets.values()) all += offset
  return all
}
