/** POST /api/v1/groups/GROUP/reset: where a group that nobody is in goes on. */
import {
  type Engine,
  InvalidArgumentError,
  type RequestContext,
  type TopicInfo,
  topicNameOf,
  UnknownTopicError,
} from '@kaska/protocol'
import { jsonBody, membersOf } from './body.ts'
import { contextOf, type HttpApp, type HttpParts } from './http-parts.ts'
import { groupParameter, offsetMember, partitionMember } from './parameters.ts'

/** Partitions that are looked at together. */
const atOnce = 64

type Target =
  | { readonly kind: 'earliest' | 'latest' }
  | { readonly kind: 'offset' | 'timestamp'; readonly value: number }

interface Move {
  readonly partition: number
  readonly before: number | null
  readonly after: number
}

export function groupResetPaths(app: HttpApp, parts: HttpParts): void {
  const { engine, budget } = parts
  const { groups } = parts.broker

  app.post('/api/v1/groups/:group/reset', async (context) => {
    const asking = contextOf(context)
    const group = groupParameter(context.req)
    const body = await jsonBody(context.req.raw, budget)
    const names = ['topic', 'partition', 'to', 'dryRun']
    const { topic: name, partition, to, dryRun = false } = membersOf(body, names, 'a reset')
    if (typeof name !== 'string') throw new InvalidArgumentError('a reset names its topic')
    if (typeof dryRun !== 'boolean') throw new InvalidArgumentError('dryRun is true or false')
    const target = targetOf(to)
    const [topic] = await engine.resolve([topicNameOf(name)], asking)
    if (topic === undefined) throw new UnknownTopicError(`there is no topic '${name}'`)
    const numbers =
      partition === undefined
        ? Array.from({ length: topic.partitions }, (_, number) => number)
        : [partitionMember(partition, topic)]
    const committed = await groups.committed(group, topic, numbers, asking)
    const moves: Move[] = []
    for (let start = 0; start < numbers.length; start += atOnce) {
      const some = numbers
        .slice(start, start + atOnce)
        .map(async (number, index): Promise<Move> => {
          const after = await offsetFor(target, topic, number, { engine, asking })
          return { partition: number, before: committed[start + index] ?? null, after }
        })
      moves.push(...(await Promise.all(some)))
    }
    if (!dryRun) {
      const entries = moves.map(({ partition: number, after }) => {
        return { topic: topic.id, partition: number, offset: after }
      })
      await groups.move(group, entries, asking)
    }
    return context.json({ offsets: moves.map((move) => ({ topic: topic.name, ...move })) })
  })
}

function targetOf(to: unknown): Target {
  if (to === 'earliest' || to === 'latest') return { kind: to }
  const refusal = new InvalidArgumentError(
    'to is \'earliest\', \'latest\', {"offset": N} or {"timestamp": MS}',
  )
  if (typeof to !== 'object' || to === null) throw refusal
  const [entry, ...more] = Object.entries(to)
  if (entry === undefined || more.length > 0) throw refusal
  const [kind, value] = entry
  if (kind === 'offset') return { kind, value: offsetMember(value, 'offset') }
  if (kind !== 'timestamp' || !Number.isSafeInteger(value)) throw refusal
  return { kind, value: value as number }
}

/** An offset that the partition does not hold becomes the nearest that it does. */
async function offsetFor(
  target: Target,
  { id }: TopicInfo,
  partition: number,
  { engine, asking }: { readonly engine: Engine; readonly asking: RequestContext },
): Promise<number> {
  const { startOffset, endOffset } = await engine.offsets(id, partition, asking)
  switch (target.kind) {
    case 'earliest':
      return startOffset
    case 'latest':
      return endOffset
    case 'offset':
      return Math.min(Math.max(target.value, startOffset), endOffset)
    case 'timestamp':
      return (await engine.offsetAt(id, partition, target.value, asking)) ?? endOffset
  }
}
