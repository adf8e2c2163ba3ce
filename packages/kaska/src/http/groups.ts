/**
 * /api/v1/groups: list, describe, delete; .../GROUP/offsets/TOPIC/PARTITION: what was committed under a
 * name. Names that native clients commit under and groups of Kafka's consumers are the same thing.
 */
import {
  GroupActiveError,
  kafka,
  OverloadedError,
  type RequestContext,
  type TopicInfo,
  UnknownTopicError,
} from '@kaska/protocol'
import { jsonBody, membersOf } from './body.ts'
import { type BrokerParts, brokerOf, type CommittedRow } from './broker-parts.ts'
import { ageOf, assignmentOf, Bounds, lagOf } from './group-lag.ts'
import { contextOf, type HttpApp, type HttpParts } from './http-parts.ts'
import {
  groupParameter,
  integerParameter,
  integerQuery,
  offsetMember,
  topicParameter,
} from './parameters.ts'
import { ProblemError } from './problem.ts'
import { Slices } from './slices.ts'

/** Groups, and offsets of one group, in an answer. */
const pageGroupsMax = 1000
const pageOffsetsMax = 10_000
/** Batches that are read together, for the times of their first messages. */
const readsAtOnce = 8

const offsetPath = '/api/v1/groups/:group/offsets/:topic/:partition'

export function groupPaths(app: HttpApp, parts: HttpParts): void {
  const { engine, budget, clock, figures } = parts
  const cursorBounds = { min: 0, max: Number.MAX_SAFE_INTEGER }

  app.get('/api/v1/groups', async (context) => {
    const broker = brokerOf(parts)
    const { signal } = context.req.raw
    const cursor = integerQuery(context.req, 'cursor', cursorBounds, 0)
    const slices = new Slices(clock)
    const groups: object[] = []
    let position = 0
    for (const { name, state, protocolType } of broker.groups.list()) {
      await slices.round()
      signal.throwIfAborted()
      if (position++ < cursor) continue
      if (groups.length === pageGroupsMax) {
        return context.json({ groups, next: position - 1 })
      }
      const members = broker.groups.describe(name)?.members ?? []
      const topics = new Set<string>()
      for (const member of members) {
        for (const { topic } of assignmentOf(member, protocolType)) topics.add(topic)
      }
      let lag = 0
      for (const { topic: id, partition, value } of broker.offsets.allDurable(name)) {
        await slices.round()
        const topic = broker.topics.topicById(id)
        if (topic === undefined) continue
        topics.add(topic.name)
        const known = await figures.bounds(id, partition)
        if (known !== undefined) lag += lagOf(value.offset, known)
      }
      groups.push({ name, state, protocolType, members: members.length, topics: [...topics], lag })
    }
    return context.json({ groups })
  })

  app.get('/api/v1/groups/:group', async (context) => {
    const broker = brokerOf(parts)
    const asking = contextOf(context)
    const name = groupParameter(context.req)
    const cursor = integerQuery(context.req, 'cursor', cursorBounds, 0)
    await broker.offsets.settled(name)
    const group = broker.groups.describe(name)
    if (group === undefined) throw unknownGroup(name)
    const slices = new Slices(clock)
    const members: object[] = []
    const readers = new Map<string, Reader>()
    for (const member of group.members) {
      await slices.round()
      const { memberId, clientId, clientHost, groupInstanceId: instanceId } = member
      const assignment = assignmentOf(member, group.protocolType)
      members.push({ memberId, clientId, clientHost, instanceId, assignment })
      for (const { topic, partitions } of assignment) {
        const info = broker.topics.topicNamed(topic)
        if (info === undefined) continue
        for (const partition of partitions) {
          readers.set(placeKey(info.id, partition), { topic: info, partition, memberId })
        }
      }
    }
    const { rows, next } = pageOf(rowsOf(name, broker, readers), cursor)
    const bounds = new Bounds(engine, asking)
    const offsets: object[] = []
    for (let start = 0; start < rows.length; start += readsAtOnce) {
      await slices.round()
      const some = rows.slice(start, start + readsAtOnce)
      offsets.push(...(await Promise.all(some.map((row) => offsetRow(row, bounds, asking)))))
    }
    const { state, protocolType, protocolName: protocol } = group
    const described = { name, state, protocolType, protocol, members, offsets }
    return context.json(next === undefined ? described : { ...described, next })
  })

  app.delete('/api/v1/groups/:group', async (context) => {
    const { groups } = brokerOf(parts)
    const name = groupParameter(context.req)
    const code = await groups.delete(name)
    const { NONE, GROUP_ID_NOT_FOUND, NON_EMPTY_GROUP } = kafka.errorCode
    if (code === NONE) return context.body(null, 204)
    if (code === GROUP_ID_NOT_FOUND) throw unknownGroup(name)
    if (code === NON_EMPTY_GROUP) throw new GroupActiveError(`'${name}' has members: stop them`)
    throw new OverloadedError(`'${name}' cannot be deleted now; the broker's log says why`)
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

  async function offsetRow(row: Row, bounds: Bounds, asking: RequestContext) {
    const { topic, partition, value, memberId } = row
    const known = await bounds.of(topic.id, partition)
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
  group: string,
  { offsets, topics }: BrokerParts,
  readers: ReadonlyMap<string, Reader>,
): IterableIterator<Row> {
  const seen = new Set<string>()
  for (const { topic: id, partition, value } of offsets.allDurable(group)) {
    const topic = topics.topicById(id)
    if (topic === undefined) continue
    const key = placeKey(id, partition)
    seen.add(key)
    yield { topic, partition, value, memberId: readers.get(key)?.memberId ?? null }
  }
  for (const [key, reader] of readers) if (!seen.has(key)) yield { ...reader, value: undefined }
}

function pageOf(rows: Iterable<Row>, cursor: number): { rows: Row[]; next: number | undefined } {
  const page: Row[] = []
  let position = 0
  for (const row of rows) {
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
