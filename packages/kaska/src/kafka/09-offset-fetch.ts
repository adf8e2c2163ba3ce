/**
 * OffsetFetch (key 9), versions 1 to 10: where groups stand in the partitions that are named, or, from
 * version 2 on, in all of them. From version 8 on for several groups; version 10 names topics by their
 * ids. What is answered is durable: it waits for the commits of the group that are under way, and as
 * nothing is committed by transactions it is always stable (KIP-447).
 *
 * A group, a topic or a partition that nobody knows is no error: nothing is committed there. Members
 * are not looked at, as in Kafka for groups of the classic protocol.
 *
 * A large answer is made in slices, and its memory is reserved until it has left.
 */
import { kafka, OverloadedError } from '@kaska/protocol'
import { handler, type KafkaContext } from './handler.ts'
import type { DurableOffset } from './kafka-offsets.ts'
import { findTopic } from './topics.ts'

const { errorCode } = kafka

type Request = kafka.OffsetFetchRequest
type GroupRow = kafka.OffsetFetchResponse['groups'][number]
type TopicRow = GroupRow['topics'][number]
type Row = TopicRow['partitions'][number]
type WantedTopics = Request['groups'][number]['topics']

const topicIdVersionMin = 10
const severalGroupsVersionMin = 8
const groupErrorVersionMin = 2

/** What rows take as objects and as bytes, beside their text, and what a character of that takes. */
const rowBytes = 300
const characterBytes = 3
/** Rows after which others have a turn. */
const sliceRows = 1000
/** Answers up to this are on the house. */
const freeBytes = 64 * 1024

export const offsetFetch = handler({
  key: 9,
  versions: '1-10',
  request: kafka.offsetFetchRequest,
  response: kafka.offsetFetchResponse,
  handle: async (context, request, version) => {
    const space = new AnswerSpace(context)
    if (version >= severalGroupsVersionMin) {
      const groups: GroupRow[] = []
      for (const { groupId, topics } of request.groups) {
        groups.push(await groupRow(context, space, version, groupId, topics))
      }
      return { groups }
    }
    const topics = request.topics?.map((topic) => ({ ...topic, topicId: '' })) ?? null
    const row = await groupRow(context, space, version, request.groupId, topics)
    return { topics: row.topics, errorCode: row.errorCode }
  },
})

async function groupRow(
  context: KafkaContext,
  space: AnswerSpace,
  version: number,
  groupId: string,
  wanted: WantedTopics,
): Promise<GroupRow> {
  const topics: TopicRow[] = []
  try {
    await space.take(groupId.length)
    await context.broker.offsets.settled(groupId)
    if (wanted === null) await addAll(context, space, groupId, topics)
    else await addWanted(context, space, version, groupId, wanted, topics)
    return { groupId, topics, errorCode: errorCode.NONE }
  } catch (error) {
    // Clients ask again after a while.
    if (error instanceof OverloadedError && version >= groupErrorVersionMin) {
      return { groupId, topics: [], errorCode: errorCode.COORDINATOR_LOAD_IN_PROGRESS }
    }
    throw error
  }
}

async function addWanted(
  context: KafkaContext,
  space: AnswerSpace,
  version: number,
  groupId: string,
  wanted: NonNullable<WantedTopics>,
  topics: TopicRow[],
): Promise<void> {
  const { offsets } = context.broker
  for (const { name, topicId, partitionIndexes } of wanted) {
    const id = version >= topicIdVersionMin ? topicId : undefined
    const topic = findTopic(context, { name, id })
    const isUnknownId = id !== undefined && topic === undefined
    const code = isUnknownId ? errorCode.UNKNOWN_TOPIC_ID : errorCode.NONE
    const partitions: Row[] = []
    topics.push({ name, topicId, partitions })
    await space.take(name.length)
    for (const partitionIndex of partitionIndexes) {
      const value = topic && offsets.durable(groupId, topic.id, partitionIndex)
      partitions.push(rowOf(partitionIndex, value, code))
      if (space.isDue(value?.metadata ?? '')) await space.settle()
    }
  }
}

async function addAll(
  context: KafkaContext,
  space: AnswerSpace,
  groupId: string,
  topics: TopicRow[],
): Promise<void> {
  let row: TopicRow | undefined
  for (const { topic: id, partition, value } of context.broker.offsets.allDurable(groupId)) {
    if (row?.topicId !== id) {
      // Native clients may have topics that Kafka's cannot name.
      const topic = findTopic(context, { name: '', id })
      if (topic === undefined) continue
      row = { name: topic.name, topicId: id, partitions: [] }
      topics.push(row)
      await space.take(topic.name.length)
    }
    row.partitions.push(rowOf(partition, value, errorCode.NONE))
    if (space.isDue(value.metadata)) await space.settle()
  }
}

function rowOf(
  partitionIndex: number,
  value: DurableOffset | undefined,
  code: kafka.KafkaErrorCode,
): Row {
  return {
    partitionIndex,
    committedOffset: value?.offset ?? -1,
    committedLeaderEpoch: value?.leaderEpoch ?? -1,
    metadata: value?.metadata ?? '',
    errorCode: code,
  }
}

/** The memory of an answer that grows, reserved slice by slice until it has left. */
class AnswerSpace {
  readonly #context: KafkaContext
  #rows = 0
  #bytes = 0
  #reserved = 0

  constructor(context: KafkaContext) {
    this.#context = context
  }

  /** Counts a row with some text. Rejects as `settle` does. */
  async take(characters: number): Promise<void> {
    if (this.#add(characters)) await this.settle()
  }

  /** Counts a row; true: `settle` is to be awaited. */
  isDue(text: string): boolean {
    return this.#add(text.length)
  }

  /** Reserves what was counted, and lets others have a turn. Rejects with OverloadedError. */
  async settle(): Promise<void> {
    const { broker, afterSent } = this.#context
    const { budget, clock } = broker
    this.#rows = 0
    const bytes = this.#bytes - freeBytes - this.#reserved
    if (bytes > 0) {
      if (!budget.tryReserve(bytes)) {
        throw new OverloadedError('the broker has no memory free for such a large answer')
      }
      if (this.#reserved === 0) afterSent(() => budget.release(this.#reserved))
      this.#reserved += bytes
    }
    await clock.yield()
  }

  #add(characters: number): boolean {
    this.#bytes += rowBytes + characterBytes * characters
    const due = freeBytes + this.#reserved + sliceBytes
    return ++this.#rows >= sliceRows || this.#bytes > due
  }
}

/** So much more of an answer is reserved at a time, at most. */
const sliceBytes = 256 * 1024
