/**
 * Fetch (key 1), versions 4 to 18: batches as they are stored, header included, as views from the tail
 * or the disk to the socket (contract 11). Waits for `minBytes` at most `maxWaitMs`; the first batch of
 * all is sent whatever its size. What is read is under the high watermark, which is the last stable
 * offset too. From version 12 on a reader is told where the log parts from what it has seen.
 *
 * From version 7 on a client may have a session (KIP-227): then its requests name only what has changed
 * of what it wants, and answers only what has changed of what there is. See fetch-session.ts.
 */
import { type Chunks, kafka, noTopicId, type TopicId, type TopicInfo } from '@kaska/protocol'
import { Slices } from '../transport/slices.ts'
import { FetchPart, type FetchSession, keyOf, type Said } from './fetch-session.ts'
import { handler, type KafkaContext } from './handler.ts'
import { codeOf, leaderEpochCode } from './kafka-error.ts'
import type {
  StoredBatch,
  StoredReadPart,
  StoredReadPartResult,
  StoredReadResult,
} from './kafka-store.ts'
import { findTopic } from './topics.ts'

const { errorCode } = kafka

type PartitionRow = kafka.FetchResponse['responses'][number]['partitions'][number]
type Mutable<T> = { -readonly [K in keyof T]: T[K] }
/** What is seldom said is left out: to look through it for each of many partitions takes long. */
type Seldom = 'divergingEpoch' | 'currentLeader' | 'snapshotId'
type Row = Mutable<Omit<PartitionRow, Seldom> & Partial<Pick<PartitionRow, 'divergingEpoch'>>>
type Responses = NonNullable<kafka.Input<typeof kafka.fetchResponse.fields>['responses']>
interface TopicRows {
  readonly topic: string
  readonly topicId: string
  readonly partitions: Row[]
}

const topicIdVersionMin = 13
const noSession = 0
/** What a request's epoch says that names all it wants: a session may be made, or not. */
const initialEpoch = 0
const finalEpoch = -1
const noRecords: Chunks = []
/** An answer with so many rows is encoded in slices. */
const slicedRowsMin = 1000

export const fetch = handler({
  key: 1,
  versions: '4-18',
  request: kafka.fetchRequest,
  response: kafka.fetchResponse,
  handle: async (context, request, version) => {
    const { fetchSessions, clock } = context.broker
    const { sessionId, sessionEpoch } = request
    const usesIds = version >= topicIdVersionMin
    const slices = new Slices(clock)
    if (sessionEpoch === initialEpoch || sessionEpoch === finalEpoch) {
      if (sessionId !== noSession) fetchSessions.end(sessionId, context.signal)
      const fetching = new Fetching(context, request, { version, slices })
      const parts = await partsOf(request, usesIds, slices)
      const responses = await fetching.readAll(parts)
      const wantsSession = sessionEpoch === initialEpoch && version >= sessionVersionMin
      const session = wantsSession
        ? fetchSessions.create(parts, { usesIds, owner: context.signal })
        : undefined
      return { sessionId: session?.id ?? noSession, responses }
    }
    const session = fetchSessions.resume(request, { usesIds, owner: context.signal })
    if (typeof session === 'number') return { errorCode: session }
    session.nextEpoch()
    if (!(await update(context, session, request, { usesIds, slices }))) {
      // It starts anew, and goes on without a session where there is no room for one.
      fetchSessions.remove(session)
      return { errorCode: errorCode.FETCH_SESSION_ID_NOT_FOUND }
    }
    if (session.size === 0) {
      fetchSessions.remove(session)
      return {}
    }
    const fetching = new Fetching(context, request, { version, slices })
    return { sessionId: session.id, responses: await fetching.readDue(session) }
  },
})

const sessionVersionMin = 7

/** What a request names; of a partition that it names twice, the last. */
async function partsOf(
  request: kafka.FetchRequest,
  usesIds: boolean,
  slices: Slices,
): Promise<FetchPart[]> {
  const parts = new Map<string, FetchPart>()
  for (const { topic, topicId, partitions } of request.topics) {
    for (const wanted of partitions) {
      if (slices.isDue) await slices.pause()
      const part = new FetchPart(usesIds ? topicId : topic, wanted)
      parts.set(keyOf(part.topic, part.partition), part)
    }
  }
  return [...parts.values()]
}

/** Takes in what a request says is new; false where there is no room for it. */
async function update(
  { broker }: KafkaContext,
  session: FetchSession,
  request: kafka.FetchRequest,
  { usesIds, slices }: { readonly usesIds: boolean; readonly slices: Slices },
): Promise<boolean> {
  const { fetchSessions } = broker
  for (const { topic, topicId, partitions } of request.topics) {
    const name = usesIds ? topicId : topic
    for (const wanted of partitions) {
      if (slices.isDue) await slices.pause()
      const known = session.find(name, wanted.partition)
      if (known !== undefined) {
        session.update(known, wanted)
        continue
      }
      const part = new FetchPart(name, wanted)
      if (session.isClosed || !fetchSessions.tryGrow(session, part)) return false
      session.add(part)
    }
  }
  for (const { topic, topicId, partitions } of request.forgottenTopicsData) {
    for (const partition of partitions) {
      if (slices.isDue) await slices.pause()
      const part = session.forget(usesIds ? topicId : topic, partition)
      if (part !== undefined) fetchSessions.shrink(session, part)
    }
  }
  return true
}

