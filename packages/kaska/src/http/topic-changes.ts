/** PATCH /api/v1/topics/TOPIC: settings and partitions; .../truncate: deletes messages. */
import { type Engine, InvalidArgumentError, UnknownTopicError } from '@kaska/protocol'
import { partitionsMax } from '../config/broker-config.ts'
import { jsonBody, membersOf } from './body.ts'
import { contextOf, type HttpApp, type HttpParts } from './http-parts.ts'
import { offsetMember, partitionMember, topicParameter } from './parameters.ts'
import { describe, settingText } from './topics.ts'

/** Deletions take a few syncs each: so many at a time share them. */
const atOnce = 64

export function topicChangePaths(app: HttpApp, parts: HttpParts): void {
  const { engine, budget } = parts
  const { topics } = parts.broker

  app.patch('/api/v1/topics/:topic', async (context) => {
    const asking = contextOf(context)
    const name = topicParameter(context.req)
    const body = await jsonBody(context.req.raw, budget)
    const { config, partitions } = changeOf(body)
    const before = await topicOf(engine, name, asking)
    if (partitions !== undefined && partitions < before.partitions) {
      throw new InvalidArgumentError(
        `the topic has ${before.partitions} partitions, and can be given more, not fewer`,
      )
    }
    if (config.size > 0) {
      await topics.alterTopic(name.text, config, asking)
    }
    if (partitions !== undefined && partitions > before.partitions) {
      await topics.growTopic(name.text, partitions, asking)
    }
    return context.json(await describe(parts, name, asking))
  })

  app.post('/api/v1/topics/:topic/truncate', async (context) => {
    const asking = contextOf(context)
    const name = topicParameter(context.req)
    const body = await jsonBody(context.req.raw, budget)
    const { partition, before = 'end' } = membersOf(body, ['partition', 'before'], 'a truncation')
    const topic = await topicOf(engine, name, asking)
    const offset = before === 'end' ? undefined : offsetMember(before, 'before')
    const only = partition === undefined ? undefined : partitionMember(partition, topic)
    if (offset !== undefined && only === undefined && topic.partitions > 1) {
      throw new InvalidArgumentError('an offset is one of a partition: say which')
    }
    const numbers = only === undefined ? Array.from({ length: topic.partitions }).keys() : [only]
    await inGroups(numbers, (number) => topics.deleteRecords(topic.id, number, offset, asking))
    return context.json({ bounds: await topics.boundsOf(topic, asking) })
  })
}

async function topicOf(engine: Engine, ...[name, asking]: TopicAsked) {
  const [topic] = await engine.resolve([name], asking)
  if (topic === undefined) throw new UnknownTopicError(`there is no topic '${name.text}'`)
  return topic
}

type TopicAsked = Parameters<Engine['describeTopic']>

/** Settings to change, null being back to the default. Throws InvalidArgumentError. */
function changeOf(body: unknown) {
  const { config = {}, partitions } = membersOf(body, ['config', 'partitions'], 'a change')
  const settings = new Map<string, string | null>()
  for (const [name, value] of Object.entries(membersOf(config, undefined, 'config'))) {
    settings.set(name, value === null ? null : settingText(name, value))
  }
  if (partitions === undefined) return { config: settings, partitions }
  const isNumber = typeof partitions === 'number' && Number.isInteger(partitions)
  if (!isNumber || partitions < 1 || partitions > partitionsMax) {
    throw new InvalidArgumentError(
      `partitions is a whole number from 1 to ${partitionsMax}: how many there are to be`,
    )
  }
  return { config: settings, partitions }
}

async function inGroups<T>(values: Iterable<T>, use: (value: T) => Promise<unknown>) {
  let group: Promise<unknown>[] = []
  for (const value of values) {
    group.push(use(value))
    if (group.length < atOnce) continue
    await allOf(group)
    group = []
  }
  await allOf(group)
}

/** Rejects as the first of them that does, when all are over. */
async function allOf(group: readonly Promise<unknown>[]): Promise<void> {
  await Promise.allSettled(group)
  await Promise.all(group)
}
