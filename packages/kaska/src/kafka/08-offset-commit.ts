/**
 * OffsetCommit (key 8), versions 2 to 10: where a group stands, by its members, or by anybody while it
 * has none. Version 10 names topics by their ids. Answered when it is durable.
 *
 * A commit takes effect before anything is awaited, so that many that are pipelined need few syncs. A
 * large request is committed in slices, others having a turn between them: each takes effect as a whole,
 * or not at all, and its rows say which. Further commits of the group begin when all slices are made.
 */
import { DiskFullError, kafka, OverloadedError, PartitionOfflineError } from '@kaska/protocol'
import { handler, type KafkaContext } from './handler.ts'
import { codeOf } from './kafka-error.ts'
import type { CommittedPartition } from './kafka-offsets.ts'
import { findTopic } from './topics.ts'

const { errorCode } = kafka

type Request = kafka.OffsetCommitRequest
type Wanted = Request['topics'][number]['partitions'][number]
interface Row {
  readonly partitionIndex: number
  errorCode: number
}

type TopicRow = kafka.OffsetCommitResponse['topics'][number]

const topicIdVersionMin = 10
/** Since then a member of a group that is not there is told so. */
const unknownGroupVersionMin = 9
const sliceRows = 1000

/** A row of the answer, and what it answers. */
interface Asked {
  readonly name: string
  readonly id: string | undefined
  readonly wanted: Wanted
  readonly row: Row
}

export const offsetCommit = handler({
  key: 8,
  versions: '2-10',
  request: kafka.offsetCommitRequest,
  response: kafka.offsetCommitResponse,
  isPipelined: true,
  handle: async (context, request, version) => {
    const { offsets, clock } = context.broker
    const { groupId } = request
    let slicing = offsets.slicing(groupId)
    for (; slicing !== undefined; slicing = offsets.slicing(groupId)) await slicing
    const topics: TopicRow[] = []
    const rows = askedRows(request, version, topics)
    const first = nextSlice(rows)
    const committing = [settling(commitSlice(context, request, version, first))]
    if (first.length === sliceRows) {
      await offsets.inSlices(groupId, async () => {
        await clock.yield()
        for (let slice = nextSlice(rows); slice.length > 0; slice = nextSlice(rows)) {
          committing.push(settling(commitSlice(context, request, version, slice)))
          await clock.yield()
        }
      })
    }
    await Promise.all(committing)
    return { topics }
  },
})

/** What is asked, in its order; each row is in `topics` when it is given. */
function* askedRows(
  request: Request,
  version: number,
  topics: TopicRow[],
): Generator<Asked, undefined> {
  for (const { name, topicId, partitions } of request.topics) {
    const id = version >= topicIdVersionMin ? topicId : undefined
    const rows: Row[] = []
    topics.push({ name, topicId, partitions: rows })
    for (const wanted of partitions) {
      const row = { partitionIndex: wanted.partitionIndex, errorCode: errorCode.NONE }
      rows.push(row)
      yield { name, id, wanted, row }
    }
  }
}

function nextSlice(rows: Generator<Asked, undefined>): Asked[] {
  const slice: Asked[] = []
  while (slice.length < sliceRows) {
    const { value } = rows.next()
    if (value === undefined) break
    slice.push(value)
  }
  return slice
}

/** A promise that is awaited later: until then its rejection is nobody's. */
function settling(promise: Promise<void>): Promise<void> {
  promise.catch(() => {})
  return promise
}

/** Commits what can be, before it returns; resolves when it is durable and the rows are filled in. */
async function commitSlice(
  context: KafkaContext,
  request: Request,
  version: number,
  slice: readonly Asked[],
): Promise<void> {
  const { offsets, config } = context.broker
  const known: { readonly asked: Asked; readonly commit: CommittedPartition }[] = []
  for (const asked of slice) {
    const commit = commitOf(context, request, asked)
    if (commit !== undefined) known.push({ asked, commit })
  }
  if (known.length === 0) return
  const refusal = checkCommitter(context, request, version)
  const taken = known.filter(({ asked: { row }, commit }) => {
    if (refusal !== errorCode.NONE) row.errorCode = refusal
    else if (commit.metadata.length > config.offsetMetadataBytesMax) {
      row.errorCode = errorCode.OFFSET_METADATA_TOO_LARGE
    } else if (!Number.isSafeInteger(commit.offset)) {
      row.errorCode = errorCode.OFFSET_OUT_OF_RANGE
    }
    return row.errorCode === errorCode.NONE
  })
  if (taken.length === 0) return
  try {
    await offsets.commitFor(
      request.groupId,
      taken.map(({ commit }) => commit),
    )
  } catch (error) {
    const code = commitCodeOf(error)
    for (const { asked } of taken) asked.row.errorCode = code
  }
}

/** What is to be committed; undefined, and said in the row, where there is no such partition. */
function commitOf(
  context: KafkaContext,
  { retentionTimeMs }: Request,
  { name, id, wanted, row }: Asked,
): CommittedPartition | undefined {
  const { partitionIndex, committedOffset, committedLeaderEpoch, committedMetadata } = wanted
  const topic = findTopic(context, { name, id })
  if (topic === undefined && id !== undefined) {
    row.errorCode = errorCode.UNKNOWN_TOPIC_ID
    return undefined
  }
  if (topic === undefined || partitionIndex < 0 || partitionIndex >= topic.partitions) {
    row.errorCode = errorCode.UNKNOWN_TOPIC_OR_PARTITION
    return undefined
  }
  return {
    topic: topic.id,
    partition: partitionIndex,
    offset: committedOffset,
    leaderEpoch: committedLeaderEpoch,
    metadata: committedMetadata ?? '',
    retentionMs: retentionTimeMs === -1 ? undefined : retentionTimeMs,
  }
}

function checkCommitter(
  { broker }: KafkaContext,
  { groupId, memberId, generationIdOrMemberEpoch: generationId, groupInstanceId }: Request,
  version: number,
): kafka.KafkaErrorCode {
  const code = broker.offsets.checkCommit(groupId, { memberId, generationId, groupInstanceId })
  const isUnknownGroup = code === errorCode.GROUP_ID_NOT_FOUND
  return isUnknownGroup && version < unknownGroupVersionMin ? errorCode.ILLEGAL_GENERATION : code
}

/** The code for a commit or a deletion of offsets that failed: what clients know of these APIs. */
export function commitCodeOf(error: unknown): kafka.KafkaErrorCode {
  // Not to be tried again: there will not be more memory soon.
  if (error instanceof OverloadedError) return errorCode.INVALID_COMMIT_OFFSET_SIZE
  if (error instanceof DiskFullError || error instanceof PartitionOfflineError) {
    return errorCode.COORDINATOR_NOT_AVAILABLE
  }
  return codeOf(error)
}
