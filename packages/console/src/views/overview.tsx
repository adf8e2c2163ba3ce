/** How the broker is: what flows through it, who is connected, what it takes of the machine. */
import type { ComponentChildren } from 'preact'
import { useEffect, useMemo } from 'preact/hooks'
import { Chart, type ChartSeries, NoChart } from '../components/chart.tsx'
import { bytes, count, duration, known, rate, time } from '../format.ts'
import { href } from '../route.ts'
import { followStats, keptMs, type Latency, ratesOf, type Stats, statsHistory } from '../stats.ts'
import './overview.css'

export function Overview() {
  useEffect(followStats, [])
  const { samples, error } = statsHistory.value
  const last = samples.at(-1)
  return (
    <>
      <section class="panel">
        <h1>Overview</h1>
        {error !== undefined && (
          <p class="bad" role="alert">
            The broker does not answer: {error.message}
          </p>
        )}
        {last === undefined ? <p class="quiet">Asking…</p> : <Facts stats={last} />}
        <p class="row links">
          <a href={href(['topics'])}>Topics</a>
          <a href={href(['groups'])}>Groups</a>
          <a href={href(['connections'])}>Connections</a>
          <a href="/metrics">Metrics for Prometheus</a>
          <a href="/api/v1/openapi.json">The HTTP interface (OpenAPI)</a>
        </p>
      </section>
      {last !== undefined && <Charts samples={samples} />}
      {last !== undefined && <Requests latency={last.latency} />}
    </>
  )
}

function Facts({ stats }: { readonly stats: Stats }) {
  const { totals, connections, disk, memory } = stats
  const { native, kafka, http, websocket } = connections
  const isElsewhere = stats.engine === 'kafka'
  return (
    <dl class="facts">
      <Fact name="Topics">{known(stats.topics, count)}</Fact>
      <Fact name="Partitions open">{known(stats.partitionsOpen, count)}</Fact>
      <Fact name="Connections">{count(native + kafka + http + websocket)}</Fact>
      <Fact name="Messages in">{known(totals.messagesIn, count)}</Fact>
      <Fact name="Messages out">{known(totals.messagesOut, count)}</Fact>
      <Fact name="Bytes in">{known(totals.bytesIn, bytes)}</Fact>
      <Fact name="Bytes out">{known(totals.bytesOut, bytes)}</Fact>
      <Fact name="Requests">{count(totals.requests)}</Fact>
      <Fact name="Failed">{count(totals.failures)}</Fact>
      <Fact name="Memory">{bytes(memory.rssBytes)}</Fact>
      {isElsewhere && <Fact name="Messages">on an Apache Kafka cluster</Fact>}
      <Fact name="On disk">
        {disk === null && !isElsewhere ? 'all in memory' : known(disk?.usedBytes, bytes)}
      </Fact>
      {disk !== null && <Fact name="Disk free">{bytes(disk.freeBytes)}</Fact>}
      <Fact name="Up">{duration(stats.uptimeMs)}</Fact>
      <Fact name="Since">{time(stats.time - stats.uptimeMs).slice(0, 19)}</Fact>
      <Fact name="Software">{stats.software}</Fact>
      {stats.dataDirectory !== null && <Fact name="Data">{stats.dataDirectory}</Fact>}
      <Fact name="Sync">{stats.sync ?? '–'}</Fact>
      <Fact name="Cluster id">{stats.clusterId}</Fact>
    </dl>
  )
}

function Fact({ name, children }: { readonly name: string; readonly children: ComponentChildren }) {
  return (
    <div>
      <dt>{name}</dt>
      <dd>{children}</dd>
    </div>
  )
}

const perSecond = (value: number): string => `${bytes(value)}/s`
const milliseconds = (value: number): string => {
  if (value === 0) return '0 ms'
  return value < 0.05 ? '< 0.1 ms' : duration(value)
}

function Charts({ samples }: { readonly samples: readonly Stats[] }) {
  const shown = useMemo(() => chartsOf(samples), [samples])
  return (
    <div class="charts">
      {shown.map(({ instead, ...chart }) =>
        instead === undefined ? (
          <Chart key={chart.title} {...chart} spanMs={keptMs} />
        ) : (
          <NoChart key={chart.title} title={chart.title} text={instead} />
        ),
      )}
    </div>
  )
}

