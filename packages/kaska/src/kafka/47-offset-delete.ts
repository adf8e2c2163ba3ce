/**
 * OffsetDelete (key 47), version 0: forgets what a group has committed in some partitions (KIP-496), of
 * topics that none of its members subscribes to. Answered when it is durable. A large request is done
 * in slices, others having a turn between them.
 */
import { kafka } from '@kaska/protocol'
import { commitCodeOf } from './08-offset-commit.ts'
import { handler, type KafkaContext } from './handler.ts'
import { findTopic } from './topics.ts'

const { errorCode } = kafka

interface Row {
  readonly partitionIndex: number
  errorCode: number
}

/** A row of the answer, and whose offset is deleted. */
interface Asked {
  readonly name: string
  readonly row: Row
}

const sliceRows = 1000

export const offsetDelete = handler({
  key: 47,
  versions: '0',
  request: kafka.offsetDeleteRequest,
  response: kafka.offsetDeleteResponse,
  handle: async (context, { groupId, topics: wanted }) => {
    const { offsets, clock } = context.broker
    const refusal = offsets.checkDelete(groupId)
    if (refusal !== errorCode.NONE) return { errorCode: refusal }
    const topics: kafka.OffsetDeleteResponse['topics'] = []
    let slice: Asked[] = []
    for (const { name, partitions } of wanted) {
      const rows: Row[] = []
      topics.push({ name, partitions: rows })
      for (const { partitionIndex } of partitions) {
        const row = { partitionIndex, errorCode: errorCode.NONE }
        rows.push(row)
        slice.push({ name, row })
        if (slice.length < sliceRows) continue
        await deleteSlice(context, groupId, slice)
        slice = []
        await clock.yield()
      }
    }
    await deleteSlice(context, groupId, slice)
    return { errorCode: errorCode.NONE, topics }
  },
})

async function deleteSlice(
  context: KafkaContext,
  groupId: string,
  slice: readonly Asked[],
): Promise<void> {
  const { offsets } = context.broker
  const partitions: { topic: string; partition: number }[] = []
  const taken: Row[] = []
  for (const { name, row } of slice) {
    const topic = findTopic(context, { name, id: undefined })
    const { partitionIndex: partition } = row
    if (topic === undefined || partition < 0 || partition >= topic.partitions) {
      row.errorCode = errorCode.UNKNOWN_TOPIC_OR_PARTITION
    } else if (offsets.isSubscribed(groupId, name)) {
      row.errorCode = errorCode.GROUP_SUBSCRIBED_TO_TOPIC
    } else {
      partitions.push({ topic: topic.id, partition })
      taken.push(row)
    }
  }
  if (taken.length === 0) return
  try {
    await offsets.deleteOffsets(groupId, partitions)
  } catch (error) {
    const code = commitCodeOf(error)
    for (const row of taken) row.errorCode = code
  }
}
