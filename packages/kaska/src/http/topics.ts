/** /api/v1/topics: list, create, describe, delete. */
import {
  type Engine,
  InvalidArgumentError,
  type RequestContext,
  topicNameOf,
} from '@kaska/protocol'
import { jsonOf, withBody } from './body.ts'
import { contextOf, type HttpApp, type HttpParts } from './http-parts.ts'
import { integerQuery, topicParameter } from './parameters.ts'

/** Partitions whose bounds are asked for at a time. */
const boundsAtOnce = 64

export function topicPaths(app: HttpApp, { engine, budget }: HttpParts): void {
  app.get('/api/v1/topics', async (context) => {
    const bounds = { min: 0, max: Number.MAX_SAFE_INTEGER }
    const cursor = integerQuery(context.req, 'cursor', bounds, 0)
    const { topics, next } = await engine.listTopics(cursor, contextOf(context))
    return context.json(next === undefined ? { topics } : { topics, next })
  })

  app.post('/api/v1/topics', async (context) => {
    const body = await withBody(context.req.raw, budget, async (bytes) => jsonOf(bytes))
    const topic = await engine.createTopic(createRequest(body), contextOf(context))
    return context.json(topic, 201, {
      location: `/api/v1/topics/${encodeURIComponent(topic.name)}`,
    })
  })

  app.get('/api/v1/topics/:topic', async (context) => {
    const asking = contextOf(context)
    const topic = await engine.describeTopic(topicParameter(context.req), asking)
    const bounds = await boundsOf(engine, topic.id, topic.partitions, asking)
    return context.json({ ...topic, bounds })
  })

  app.delete('/api/v1/topics/:topic', async (context) => {
    await engine.deleteTopic(topicParameter(context.req), contextOf(context))
    return context.body(null, 204)
  })
}

function createRequest(body: unknown) {
  const { name, partitions = 1, config = {}, ...rest } = (body ?? {}) as Record<string, unknown>
  const [unknown] = Object.keys(rest)
  if (unknown !== undefined) {
    throw new InvalidArgumentError(`a topic has no '${unknown}'; it has name, partitions, config`)
  }
  if (typeof name !== 'string') throw new InvalidArgumentError('a topic needs a name, a string')
  if (typeof partitions !== 'number') {
    throw new InvalidArgumentError('the number of partitions is a number')
  }
  const isObject = typeof config === 'object' && config !== null && !Array.isArray(config)
  if (!isObject) throw new InvalidArgumentError('config is an object of names and values')
  const settings = new Map(Object.entries(config).map(([key, value]) => [key, String(value)]))
  return { name: topicNameOf(name), partitions, config: settings }
}

/** Where each partition begins and ends, in the order of their numbers. */
async function boundsOf(
  engine: Engine,
  topic: string,
  partitions: number,
  asking: RequestContext,
): Promise<{ startOffset: number; endOffset: number }[]> {
  const all: { startOffset: number; endOffset: number }[] = []
  for (let first = 0; first < partitions; first += boundsAtOnce) {
    const count = Math.min(boundsAtOnce, partitions - first)
    const some = Array.from({ length: count }, (_, index) =>
      engine.offsets(topic, first + index, asking),
    )
    all.push(...(await Promise.all(some)))
  }
  return all
}
