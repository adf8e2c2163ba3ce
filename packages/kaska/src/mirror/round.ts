/** One poll for all partitions that have something to come, and whose answers are still wanted. */
import type { Engine, PolledBatch, PollPart, PollResult } from '@kaska/protocol'
import { mirrorContext } from './asking.ts'
import type { MirrorPartition } from './mirror-partition.ts'

const pollBytesMax = 4 << 20
export const pollWaitMs = 500

type Asked = ReadonlyMap<string, { partition: MirrorPartition; generation: number }>

export class Round {
  readonly answer: Promise<PollResult>
  readonly #asked: Asked

  private constructor(answer: Promise<PollResult>, asked: Asked) {
    this.answer = answer
    this.#asked = asked
  }

  /** Asks; undefined where there is nothing to ask for. What does not fit into the answer are the last ones. */
  static start(
    source: Engine,
    partitions: readonly MirrorPartition[],
    signal: AbortSignal,
  ): Round | undefined {
    const asked = new Map<string, { partition: MirrorPartition; generation: number }>()
    const parts: PollPart[] = []
    for (const each of partitions) {
      if (each.state !== 'active' || each.asked >= each.goal) continue
      const { topic, partition, asked: offset, askedEpoch, generation } = each
      asked.set(keyOf(topic.source, partition), { partition: each, generation })
      const part = { topic: topic.source, partition, offset }
      parts.push(askedEpoch === undefined ? part : { ...part, lastEpoch: askedEpoch })
    }
    if (parts.length === 0) return undefined
    const request = { parts, waitMs: pollWaitMs, bytesMax: pollBytesMax }
    const answer = source.poll(request, { ...mirrorContext, signal })
    // It is looked at after the sends that are under way.
    answer.catch(() => {})
    return new Round(answer, asked)
  }

  /** Whose answer it is; undefined where the partition was placed anew since it was asked for. */
  partitionOf(part: { topic: string; partition: number }): MirrorPartition | undefined {
    const asked = this.#asked.get(keyOf(part.topic, part.partition))
    if (asked === undefined) return undefined
    const { partition, generation } = asked
    const isWanted = partition.generation === generation && partition.state === 'active'
    return isWanted ? partition : undefined
  }

  /** The batches by their partitions, in their order. */
  batchesOf({ batches }: PollResult): Map<MirrorPartition, PolledBatch[]> {
    const found = new Map<MirrorPartition, PolledBatch[]>()
    for (const batch of batches) {
      const partition = this.partitionOf(batch)
      if (partition === undefined) continue
      const list = found.get(partition)
      if (list === undefined) found.set(partition, [batch])
      else list.push(batch)
    }
    return found
  }
}

function keyOf(topic: string, partition: number): string {
  return `${topic} ${partition}`
}
