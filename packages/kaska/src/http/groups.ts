/**
 * /api/v1/groups: list, describe, delete; .../GROUP/offsets/TOPIC/PARTITION: what was committed under a
 * name. Names that native clients commit under and groups of Kafka's consumers are the same thing.
 */
import {
  InvalidTopicError,
  type OffsetBounds,
  type RequestContext,
  type TopicInfo,
  type TopicName,
  topicNameOf,
  UnknownTopicError,
} from '@kaska/protocol'
import { Slices } from '../transport/slices.ts'
import { jsonBody, membersOf } from './body.ts'
import type { CommittedRow, Group } from './broker-parts.ts'
import { ageOf, BoundsQueue, lagOf } from './group-lag.ts'
import { contextOf, type HttpApp, type HttpParts } from './http-parts.ts'
import {
  groupParameter,
  integerParameter,
  integerQuery,
  offsetMember,
  topicParameter,
} from './parameters.ts'
import { ProblemError } from './problem.ts'

/** Groups, and offsets of one group, in an answer. */
const pageGroupsMax = 1000
const pageOffsetsMax = 10_000
/** Batches that are read together, for the times of their first messages. */
const readsAtOnce = 8

const offsetPath = '/api/v1/groups/:group/offsets/:topic/:partition'

export function groupPaths(app: HttpApp, parts: HttpParts): void {
  const { engine, budget, clock, figures } = parts
  const { groups } = parts.broker
  const cursorBounds = { min: 0, max: Number.MAX_SAFE_INTEGER }

  app.get('/api/v1/groups', async (context) => {
    const asking = contextOf(context)
    const cursor = integerQuery(context.req, 'cursor', cursorBounds, 0)
    const slices = new Slices(clock)
    const bounds = new BoundsQueue(figures, asking)
    const rows: GroupRow[] = []
    let next: number | undefined
    for await (const group of groups.list(cursor, asking)) {
      asking.signal?.throwIfAborted()
      if (rows.length === pageGroupsMax) {
        next = cursor + rows.length
        break
      }
      const { name, state, protocolType, members, offsets } = group
      const topics = new Set<string>()
      for (const { assignment } of members) for (const { topic } of assignment) topics.add(topic)
      const count = members.length
      const row: GroupRow = { name, state, protocolType, members: count, topics: [], lag: 0 }
      for (const { topic, partition, value } of offsets) {
        if (slices.isDue) await slices.pause()
        topics.add(topic.name)
        await bounds.add({ topic: topic.id, partition }, (known) => {
          if (known !== undefined) row.lag += lagOf(value.offset, known)
        })
      }
      row.topics = [...topics]
      rows.push(row)
    }
    await bounds.flush()
    return context.json(next === undefined ? { groups: rows } : { groups: rows, next })
  })

  app.get('/api/v1/groups/:group', async (context) => {
    const asking = contextOf(context)
    const name = groupParameter(context.req)
    const cursor = integerQuery(context.req, 'cursor', cursorBounds, 0)
    const group = await groups.describe(name, asking)
    if (group === undefined) throw unknownGroup(name)
    const slices = new Slices(clock)
    const members: object[] = []
    const assigned: Assigned[] = []
    for (const member of group.members) {
      if (slices.isDue) await slices.pause()
      const { memberId, clientId, clientHost, groupInstanceId: instanceId, assignment } = member
      members.push({ memberId, clientId, clientHost, instanceId, assignment })
      for (const { topic, partitions } of assignment) assigned.push({ memberId, topic, partitions })
    }
    const readers = await readersOf(assigned, asking)
    const { rows, next } = await pageOf(rowsOf(group, readers), cursor, slices)
    const places = rows.map(({ topic, partition }) => ({ topic: topic.id, partition }))
    const bounds = await figures.bounds(places, asking)
    const offsets: object[] = []
    for (let start = 0; start < rows.length; start += readsAtOnce) {
      if (slices.isDue) await slices.pause()
      const some = rows.slice(start, start + readsAtOnce)
      const shown = some.map((row, index) => offsetRow(row, bounds[start + index], asking))
      offsets.push(...(await Promise.all(shown)))
    }
    const { state, protocolType, protocolName: protocol } = group
    const described = { name, state, protocolType, protocol, members, offsets }
    return context.json(next === undefined ? described : { ...described, next })
  })

  app.delete('/api/v1/groups/:group', async (context) => {
    const name = groupParameter(context.req)
    if (!(await groups.delete(name, contextOf(context)))) throw unknownGroup(name)
    return context.body(null, 204)
  })

  app.get(offsetPath, async (context) => {
    const { group, topic, partition, asking } = await placeOf(context)
    const offset = await engine.committed(group, topic, partition, asking)
    return context.json({ offset: offset ?? null })
  })

  app.put(offsetPath, async (context) => {
    const { group, topic, partition, asking } = await placeOf(context)
    const body = await jsonBody(context.req.raw, budget)
    const offset = offsetMember(membersOf(body, ['offset'], 'a commit')['offset'], 'offset')
    await engine.commit(group, [{ topic, partition, offset }], asking)
    return context.json({ offset })
  })

  async function placeOf(context: Parameters<typeof contextOf>[0] & { readonly req: Query }) {
    const asking = contextOf(context)
    const group = groupParameter(context.req)
    const name = topicParameter(context.req)
    const [topic] = await engine.resolve([name], asking)
    if (topic === undefined) throw new UnknownTopicError(`there is no topic '${name.text}'`)
    const partition = integerParameter(context.req, 'partition')
    return { group, topic: topic.id, partition, asking }
  }

  /** Who was assigned each partition; names that no topic has are left out. */
  async function readersOf(
    assigned: readonly Assigned[],
    asking: RequestContext,
  ): Promise<Map<string, Reader>> {
    const names = new Map(assigned.map(({ topic }) => [topic, nameOf(topic)]))
    const asked = [...names.values()].filter((name) => name !== undefined)
    const found = await engine.resolve(asked, asking)
    const topics = new Map(asked.map(({ text }, index) => [text, found[index]]))
    const readers = new Map<string, Reader>()
    for (const { memberId, topic: name, partitions } of assigned) {
      const topic = topics.get(name)
      if (topic === undefined) continue
      for (const partition of partitions) {
        readers.set(placeKey(topic.id, partition), { topic, partition, memberId })
      }
    }
    return readers
  }

  async function offsetRow(row: Row, known: OffsetBounds | undefined, asking: RequestContext) {
    const { topic, partition, value, memberId } = row
    const offset = value?.offset ?? null
    const lag = offset === null || known === undefined ? null : lagOf(offset, known)
    const from = Math.max(offset ?? 0, known?.startOffset ?? 0)
    const place = { topic: topic.id, partition, offset: from }
    const lagMs = lag === null || lag === 0 ? lag : await ageOf(place, { engine, clock }, asking)
    return {
      topic: topic.name,
      partition,
      offset,
      startOffset: known?.startOffset ?? null,
      endOffset: known?.endOffset ?? null,
      lag,
      lagMs,
      committedAt: value?.committedAt ?? null,
      metadata: value?.metadata ?? '',
      isNative: value?.isNative ?? false,
      memberId,
    }
  }
}

