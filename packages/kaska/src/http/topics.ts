/** /api/v1/topics: list, create, describe, delete. */
import {
  InvalidArgumentError,
  type RequestContext,
  type TopicName,
  topicNameOf,
} from '@kaska/protocol'
import { Slices } from '../transport/slices.ts'
import { jsonBody, membersOf } from './body.ts'
import { contextOf, type HttpApp, type HttpParts } from './http-parts.ts'
import { integerQuery, topicParameter } from './parameters.ts'
import { topicDetails } from './topic-details.ts'

export function topicPaths(app: HttpApp, parts: HttpParts): void {
  const { engine, budget, clock } = parts

  app.get('/api/v1/topics', async (context) => {
    const bounds = { min: 0, max: Number.MAX_SAFE_INTEGER }
    const cursor = integerQuery(context.req, 'cursor', bounds, 0)
    const asking = contextOf(context)
    const { topics: listed, next } = await engine.listTopics(cursor, asking)
    const isDetailed = integerQuery(context.req, 'details', { min: 0, max: 1 }, 0) === 1
    const topics = isDetailed
      ? await topicDetails(listed, parts, asking, new Slices(clock))
      : listed
    return context.json(next === undefined ? { topics } : { topics, next })
  })

  app.post('/api/v1/topics', async (context) => {
    const body = await jsonBody(context.req.raw, budget)
    const topic = await engine.createTopic(createRequest(body), contextOf(context))
    return context.json(topic, 201, {
      location: `/api/v1/topics/${encodeURIComponent(topic.name)}`,
    })
  })

  app.get('/api/v1/topics/:topic', async (context) => {
    return context.json(await describe(parts, topicParameter(context.req), contextOf(context)))
  })

  app.delete('/api/v1/topics/:topic', async (context) => {
    await engine.deleteTopic(topicParameter(context.req), contextOf(context))
    return context.body(null, 204)
  })
}

/** A topic with its settings, what can be said of each, and the bounds of its partitions. */
export async function describe(parts: HttpParts, name: TopicName, asking: RequestContext) {
  const { topics } = parts.broker
  const topic = await topics.describeTopic(name, asking)
  return { ...topic, bounds: await topics.boundsOf(topic, asking) }
}

/** A setting's value as it is kept: people write numbers and booleans too. Throws InvalidArgumentError. */
export function settingText(name: string, value: unknown): string {
  if (typeof value === 'string') return value.trim()
  if (typeof value === 'number' || typeof value === 'boolean') return String(value)
  throw new InvalidArgumentError(`${name} is a string, a number or a boolean`)
}

function createRequest(body: unknown) {
  const names = ['name', 'partitions', 'config']
  const { name, partitions = 1, config = {} } = membersOf(body, names, 'a topic')
  if (typeof name !== 'string') throw new InvalidArgumentError('a topic needs a name, a string')
  if (typeof partitions !== 'number') {
    throw new InvalidArgumentError('the number of partitions is a number')
  }
  const settings = Object.entries(membersOf(config, undefined, 'config'))
  return {
    name: topicNameOf(name),
    partitions,
    config: new Map(settings.map(([key, value]) => [key, settingText(key, value)])),
  }
}
