/**
 * The pages of docs/reference/, made from the sources that they describe. `npm run docs` writes them; a
 * test fails while one is not up to date.
 */
import { mkdirSync, writeFileSync } from 'node:fs'
import path from 'node:path'
import { errorTable, kafka } from '@kaska/protocol'
import type { Command } from 'commander'
import { createProgram } from '../packages/kaska/src/cli/program.ts'
import { Setting } from '../packages/kaska/src/cli/settings.ts'
import { brokerSettings } from '../packages/kaska/src/config/broker-config.ts'
import { type Setting as ConfigSetting, rangeOf } from '../packages/kaska/src/config/setting.ts'
import { topicSettings } from '../packages/kaska/src/config/topic-settings.ts'
import { packageVersion } from '../packages/kaska/src/host/package-version.ts'
import { Terminal } from '../packages/kaska/src/host/terminal.ts'
import {
  lagSeriesMax,
  metricTable,
  nameLengthMax,
  topicSeriesMax,
} from '../packages/kaska/src/http/metric-table.ts'
import { handlers } from '../packages/kaska/src/kafka/handlers.ts'
import { root } from './workspace.ts'

export interface ReferencePage {
  /** Relative to the repository. */
  readonly file: string
  readonly text: string
}

/** All pages, as they should be. */
export function referencePages(): ReferencePage[] {
  return [
    { file: 'docs/reference/errors.md', text: errorsPage() },
    { file: 'docs/reference/options.md', text: optionsPage() },
    { file: 'docs/reference/broker-config.md', text: brokerConfigPage() },
    { file: 'docs/reference/topic-config.md', text: topicConfigPage() },
    { file: 'docs/reference/kafka-apis.md', text: kafkaApisPage() },
    { file: 'docs/reference/metrics.md', text: metricsPage() },
  ]
}

function errorsPage(): string {
  const rows = errorTable.map(({ errorName, code, wire, retriable, meaning }) => [
    errorName,
    `\`${code}\``,
    wire === 0 ? '' : String(wire),
    retriable ? 'yes' : '',
    meaning,
  ])
  return page(
    'Errors',
    'packages/protocol/src/errors.ts',
    `Every error that Kaska's client or broker reports is a \`KaskaError\`: it has its class's name as
\`name\`, a stable \`code\`, and \`retriable\`, which says whether the same request may succeed when it is
sent again. Match on \`code\` or with \`instanceof\`, never on the text, which may change.

The number is what stands for the error in a response of the native protocol (docs/protocol.md);
errors without one are never sent.

${table(['Error', 'Code', 'Number', 'Retriable', 'Meaning'], rows)}`,
  )
}

function optionsPage(): string {
  const program = createProgram(new Terminal(), packageVersion())
  const sections = [program, ...program.commands].map((command) => commandSections(command, []))
  return page(
    'Commands and options',
    'packages/kaska/src/cli/program.ts',
    `Where an option can be set in several places, the command line counts first, then the environment
variable, then the config file (\`--config-file\`, whose keys are the options' long names), then the
default.

${sections.join('\n\n')}`,
  )
}

/** A command's section, and those of the commands below it (not of the program itself). */
function commandSections(command: Command, above: readonly string[]): string {
  const isProgram = command.parent === null
  const names = isProgram ? [command.name()] : [...above, command.name()]
  const rows = command.options
    .filter((option) => !option.hidden)
    .map((option) => [
      `\`${option.flags}\``,
      option instanceof Setting ? `\`${option.environmentName}\`` : '',
      option.defaultValue === undefined ? '' : `\`${String(option.defaultValue)}\``,
      option.description.replace(/ \(env: \w+\)$/, ''),
    ])
  const usage = [...(isProgram ? [] : ['kaska']), ...names, command.usage()].join(' ')
  const parts = [
    `## ${isProgram ? '' : 'kaska '}${names.join(' ')}`,
    `\`${usage}\``,
    command.description(),
    ...(rows.length > 0 ? [table(['Option', 'Environment', 'Default', 'Meaning'], rows)] : []),
  ]
  const below = isProgram ? [] : command.commands.map((child) => commandSections(child, names))
  return [parts.join('\n\n'), ...below].join('\n\n')
}

function brokerConfigPage(): string {
  const rows = brokerSettings.map((setting) => [
    `\`${setting.name}\``,
    valuesOf(setting),
    setting.default === undefined ? '' : `\`${setting.default}\``,
    setting.doc,
  ])
  return page(
    "The broker's configuration",
    'packages/kaska/src/config/broker-config.ts',
    `By Kafka's names: \`kaska serve --config num.partitions=3\` (repeatable), \`KASKA_CONFIG\` (separated by
commas), \`"config": ["num.partitions=3"]\` in the config file, and \`createBroker({ config: { 'num.partitions': 3 } })\`.
A name that is not here is refused, since it would do nothing. All of it is read at the start.

A setting that topics inherit holds for every topic that has no value of its own, from the moment that it is
set. Where it is not, the default here is that of topics made by Kafka's clients; natively made ones have the defaults of
[topic-config.md](topic-config.md).

${table(['Setting', 'Values', 'Default', 'Meaning'], rows)}`,
  )
}

