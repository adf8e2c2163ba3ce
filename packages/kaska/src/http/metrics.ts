/**
 * GET /metrics, for Prometheus. An answer is gathered in slices; those that ask while one is being made get
 * the same.
 */
import { UnknownTopicError } from '@kaska/protocol'
import { lagOf } from './group-lag.ts'
import type { HttpApp, HttpParts } from './http-parts.ts'
import {
  type Gathered,
  type GroupLag,
  lagSeriesMax,
  metricTable,
  nameLengthMax,
  topicSeriesMax,
} from './metric-table.ts'
import { headText, histogramText, sampleText } from './metrics-text.ts'
import { Slices } from './slices.ts'

/** How long an answer waits for the sizes of logs that are not open: shorter than any scraper's time-out. */
const sizesWaitMs = 1000

export function metricsPath(app: HttpApp, parts: HttpParts): void {
  let making: Promise<string> | undefined
  app.get('/metrics', async (context) => {
    making ??= makeText(parts).finally(() => {
      making = undefined
    })
    return context.body(await making, 200, {
      'content-type': 'text/plain; version=0.0.4; charset=utf-8',
    })
  })
}

async function makeText(parts: HttpParts): Promise<string> {
  const slices = new Slices(parts.clock)
  const gathered = await gather(parts, slices)
  let text = ''
  for (const row of metricTable) {
    text += headText(row)
    if (row.type === 'histogram') {
      for (const sample of row.samples(gathered)) text += histogramText(row.name, sample)
    } else {
      for (const sample of row.samples(gathered)) text += sampleText(row.name, sample)
    }
    await slices.round()
  }
  return text
}

async function gather(parts: HttpParts, slices: Slices): Promise<Gathered> {
  const { figures, identity } = parts
  return {
    figures,
    identity,
    ...(await topicsOf(parts, slices)),
    ...(await lagsOf(parts, slices)),
    disk: (await figures.disk(sizesWaitMs)) ?? undefined,
    process: figures.process(),
  }
}

async function topicsOf(
  { figures, clock }: HttpParts,
  slices: Slices,
): Promise<Pick<Gathered, 'topics' | 'topicsLeftOut'>> {
  const topics: Gathered['topics'][number][] = []
  const deadline = clock.monotonic() + sizesWaitMs
  for (const topic of figures.topics()) {
    if (topics.length === topicSeriesMax) break
    if (topic.name.length > nameLengthMax) continue
    await slices.round()
    try {
      topics.push({
        topic,
        ...(await figures.topicFigures(topic.id, deadline - clock.monotonic())),
      })
    } catch (error) {
      // It was deleted meanwhile.
      if (!(error instanceof UnknownTopicError)) throw error
    }
  }
  return { topics, topicsLeftOut: Math.max(0, figures.topicCount - topics.length) }
}

/** What stands in the order of the groups, up to the limit; all that is behind it is only counted. */
async function lagsOf(
  { figures, broker }: HttpParts,
  slices: Slices,
): Promise<Pick<Gathered, 'lags' | 'lagsLeftOut'>> {
  const lags: GroupLag[] = []
  let lagsLeftOut = 0
  if (broker === undefined) return { lags, lagsLeftOut }
  for (const { name: group } of broker.groups.list()) {
    for (const { topic: id, partition, value } of broker.offsets.allDurable(group)) {
      await slices.round()
      const topic = broker.topics.topicById(id)
      if (topic === undefined) continue
      if (
        lags.length === lagSeriesMax ||
        Math.max(group.length, topic.name.length) > nameLengthMax
      ) {
        lagsLeftOut++
        continue
      }
      const bounds = await figures.bounds(id, partition)
      if (bounds === undefined) lagsLeftOut++
      else lags.push({ group, topic: topic.name, partition, lag: lagOf(value.offset, bounds) })
    }
  }
  return { lags, lagsLeftOut }
}