function chartsOf(samples: readonly Stats[]) {
  const times = samples.map((sample) => sample.time)
  const line = (label: string, value: (sample: Stats) => number | null): ChartSeries => ({
    label,
    values: samples.map(value),
  })
  const charts = [
    {
      title: 'Messages',
      format: rate,
      topMin: 1,
      series: [
        { label: 'in', values: ratesOf(samples, 'messagesIn') },
        { label: 'out', values: ratesOf(samples, 'messagesOut') },
      ],
    },
    {
      title: 'Throughput',
      format: perSecond,
      topMin: 1024,
      isBinary: true,
      series: [
        { label: 'in', values: ratesOf(samples, 'bytesIn') },
        { label: 'out', values: ratesOf(samples, 'bytesOut') },
      ],
    },
    {
      title: 'Requests',
      format: rate,
      topMin: 1,
      series: [
        { label: 'all', values: ratesOf(samples, 'requests') },
        { label: 'failed', values: ratesOf(samples, 'failures') },
      ],
    },
    {
      title: 'Latency (99th percentile)',
      format: milliseconds,
      topMin: 1,
      series: latencySeries(samples),
    },
    {
      title: 'Connections',
      format: count,
      topMin: 5,
      series: [
        line('native', ({ connections }) => connections.native),
        line('Kafka', ({ connections }) => connections.kafka),
        line('HTTP', ({ connections }) => connections.http),
        line('WebSocket', ({ connections }) => connections.websocket),
      ],
    },
    {
      title: 'Disk',
      format: bytes,
      topMin: 1024,
      isBinary: true,
      series: [line('used', ({ disk }) => disk?.usedBytes ?? null)],
      instead: withoutDisk(samples),
    },
    {
      title: 'Memory',
      format: bytes,
      topMin: 1 << 20,
      isBinary: true,
      series: [
        line('resident', ({ memory }) => memory.rssBytes),
        line('heap', ({ memory }) => memory.heapBytes),
        line('for messages', ({ memory }) => memory.budgetUsedBytes),
      ],
    },
    {
      title: 'Event loop delay',
      format: milliseconds,
      topMin: 1,
      series: [
        line('median', ({ eventLoop }) => eventLoop.p50Ms),
        line('99th percentile', ({ eventLoop }) => eventLoop.p99Ms),
        line('longest', ({ eventLoop }) => eventLoop.maxMs),
      ],
    },
  ]
  return charts.map((chart) => ({ instead: undefined, ...chart, times }))
}

/** Why there is no disk to show; undefined: there is one. */
function withoutDisk(samples: readonly Stats[]): string | undefined {
  const last = samples.at(-1)
  if (last === undefined || last.disk !== null) return undefined
  return last.engine === 'kafka'
    ? 'All messages are on an Apache Kafka cluster.'
    : 'All messages are in memory: nothing is written to a disk.'
}

/** Requests whose answers wait for something to come: how long says nothing of the broker. */
const waiting = new Set(['poll', 'Fetch', 'JoinGroup', 'SyncGroup'])
const latencyLinesMax = 3
/** Of the requests of the operation that there is most of. */
const latencyShareMin = 0.01

/** The operations that there are most of, apart from those that wait and from what pages like this one ask. */
function latencySeries(samples: readonly Stats[]): ChartSeries[] {
  const latest = samples.at(-1)?.latency ?? []
  const sorted = latest
    .filter(({ protocol, operation }) => protocol !== 'http' && !waiting.has(operation))
    .sort((one, other) => other.count - one.count)
  const least = (sorted[0]?.count ?? 0) * latencyShareMin
  const shown = sorted.filter((each) => each.count >= least).slice(0, latencyLinesMax)
  return shown
    .map(nameOf)
    .sort()
    .map((label) => ({
      label,
      values: samples.map(
        ({ latency }) => latency.find((each) => nameOf(each) === label)?.p99Ms ?? null,
      ),
    }))
}

function nameOf({ protocol, operation }: Latency): string {
  return protocol === 'http' ? operation : `${protocol} ${operation}`
}

function Requests({ latency }: { readonly latency: readonly Latency[] }) {
  const sorted = [...latency].sort((one, other) => other.count - one.count)
  return (
    <section class="panel">
      <h2>Requests of the last minute</h2>
      <p class="quiet">From a request's arrival to its answer, with what it waited for.</p>
      <div class="scroll">
        <table aria-label="Requests of the last minute">
          <thead>
            <tr>
              <th scope="col">Operation</th>
              <th scope="col" class="number">
                Requests
              </th>
              <th scope="col" class="number">
                Median
              </th>
              <th scope="col" class="number">
                99th percentile
              </th>
              <th scope="col" class="number">
                Longest
              </th>
            </tr>
          </thead>
          <tbody>
            {sorted.map((each) => (
              <tr key={nameOf(each)}>
                <th scope="row">{nameOf(each)}</th>
                <td class="number">{count(each.count)}</td>
                <td class="number">{milliseconds(each.p50Ms)}</td>
                <td class="number">{milliseconds(each.p99Ms)}</td>
                <td class="number">{milliseconds(each.maxMs)}</td>
              </tr>
            ))}
          </tbody>
        </table>
      </div>
    </section>
  )
}
