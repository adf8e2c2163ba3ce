/**
 * All metrics, each a row: docs/reference/metrics.md is made from it. How many series there may be is bounded
 * whatever there is in the broker, so that no monitoring chokes on it: what is left out is counted.
 */
import type { TopicInfo } from '@kaska/protocol'
import type { OperationFigures } from '../figures/request-figures.ts'
import type { DiskFigures, FigureSource, ProcessFigures, TopicFigures } from './figure-source.ts'
import type { HistogramSample, MetricHead, Sample } from './metrics-text.ts'

/** Topics that have series of their own: the first ones in the order of their creation. */
export const topicSeriesMax = 200
/** Partitions of groups that have one: group by group, in the order in which the broker lists them. */
export const lagSeriesMax = 1000
/** Of a longer name there is no series. */
export const nameLengthMax = 256

/** What one answer shows: gathered first, since some of it takes time. */
export interface Gathered {
  readonly figures: FigureSource
  readonly identity: { readonly software: string; readonly clusterId: string }
  readonly process: ProcessFigures
  /** Undefined in memory. */
  readonly disk: DiskFigures | undefined
  readonly topics: readonly (TopicFigures & { readonly topic: TopicInfo })[]
  /** Undefined: not known. */
  readonly topicCount: number | undefined
  readonly lags: readonly GroupLag[]
  readonly lagsLeftOut: number | undefined
}

export interface GroupLag {
  readonly group: string
  readonly topic: string
  readonly partition: number
  readonly lag: number
}

interface Row extends MetricHead {
  /** Empty where there is one series. */
  readonly labels: readonly string[]
}

export type MetricRow =
  | (Row & { readonly type: 'counter' | 'gauge'; samples(from: Gathered): Iterable<Sample> })
  | (Row & { readonly type: 'histogram'; samples(from: Gathered): Iterable<HistogramSample> })

/** Of the bounds that are counted by, those that are shown: in seconds, 50 µs to 10 s. */
const shownBounds: ReadonlySet<number> = new Set(
  [0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 25, 50, 100, 250, 500, 1000, 2500, 5000, 10_000].map(
    (ms) => ms / 1000,
  ),
)