/** One request's read, and its answer. */
class Fetching {
  readonly #context: KafkaContext
  readonly #request: kafka.FetchRequest
  readonly #version: number
  readonly #usesIds: boolean
  readonly #slices: Slices
  /** What is read, in the order of its results. */
  readonly #read: FetchPart[] = []
  readonly #topics = new Map<string, TopicRows>()

  constructor(
    context: KafkaContext,
    request: kafka.FetchRequest,
    { version, slices }: { readonly version: number; readonly slices: Slices },
  ) {
    this.#context = context
    this.#request = request
    this.#version = version
    this.#usesIds = version >= topicIdVersionMin
    this.#slices = slices
  }

  /** Reads all parts, and has a row for each. */
  async readAll(parts: readonly FetchPart[]): Promise<Responses> {
    const refused = new Map<FetchPart, number>()
    const wanted: StoredReadPart[] = []
    for (const part of parts) {
      if (this.#slices.isDue) await this.#slices.pause()
      const topic = this.#find(part)
      const code = this.#refusal(part, topic)
      if (topic === undefined || code !== errorCode.NONE) {
        refused.set(part, code)
        continue
      }
      this.#read.push(part)
      wanted.push(partOf(topic.id, part))
    }
    const result = await this.#readStored(wanted, {
      waits: wanted.length > 0 && !isFenced(refused.values()),
    })
    this.#context.afterSent(() => result.release())
    let next = 0
    for (const part of parts) {
      if (this.#slices.isDue) await this.#slices.pause()
      const code = refused.get(part)
      const row = rowOf(part, code ?? (result.parts[next++] as StoredReadPartResult))
      part.said(saidOf(row))
      this.#add(part, row)
    }
    return this.#responses()
  }

  /** Reads what is due of a session, and has rows for what has changed. */
  async readDue(session: FetchSession): Promise<Responses> {
    let join: ((part: StoredReadPart) => void) | undefined
    const late: FetchPart[] = []
    const due = session.take((part) => {
      // Before the read takes late parts it takes these.
      const { watched } = part
      if (watched === undefined) return
      late.push(part)
      join?.(partOf(watched.topic, part))
    })
    const refused = new Map<FetchPart, number>()
    const wanted: StoredReadPart[] = []
    for (const part of due) {
      if (this.#slices.isDue) await this.#slices.pause()
      const topic = this.#find(part)
      const code = this.#refusal(part, topic)
      if (topic === undefined || code !== errorCode.NONE) {
        // What was watched may be gone; it is due each time until it is there.
        part.watched?.stop()
        part.watched = undefined
        refused.set(part, code)
        continue
      }
      this.#watch(session, part, topic)
      this.#read.push(part)
      wanted.push(partOf(topic.id, part))
    }
    const result = await this.#readStored(wanted, {
      waits: refused.size < session.size && !isFenced(refused.values()),
      late: (take) => {
        join = take
        for (const part of late) if (part.watched) take(partOf(part.watched.topic, part))
      },
    })
    this.#context.afterSent(() => result.release())
    session.readEnded()
    this.#read.push(...late)
    for (const [part, code] of refused) this.#settle(session, part, rowOf(part, code))
    for (const [index, part] of this.#read.entries()) {
      if (this.#slices.isDue) await this.#slices.pause()
      this.#settle(session, part, rowOf(part, result.parts[index] as StoredReadPartResult))
    }
    session.settled()
    return this.#responses()
  }