function topicConfigPage(): string {
  const rows = topicSettings.map((setting) => {
    const { name, nativeDefault, default: initial, inherits = [], only, doc } = setting
    return [
      `\`${name}\``,
      only === undefined ? valuesOf(setting) : 'only the default',
      nativeDefault === undefined
        ? shown(initial)
        : `${shown(nativeDefault)}; Kafka's: ${shown(initial)}`,
      inherits.map((each) => `\`${each.name}\``).join(', '),
      doc,
    ]
  })
  return page(
    'The settings of a topic',
    'packages/kaska/src/config/topic-settings.ts',
    `By Kafka's names: \`kaska topic create orders --config retention.ms=86400000\`, or Kafka's own tools
(\`kafka-configs --alter --entity-type topics\`). A setting does what it says or is refused: those that take only their default
are there for tools that set it, or show it.

Where nothing is set for a topic, the broker's setting in the fourth column counts
([broker-config.md](broker-config.md)), and where that is not set either, the default: where there are two, the second one is for topics that
were made by a Kafka client.

${table(['Setting', 'Values', 'Default', "Broker's setting", 'Meaning'], rows)}`,
  )
}

function kafkaApisPage(): string {
  const rows = handlers.map(({ key, versions }) => [
    String(key),
    kafka.apis.get(key)?.name ?? '',
    versions.min === versions.max ? String(versions.min) : `${versions.min} to ${versions.max}`,
  ])
  return page(
    "Kafka's APIs",
    'packages/kaska/src/kafka/handlers.ts',
    `What the broker serves of Apache Kafka's protocol, as ApiVersions tells clients. What is not here is not offered: clients that can do without
it do, others say what they miss. Not served: transactions (24 to 28), the group protocol of KIP-848 (68, 69), share groups, authentication and access
control lists, telemetry. Produce is listed from 0 on, as Kafka 4 does for old clients, and taken from 3 on.

${table(['Key', 'API', 'Versions'], rows)}`,
  )
}

function metricsPage(): string {
  const rows = metricTable.map(({ name, type, labels, help }) => [
    `\`${name}\``,
    type,
    labels.map((label) => `\`${label}\``).join(', '),
    help,
  ])
  return page(
    'Metrics',
    'packages/kaska/src/http/metric-table.ts',
    `What \`GET /metrics\` shows, in Prometheus' text format (version 0.0.4). Counters begin at 0 with the broker. Names, types and labels are stable;
more may come. \`/api/v1/stats\`, \`/api/v1/topics?details=1\` and \`/api/v1/connections\` say the same, and more, as JSON.

How many series there are is bounded. \`protocol\` and \`operation\` are of a fixed set (over HTTP, the routes), and there are none of an operation that
nobody has used. Topics have series of their own up to ${topicSeriesMax}, the first ones in the order of their creation; partitions of groups up to ${lagSeriesMax}; and
none has one whose topic's or group's name is longer than ${nameLengthMax} characters. Whatever is left out is counted in
\`kaska_topics_left_out\` and \`kaska_group_lags_left_out\`; the totals are of everything. A scrape opens no logs but those that only opening can tell of, after
a crash.

${table(['Metric', 'Type', 'Labels', 'Meaning'], rows)}`,
  )
}

function valuesOf(setting: ConfigSetting): string {
  const { type, words } = setting
  if (words !== undefined) return words.map((each) => `\`${each}\``).join(', ')
  if (type === 'boolean') return '`true`, `false`'
  const range = rangeOf(setting)
  return range === undefined ? type : `${type} ${range}`
}

function shown(value: string): string {
  return value === '' ? 'none' : `\`${value}\``
}

function page(title: string, source: string, body: string): string {
  return `# ${title}\n\n<!-- Made from ${source} by \`npm run docs\`. -->\n\n${body}\n`
}

/** A Markdown table; a `|` in a cell is escaped. */
function table(head: readonly string[], rows: readonly (readonly string[])[]): string {
  const line = (cells: readonly string[]): string =>
    `| ${cells.map((cell) => cell.replaceAll('|', '\\|')).join(' | ')} |`
  return [line(head), line(head.map(() => '---')), ...rows.map(line)].join('\n')
}

if (import.meta.main) {
  for (const { file, text } of referencePages()) {
    mkdirSync(path.dirname(path.join(root, file)), { recursive: true })
    writeFileSync(path.join(root, file), text)
  }
}