export const metricTable: readonly MetricRow[] = [
  {
    ...gauge('kaska_info', ['version', 'cluster_id'], 'The broker that answers: always 1.'),
    samples: ({ identity: { software, clusterId } }) => [
      { labels: { version: software.replace(/^kaska /, ''), cluster_id: clusterId }, value: 1 },
    ],
  },
  {
    ...gauge('kaska_uptime_seconds', [], 'Time since the start of the broker.'),
    samples: ({ figures }) => one(figures.uptimeMs / 1000),
  },
  {
    ...counter('kaska_messages_in_total', [], 'Messages that were appended and acknowledged.'),
    samples: ({ figures }) => one(figures.traffic?.messagesIn),
  },
  {
    ...counter('kaska_bytes_in_total', [], 'Bytes of the batches of these, as they are stored.'),
    samples: ({ figures }) => one(figures.traffic?.bytesIn),
  },
  {
    ...counter('kaska_messages_out_total', [], 'Messages that were read, by anybody.'),
    samples: ({ figures }) => one(figures.traffic?.messagesOut),
  },
  {
    ...counter('kaska_bytes_out_total', [], 'Bytes of the batches of these, as they are stored.'),
    samples: ({ figures }) => one(figures.traffic?.bytesOut),
  },
  {
    ...counter(
      'kaska_requests_total',
      ['protocol', 'operation'],
      'Requests that were answered. What a WebSocket carries is native.',
    ),
    samples: ({ figures }) => perOperation(figures, ({ requests }) => requests),
  },
  {
    ...counter(
      'kaska_request_failures_total',
      ['protocol', 'operation'],
      'Requests that were answered with an error, for all of them or for a part.',
    ),
    samples: ({ figures }) => perOperation(figures, ({ failures }) => failures),
  },
  {
    name: 'kaska_request_duration_seconds',
    type: 'histogram',
    labels: ['protocol', 'operation'],
    help:
      'From the arrival of a request to its answer, or to the head of it over HTTP. A poll, a fetch and a ' +
      'rebalance include what they wait for.',
    *samples({ figures }) {
      for (const { protocol, operation, latency } of figures.counted.requests) {
        const buckets = Array.from(latency.cumulative(), ({ boundMs, count }) => {
          return { bound: boundMs / 1000, count }
        }).filter(({ bound }) => shownBounds.has(bound))
        const { count, sumMs } = latency
        yield { labels: { protocol, operation }, buckets, count, sum: sumMs / 1000 }
      }
    },
  },
  {
    ...gauge('kaska_connections', ['protocol'], 'Connections that are open.'),
    samples: ({ figures }) => perProtocol(figures.counted.connections.count),
  },
  {
    ...counter('kaska_connections_opened_total', ['protocol'], 'Connections that were accepted.'),
    samples: ({ figures }) => perProtocol(figures.counted.connections.opened),
  },
  {
    ...counter(
      'kaska_connections_refused_total',
      ['protocol'],
      'Connections that the broker ended for what they sent, or did not send; unknown is what never became any protocol.',
    ),
    samples: ({ figures }) => perProtocol(figures.counted.connections.refused),
  },
  {
    ...gauge('kaska_topics', [], 'Topics that there are.'),
    samples: ({ topicCount }) => one(topicCount),
  },
  {
    ...gauge('kaska_open_partitions', [], 'Partitions whose logs are open.'),
    samples: ({ figures }) => one(figures.openPartitions),
  },
  {
    ...gauge('kaska_topic_messages', ['topic'], 'Messages that a topic holds.'),
    samples: ({ topics }) => perTopic(topics, ({ messages }) => messages),
  },
  {
    ...gauge('kaska_topic_bytes', ['topic'], 'Bytes of the batches that a topic holds.'),
    samples: ({ topics }) => perTopic(topics, ({ bytes }) => bytes),
  },
  {
    ...counter('kaska_topic_messages_in_total', ['topic'], 'Messages that were appended.'),
    samples: ({ topics }) => perTopic(topics, ({ traffic }) => traffic?.messagesIn),
  },
  {
    ...counter('kaska_topic_bytes_in_total', ['topic'], 'Bytes that were appended.'),
    samples: ({ topics }) => perTopic(topics, ({ traffic }) => traffic?.bytesIn),
  },
  {
    ...counter('kaska_topic_messages_out_total', ['topic'], 'Messages that were read.'),
    samples: ({ topics }) => perTopic(topics, ({ traffic }) => traffic?.messagesOut),
  },
  {
    ...counter('kaska_topic_bytes_out_total', ['topic'], 'Bytes that were read.'),
    samples: ({ topics }) => perTopic(topics, ({ traffic }) => traffic?.bytesOut),
  },
  {
    ...gauge('kaska_topics_left_out', [], 'Topics that have no series of their own here.'),
    samples: ({ topicCount, topics }) =>
      one(topicCount === undefined ? undefined : Math.max(0, topicCount - topics.length)),
  },
  {
    ...gauge(
      'kaska_group_lag',
      ['group', 'topic', 'partition'],
      'Messages between what a group has committed and the end of the partition.',
    ),
    samples: ({ lags }) =>
      lags.map(({ group, topic, partition, lag }) => {
        return { labels: { group, topic, partition: String(partition) }, value: lag }
      }),
  },
  {
    ...gauge(
      'kaska_group_lags_left_out',
      [],
      'Partitions with a committed offset that have no series in kaska_group_lag.',
    ),
    samples: ({ lagsLeftOut }) => one(lagsLeftOut),
  },
  {
    ...gauge('kaska_disk_used_bytes', [], 'Bytes of the messages on the disk. Not in memory.'),
    samples: ({ disk }) => one(disk?.usedBytes),
  },
  {
    ...gauge('kaska_disk_free_bytes', [], 'Bytes that can still be written. Not in memory.'),
    samples: ({ disk }) => one(disk?.freeBytes),
  },
  {
    ...counter('kaska_syncs_total', [], 'Syncs of files to the disk.'),
    samples: ({ figures: { syncs } }) => one(syncs?.count),
  },
  {
    ...counter(
      'kaska_sync_seconds_total',
      [],
      'The time of these, added up: its rate is how many are under way at once.',
    ),
    samples: ({ figures: { syncs } }) => one(syncs && syncs.runMs / 1000),
  },
  {
    ...gauge('kaska_syncs_at_once_max', [], 'How many may be under way at once; others wait.'),
    samples: ({ figures: { syncs } }) => one(syncs?.parallelMax),
  },
  {
    ...gauge(
      'kaska_memory_budget_bytes',
      [],
      'What received frames, unsent answers, reads and the tails of logs may take together: --memory-bytes.',
    ),
    samples: ({ figures }) => one(figures.budget.total),
  },
  {
    ...gauge('kaska_memory_budget_used_bytes', [], 'What they take.'),
    samples: ({ figures }) => one(figures.budget.used),
  },
  {
    ...counter(
      'kaska_event_loop_busy_seconds_total',
      [],
      'Time in which the event loop had something to do: its rate is the share that is taken, at most 1.',
    ),
    samples: ({ process }) => one(process.eventLoopBusySeconds),
  },
  {
    ...gauge(
      'kaska_event_loop_delay_seconds',
      ['quantile'],
      'How late timers were in the last half minute or so: what held the event loop.',
    ),
    samples: ({ process: { eventLoop } }) => [
      { labels: { quantile: '0.5' }, value: eventLoop.p50Ms / 1000 },
      { labels: { quantile: '0.99' }, value: eventLoop.p99Ms / 1000 },
      { labels: { quantile: '1' }, value: eventLoop.maxMs / 1000 },
    ],
  },
  {
    ...gauge('process_resident_memory_bytes', [], 'Memory of the process.'),
    samples: ({ process }) => one(process.rssBytes),
  },
  {
    ...gauge('kaska_heap_used_bytes', [], 'Memory of JavaScript objects, which is a part of that.'),
    samples: ({ process }) => one(process.heapBytes),
  },
  {
    ...counter('process_cpu_seconds_total', [], 'Processor time of the process.'),
    samples: ({ process }) => one(process.cpuSeconds),
  },
  {
    ...gauge(
      'process_max_fds',
      [],
      'Files and sockets that the process may have open. Only where the system tells.',
    ),
    samples: ({ process: { openFilesMax } }) => one(openFilesMax),
  },
  {
    ...gauge('process_start_time_seconds', [], 'When the process began, since 1970.'),
    samples: ({ process }) => one(process.startedAt / 1000),
  },
]

function gauge(name: string, labels: readonly string[], help: string) {
  return { name, type: 'gauge', labels, help } as const
}

function counter(name: string, labels: readonly string[], help: string) {
  return { name, type: 'counter', labels, help } as const
}

/** None where it is not known. */
function one(value: number | null | undefined): Sample[] {
  return value === null || value === undefined ? [] : [{ value }]
}

function perOperation(
  { counted }: FigureSource,
  count: (operation: OperationFigures) => number,
): Sample[] {
  return Array.from(counted.requests, (figures) => {
    const { protocol, operation } = figures
    return { labels: { protocol, operation }, value: count(figures) }
  })
}

function perProtocol(counts: Readonly<Record<string, number>>): Sample[] {
  return Object.entries(counts).map(([protocol, value]) => ({ labels: { protocol }, value }))
}

/** Without those of which it is not known. */
function perTopic(
  topics: Gathered['topics'],
  count: (figures: TopicFigures) => number | null | undefined,
): Sample[] {
  return topics.flatMap((figures) =>
    one(count(figures)).map(({ value }) => ({ labels: { topic: figures.topic.name }, value })),
  )
}
