/** /api/v1/groups/GROUP/offsets/TOPIC/PARTITION: what was committed under a name. */
import { InvalidArgumentError, UnknownTopicError } from '@kaska/protocol'
import { jsonOf, withBody } from './body.ts'
import { contextOf, type HttpApp, type HttpParts } from './http-parts.ts'
import { integerParameter, topicParameter } from './parameters.ts'

const path = '/api/v1/groups/:group/offsets/:topic/:partition'

export function groupPaths(app: HttpApp, { engine, budget }: HttpParts): void {
  app.get(path, async (context) => {
    const { topic, partition, asking } = await placeOf(context)
    const offset = await engine.committed(context.req.param('group'), topic, partition, asking)
    return context.json({ offset: offset ?? null })
  })

  app.put(path, async (context) => {
    const { topic, partition, asking } = await placeOf(context)
    const body = await withBody(context.req.raw, budget, async (bytes) => jsonOf(bytes))
    const offset = (body as { offset?: unknown } | null)?.offset
    if (typeof offset !== 'number') {
      throw new InvalidArgumentError('the body is {"offset": NUMBER}')
    }
    await engine.commit(context.req.param('group'), [{ topic, partition, offset }], asking)
    return context.json({ offset })
  })

  async function placeOf(context: Parameters<typeof contextOf>[0] & { readonly req: Query }) {
    const asking = contextOf(context)
    const name = topicParameter(context.req)
    const [topic] = await engine.resolve([name], asking)
    if (topic === undefined) throw new UnknownTopicError(`there is no topic '${name.text}'`)
    return { topic: topic.id, partition: integerParameter(context.req, 'partition'), asking }
  }
}

type Query = Parameters<typeof topicParameter>[0]