  /** Waits neither for nothing nor with a failed read in its hands, as Kafka. */
  #readStored(
    parts: readonly StoredReadPart[],
    { waits, late }: { waits: boolean; late?: StoredReadLate },
  ): Promise<StoredReadResult> {
    const { broker, signal, request } = this.#context
    const { fetchWaitMsMax, fetchBytesMax } = broker.limits
    const { maxWaitMs, minBytes, maxBytes } = this.#request
    return broker.store.readStored(
      {
        parts,
        waitMs: waits ? clamp(maxWaitMs, fetchWaitMsMax) : 0,
        bytesMin: clamp(minBytes, fetchBytesMax),
        bytesMax: clamp(maxBytes, fetchBytesMax),
        ...(late === undefined ? {} : { late }),
      },
      { ...request, signal },
    )
  }

  #find({ topic }: FetchPart): TopicInfo | undefined {
    const named = this.#usesIds ? { name: '', id: topic } : { name: topic, id: undefined }
    return findTopic(this.#context, named)
  }

  #refusal({ partition, wanted }: FetchPart, topic: TopicInfo | undefined): number {
    if (topic === undefined) {
      return this.#usesIds ? errorCode.UNKNOWN_TOPIC_ID : errorCode.UNKNOWN_TOPIC_OR_PARTITION
    }
    if (partition < 0 || partition >= topic.partitions) return errorCode.UNKNOWN_TOPIC_OR_PARTITION
    const { leaderEpoch } = this.#context.broker.identity
    return leaderEpochCode(wanted.currentLeaderEpoch, leaderEpoch)
  }

  #watch(session: FetchSession, part: FetchPart, { id: topic }: TopicInfo): void {
    if (part.watched?.topic === topic || session.isClosed) return
    part.watched?.stop()
    const changed = () => session.wake(part)
    part.watched = { topic, stop: this.#context.broker.store.watch(topic, part.partition, changed) }
  }

  #settle(session: FetchSession, part: FetchPart, row: Row): void {
    if (session.settle(part, saidOf(row))) this.#add(part, row)
  }

  #add({ topic }: FetchPart, row: Row): void {
    let rows = this.#topics.get(topic)
    if (rows === undefined) {
      const named = this.#usesIds ? { topic: '', topicId: topic } : { topic, topicId: noTopicId }
      rows = { ...named, partitions: [] }
      this.#topics.set(topic, rows)
    }
    rows.partitions.push(row)
  }

  #responses(): Responses | Promise<Responses> {
    const topics = [...this.#topics.values()]
    const count = topics.reduce((sum, { partitions }) => sum + partitions.length, 0)
    return count < slicedRowsMin ? topics : this.#encode(topics)
  }

  /** In slices. */
  async #encode(topics: readonly TopicRows[]): Promise<Responses> {
    const encoder = new kafka.ElementsEncoder(kafka.fetchResponse, 'responses', this.#version)
    for (const topic of topics) {
      if (this.#slices.isDueAfter(topic.partitions.length)) await this.#slices.pause()
      encoder.add(topic)
    }
    return encoder.finish()
  }
}

function saidOf(row: Row): Said {
  return {
    isError: row.errorCode !== errorCode.NONE || row.divergingEpoch !== undefined,
    hasRecords: row.records !== null && row.records.length > 0,
    startOffset: row.logStartOffset,
    endOffset: row.highWatermark,
  }
}

type StoredReadLate = (join: (part: StoredReadPart) => void) => void

function clamp(value: number, max: number): number {
  return Math.max(0, Math.min(value, max))
}

/** A topic that is not there does not end a wait for the others; a reader that is behind does. */
function isFenced(codes: Iterable<number>): boolean {
  for (const code of codes) {
    if (code === errorCode.FENCED_LEADER_EPOCH || code === errorCode.UNKNOWN_LEADER_EPOCH)
      return true
  }
  return false
}

function partOf(topic: TopicId, { partition, wanted }: FetchPart): StoredReadPart {
  const { fetchOffset, partitionMaxBytes, lastFetchedEpoch } = wanted
  return {
    topic,
    partition,
    offset: fetchOffset,
    bytesMax: Math.max(0, partitionMaxBytes),
    ...(lastFetchedEpoch < 0 ? {} : { lastEpoch: lastFetchedEpoch }),
  }
}

/** What is said of a part that was read, or refused with a code. */
function rowOf({ partition }: FetchPart, result: StoredReadPartResult | number): Row {
  const row: Row = {
    partitionIndex: partition,
    errorCode: errorCode.NONE,
    highWatermark: -1,
    lastStableOffset: -1,
    logStartOffset: -1,
    abortedTransactions: null,
    preferredReadReplica: -1,
    records: noRecords,
  }
  if (typeof result === 'number') row.errorCode = result
  else fill(row, result)
  return row
}

function fill(
  row: Row,
  { error, diverging, batches, startOffset, endOffset }: StoredReadPartResult,
): void {
  if (error !== undefined) {
    row.errorCode = codeOf(error)
    return
  }
  row.highWatermark = endOffset
  row.lastStableOffset = endOffset
  row.logStartOffset = startOffset
  if (diverging !== undefined) row.divergingEpoch = { ...diverging }
  if (batches.length === 0) return
  row.records = viewsOf(batches)
}

/** All bytes of the batches; those that lie together, as what was read from the disk does, are one view. */
function viewsOf(batches: readonly StoredBatch[]): Chunks {
  const views: Uint8Array[] = []
  let first: Uint8Array | undefined
  let end = 0
  const endRun = (): void => {
    if (first === undefined) return
    const length = end - first.byteOffset
    views.push(
      length === first.length ? first : new Uint8Array(first.buffer, first.byteOffset, length),
    )
  }
  const add = (view: Uint8Array): void => {
    if (first?.buffer !== view.buffer || end !== view.byteOffset) {
      endRun()
      first = view
    }
    end = view.byteOffset + view.length
  }
  for (const { headerBytes, records } of batches) {
    add(headerBytes)
    for (const view of records) add(view)
  }
  endRun()
  return views
}
