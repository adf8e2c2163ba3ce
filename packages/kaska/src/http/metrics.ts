/** Figures in the text format of Prometheus (version 0.0.4). */

export interface Metric {
  /** `kaska_connections` */
  readonly name: string
  readonly type: 'counter' | 'gauge'
  /** What it counts, for people; with its unit. */
  readonly help: string
  readonly samples: readonly Sample[]
}

export interface Sample {
  readonly labels?: Readonly<Record<string, string>>
  readonly value: number
}

export function metricsText(metrics: Iterable<Metric>): string {
  let text = ''
  for (const { name, type, help, samples } of metrics) {
    text += `# HELP ${name} ${escapeText(help)}\n# TYPE ${name} ${type}\n`
    for (const { labels = {}, value } of samples) text += `${name}${labelsText(labels)} ${value}\n`
  }
  return text
}

function labelsText(labels: Readonly<Record<string, string>>): string {
  const pairs = Object.entries(labels).map(
    ([name, value]) => `${name}="${escapeText(value).replaceAll('"', '\\"')}"`,
  )
  return pairs.length === 0 ? '' : `{${pairs.join(',')}}`
}

function escapeText(text: string): string {
  return text.replaceAll('\\', '\\\\').replaceAll('\n', '\\n')
}
