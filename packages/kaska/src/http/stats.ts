/** GET /api/v1/stats: the broker at a glance. Whoever wants rates takes the difference of two answers. */
import { unknownTraffic } from './figure-source.ts'
import { contextOf, type HttpApp, type HttpParts } from './http-parts.ts'
import { ifReached } from './if-reached.ts'

/** How long an answer waits for the sizes of logs that are not open. */
const sizesWaitMs = 300

export function statsPaths(app: HttpApp, { engine, figures, identity, clock }: HttpParts): void {
  app.get('/api/v1/stats', async (context) => {
    const { counted, budget } = figures
    const disk = await figures.disk(sizesWaitMs)
    const { rssBytes, heapBytes, eventLoop } = figures.process()
    const now = clock.monotonic()
    return context.json({
      time: clock.now(),
      uptimeMs: Math.round(figures.uptimeMs),
      ...identity,
      engine: engine.capabilities.kind,
      dataDirectory: figures.dataDirectory,
      sync: figures.sync,
      topics: await ifReached(() => engine.topicCount(contextOf(context)), null),
      partitionsOpen: figures.openPartitions,
      connections: counted.connections.count,
      totals: { ...(figures.traffic ?? unknownTraffic), ...counted.requests.totals() },
      latency: Array.from(counted.requests, ({ protocol, operation, latency }) => {
        return { protocol, operation, ...latency.recent(now) }
      }).filter(({ count }) => count > 0),
      memory: {
        rssBytes,
        heapBytes,
        budgetUsedBytes: budget.used,
        budgetTotalBytes: budget.total,
      },
      disk,
      eventLoop,
    })
  })
}
