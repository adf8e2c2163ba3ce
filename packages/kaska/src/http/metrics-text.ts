/**
 * Figures in Prometheus' text format, version 0.0.4: a line of help and one of the type for each metric, then
 * its samples. Names and label names are ours; the labels' values may be anything.
 */

export type Labels = Readonly<Record<string, string>>

export interface Sample {
  readonly labels?: Labels
  readonly value: number
}

/** A distribution: how many values are at most each bound, ascending; what all are together. */
export interface HistogramSample {
  readonly labels?: Labels
  readonly buckets: readonly { readonly bound: number; readonly count: number }[]
  readonly count: number
  readonly sum: number
}

export interface MetricHead {
  /** `kaska_requests_total` */
  readonly name: string
  readonly type: 'counter' | 'gauge' | 'histogram'
  /** What it counts, for people. */
  readonly help: string
}

/** What stands before the samples of a metric. */
export function headText({ name, type, help }: MetricHead): string {
  return `# HELP ${name} ${escapeHelp(help)}\n# TYPE ${name} ${type}\n`
}

export function sampleText(name: string, { labels, value }: Sample): string {
  return `${name}${labelsText(labels)} ${numberText(value)}\n`
}

export function histogramText(
  name: string,
  { labels, buckets, count, sum }: HistogramSample,
): string {
  let text = ''
  for (const bucket of buckets) {
    const bound = { ...labels, le: numberText(bucket.bound) }
    text += sampleText(`${name}_bucket`, { labels: bound, value: bucket.count })
  }
  text += sampleText(`${name}_bucket`, { labels: { ...labels, le: '+Inf' }, value: count })
  text += sampleText(`${name}_sum`, labelled(labels, sum))
  return text + sampleText(`${name}_count`, labelled(labels, count))
}

function labelled(labels: Labels | undefined, value: number): Sample {
  return labels === undefined ? { value } : { labels, value }
}

function labelsText(labels: Labels = {}): string {
  const pairs = Object.entries(labels).map(([name, value]) => `${name}="${escapeLabel(value)}"`)
  return pairs.length === 0 ? '' : `{${pairs.join(',')}}`
}

function numberText(value: number): string {
  if (Number.isFinite(value)) return String(value)
  return Number.isNaN(value) ? 'NaN' : value > 0 ? '+Inf' : '-Inf'
}

function escapeHelp(text: string): string {
  return text.replaceAll('\\', '\\\\').replaceAll('\n', '\\n')
}

function escapeLabel(text: string): string {
  return escapeHelp(text).replaceAll('"', '\\"').toWellFormed()
}
