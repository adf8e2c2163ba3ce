/**
 * GET /metrics, for Prometheus. An answer is gathered in slices; those that ask while one is being made get
 * the same.
 */
import type { RequestContext, TopicInfo, TopicPage } from '@kaska/protocol'
import { Slices } from '../transport/slices.ts'
import { BoundsQueue, lagOf } from './group-lag.ts'
import type { HttpApp, HttpParts } from './http-parts.ts'
import { ifReached } from './if-reached.ts'
import {
  type Gathered,
  type GroupLag,
  lagSeriesMax,
  metricTable,
  nameLengthMax,
  topicSeriesMax,
} from './metric-table.ts'
import { headText, histogramText, sampleText } from './metrics-text.ts'

/** How long an answer waits for the sizes of logs that are not open: shorter than any scraper's time-out. */
const sizesWaitMs = 1000
/** A metric's series, about: so much work is one. */
const seriesPerRow = 100

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
    if (slices.isDueAfter(seriesPerRow)) await slices.pause()
  }
  return text
}

/** Who asks a broker for all. */
const asking: RequestContext = { principal: null, clientId: 'metrics', address: 'in-process' }

async function gather(parts: HttpParts, slices: Slices): Promise<Gathered> {
  const { figures, identity } = parts
  return {
    figures,
    identity,
    ...(await ifReached(() => topicsOf(parts, slices), noTopics)),
    ...(await ifReached(() => lagsOf(parts, slices), noLags)),
    disk: (await figures.disk(sizesWaitMs)) ?? undefined,
    process: figures.process(),
  }
}

type GatheredTopics = Pick<Gathered, 'topicCount' | 'topics'>
type GatheredLags = Pick<Gathered, 'lags' | 'lagsLeftOut'>

const noTopics: GatheredTopics = { topicCount: undefined, topics: [] }
const noLags: GatheredLags = { lags: [], lagsLeftOut: undefined }

async function topicsOf({ engine, figures }: HttpParts, slices: Slices): Promise<GatheredTopics> {
  const shown: TopicInfo[] = []
  let next: number | undefined = 0
  while (next !== undefined && shown.length < topicSeriesMax) {
    const page: TopicPage = await engine.listTopics(next, asking)
    if (slices.isDueAfter(page.topics.length)) await slices.pause()
    const short = page.topics.filter(({ name }) => name.length <= nameLengthMax)
    shown.push(...short.slice(0, topicSeriesMax - shown.length))
    next = page.next
  }
  const found = await figures.topicFigures(shown, sizesWaitMs, asking)
  const topics: Gathered['topics'][number][] = []
  for (const [index, topic] of shown.entries()) {
    // Else it was deleted meanwhile.
    if (found[index] !== undefined) topics.push({ topic, ...found[index] })
  }
  return { topicCount: await engine.topicCount(asking), topics }
}

/** What stands in the order of the groups, up to the limit; all that is behind it is only counted. */
async function lagsOf({ figures, broker }: HttpParts, slices: Slices): Promise<GatheredLags> {
  const lags: GroupLag[] = []
  let asked = 0
  let rows = 0
  const bounds = new BoundsQueue(figures, asking)
  for await (const { name: group, offsets } of broker.groups.list(0, asking)) {
    for (const { topic, partition, value } of offsets) {
      if (slices.isDue) await slices.pause()
      rows++
      if (Math.max(group.length, topic.name.length) > nameLengthMax) continue
      if (asked === lagSeriesMax) continue
      asked++
      await bounds.add({ topic: topic.id, partition }, (known) => {
        if (known === undefined) return
        lags.push({ group, topic: topic.name, partition, lag: lagOf(value.offset, known) })
      })
    }
  }
  await bounds.flush()
  return { lags, lagsLeftOut: rows - lags.length }
}