type Query = Parameters<typeof topicParameter>[0]

interface GroupRow {
  readonly name: string
  readonly state: string
  readonly protocolType: string
  readonly members: number
  topics: readonly string[]
  lag: number
}

/** What a member was assigned of a topic. */
interface Assigned {
  readonly memberId: string
  readonly topic: string
  readonly partitions: readonly number[]
}

/** Who was assigned a partition. */
interface Reader {
  readonly topic: TopicInfo
  readonly partition: number
  readonly memberId: string
}

/** A partition that a group has committed in, or that a member of it reads. */
interface Row {
  readonly topic: TopicInfo
  readonly partition: number
  readonly value: CommittedRow['value'] | undefined
  readonly memberId: string | null
}

/** Those that were committed in, then those that are only read. */
function* rowsOf(
  { offsets }: Pick<Group, 'offsets'>,
  readers: ReadonlyMap<string, Reader>,
): IterableIterator<Row> {
  const others = new Map(readers)
  for (const { topic, partition, value } of offsets) {
    const key = placeKey(topic.id, partition)
    others.delete(key)
    yield { topic, partition, value, memberId: readers.get(key)?.memberId ?? null }
  }
  for (const reader of others.values()) yield { ...reader, value: undefined }
}

/** Members say what they like: undefined is the name of no topic. */
function nameOf(text: string): TopicName | undefined {
  try {
    return topicNameOf(text)
  } catch (error) {
    if (error instanceof InvalidTopicError) return undefined
    throw error
  }
}

async function pageOf(
  rows: Iterable<Row>,
  cursor: number,
  slices: Slices,
): Promise<{ rows: Row[]; next: number | undefined }> {
  const page: Row[] = []
  let position = 0
  for (const row of rows) {
    if (slices.isDue) await slices.pause()
    if (position++ < cursor) continue
    if (page.length === pageOffsetsMax) return { rows: page, next: position - 1 }
    page.push(row)
  }
  return { rows: page, next: undefined }
}

function placeKey(topic: string, partition: number): string {
  return `${topic} ${partition}`
}

function unknownGroup(name: string): ProblemError {
  return new ProblemError({
    status: 404,
    title: 'Unknown group',
    detail: `there is no group '${name}', and nothing is committed under that name`,
    code: 'UNKNOWN_GROUP',
  })
}
