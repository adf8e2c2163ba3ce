/** GET /api/v1/topics?details=1: what a list of topics shows of each. */
import type { RequestContext, TopicInfo } from '@kaska/protocol'
import type { Slices } from '../transport/slices.ts'
import type { BrokerParts } from './broker-parts.ts'
import { type FigureSource, unknownTraffic } from './figure-source.ts'

export interface DetailSources {
  readonly figures: FigureSource
  readonly broker: BrokerParts
}

/** How long an answer waits for the sizes of logs that are not open. */
const sizesWaitMs = 1000
/** Committed offsets that are looked at for who reads what, and names that are given of a topic's readers. */
const offsetsMax = 100_000
const readersMax = 100

/** Topics that are gone meanwhile are left out. */
export async function topicDetails(
  topics: readonly TopicInfo[],
  { figures, broker }: DetailSources,
  asking: RequestContext,
  slices: Slices,
): Promise<object[]> {
  const readers = await readersOf(broker, asking, slices)
  const found = await figures.topicFigures(topics, sizesWaitMs, asking)
  const retention = await figures.retentionOf(topics, asking)
  const details: object[] = []
  for (const [index, topic] of topics.entries()) {
    if (slices.isDue) await slices.pause()
    if (found[index] === undefined) continue
    const { traffic, ...held } = found[index]
    const groups = [...(readers.get(topic.name) ?? [])]
    details.push({ ...topic, ...held, ...(traffic ?? unknownTraffic), ...retention[index], groups })
  }
  return details
}

/** The groups that have committed in a topic, or have members that read it, by the topics' names. */
async function readersOf(
  broker: BrokerParts,
  asking: RequestContext,
  slices: Slices,
): Promise<Map<string, Set<string>>> {
  const readers = new Map<string, Set<string>>()
  const add = (topic: string, group: string) => {
    const groups = readers.get(topic)
    if (groups === undefined) readers.set(topic, new Set([group]))
    else if (groups.size < readersMax) groups.add(group)
  }
  let visited = 0
  for await (const { name, offsets, members } of broker.groups.list(0, asking)) {
    for (const { topic } of offsets) {
      if (slices.isDue) await slices.pause()
      asking.signal?.throwIfAborted()
      if (++visited > offsetsMax) return readers
      add(topic.name, name)
    }
    for (const { assignment } of members) for (const { topic } of assignment) add(topic, name)
  }
  return readers
}
