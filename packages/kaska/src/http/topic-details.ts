/** GET /api/v1/topics?details=1: what a list of topics shows of each. */
import { type Clock, type RequestContext, type TopicInfo, UnknownTopicError } from '@kaska/protocol'
import type { BrokerParts } from './broker-parts.ts'
import type { FigureSource } from './figure-source.ts'
import { assignmentOf } from './group-lag.ts'
import type { Slices } from './slices.ts'

export interface DetailSources {
  readonly figures: FigureSource
  readonly clock: Clock
  readonly broker?: BrokerParts | undefined
}

/** How long an answer waits for the sizes of logs that are not open. */
const sizesWaitMs = 1000
/** Committed offsets that are looked at for who reads what, and names that are given of a topic's readers. */
const offsetsMax = 100_000
const readersMax = 100

/** Topics that are gone meanwhile are left out. */
export async function topicDetails(
  topics: readonly TopicInfo[],
  { figures, broker, clock }: DetailSources,
  asking: RequestContext,
  slices: Slices,
): Promise<object[]> {
  const deadline = clock.monotonic() + sizesWaitMs
  const readers = await readersOf(broker, slices)
  const details: object[] = []
  for (const topic of topics) {
    await slices.round()
    asking.signal?.throwIfAborted()
    try {
      const found = await figures.topicFigures(topic.id, deadline - clock.monotonic())
      details.push({
        ...topic,
        ...found,
        ...figures.retentionOf(topic.id),
        groups: [...(readers.get(topic.id) ?? [])],
      })
    } catch (error) {
      if (!(error instanceof UnknownTopicError)) throw error
    }
  }
  return details
}

/** The groups that have committed in a topic, or have members that read it, by the topics' ids. */
async function readersOf(
  broker: BrokerParts | undefined,
  slices: Slices,
): Promise<Map<string, Set<string>>> {
  const readers = new Map<string, Set<string>>()
  if (broker === undefined) return readers
  const add = (topic: string, group: string) => {
    const groups = readers.get(topic)
    if (groups === undefined) readers.set(topic, new Set([group]))
    else if (groups.size < readersMax) groups.add(group)
  }
  let visited = 0
  for (const { name, protocolType } of broker.groups.list()) {
    await slices.round()
    for (const { topic } of broker.offsets.allDurable(name)) {
      await slices.round()
      if (++visited > offsetsMax) return readers
      add(topic, name)
    }
    for (const member of broker.groups.describe(name)?.members ?? []) {
      for (const { topic } of assignmentOf(member, protocolType)) {
        const info = broker.topics.topicNamed(topic)
        if (info !== undefined) add(info.id, name)
      }
    }
  }
  return readers
}
