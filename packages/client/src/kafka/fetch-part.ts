/** What is asked of one partition's leader, and what a broker may tell of it: decoded once, however many ask. */
import { kafka, type PolledBatch, type TopicId } from '@kaska/protocol'
import type { AnswerBuffers } from './answer-buffers.ts'
import { fetchedBatches } from './fetched-batches.ts'
import { errorOfCode, isMoved } from './kafka-errors.ts'

export interface FetchPart {
  readonly topic: TopicId
  readonly partition: number
  readonly offset: number
  readonly lastEpoch: number
  readonly leaderEpoch: number
  /** Equal parts have the same key. */
  readonly key: string
}

/** What a broker answers for one. */
export type PartitionAnswer = kafka.FetchResponse['responses'][number]['partitions'][number]

/** Something to tell of a part. Many read it: nobody changes it. */
export type PartNews =
  | {
      readonly kind: 'batches'
      readonly batches: readonly PolledBatch[]
      /** To be held at once by who is told, for as long as it looks at the batches. */
      readonly buffers: AnswerBuffers
    }
  | { readonly kind: 'failed'; readonly error: Error }
  | { readonly kind: 'out of range' }
  | { readonly kind: 'truncated'; readonly endOffset: number }
  /** Somebody else leads it, or nobody does now. */
  | { readonly kind: 'moved'; readonly error: Error }
  /** The broker was not reached, or does not answer any such request. */
  | { readonly kind: 'lost'; readonly error: unknown }

export function fetchPart(
  topic: TopicId,
  partition: number,
  offset: number,
  lastEpoch: number,
  leaderEpoch: number,
): FetchPart {
  const key = `${topic} ${partition} ${offset} ${lastEpoch} ${leaderEpoch}`
  return { topic, partition, offset, lastEpoch, leaderEpoch, key }
}

/** The place in the log is the part's alone. Undefined: there is nothing to tell. */
export function newsOf(
  part: FetchPart,
  answer: PartitionAnswer,
  buffers: AnswerBuffers,
): PartNews | undefined {
  const { errorCode: code, divergingEpoch, records } = answer
  if (code !== 0) {
    if (code === kafka.errorCode.OFFSET_OUT_OF_RANGE) return { kind: 'out of range' }
    const error = errorOfCode(code, `partition ${part.partition} cannot be read`)
    return { kind: isMoved(code) ? 'moved' : 'failed', error }
  }
  if (divergingEpoch.endOffset >= 0) {
    // The log may be longer than that in an epoch of before: what was read last is not there at any rate.
    const lastRead = Math.max(0, part.offset - 1)
    return { kind: 'truncated', endOffset: Math.min(divergingEpoch.endOffset, lastRead) }
  }
  if (records === null || records.length === 0) return undefined
  try {
    const aborted = answer.abortedTransactions ?? []
    const batches = fetchedBatches(part.topic, part.partition, records, aborted)
    return batches.length === 0 ? undefined : { kind: 'batches', batches, buffers }
  } catch (error) {
    return { kind: 'failed', error: error as Error }
  }
}

/** Did the broker tell nothing for want of room, although there is something? */
export function isCutShort(part: FetchPart, { lastStableOffset }: PartitionAnswer): boolean {
  return lastStableOffset > part.offset
}
