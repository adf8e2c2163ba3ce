/**
 * Runs real Kafka clients against Apache Kafka, so that each check is known to be right, and then against
 * Kaska:
 *
 *     npm run compat                                  all of it
 *     npm run compat -- --quick --kaska-only          what every change has to pass
 *     npm run compat -- --only kafkajs,java           some clients
 *     npm run compat -- --check group                 the checks whose names hold this
 *     npm run compat -- --save                        and writes compat/results.md
 *
 * Installs what the clients need into a cache outside of the repository; a client that cannot run here is
 * skipped, and says why. Exits with 1 if a check that passes on Apache Kafka fails on Kaska.
 */
import { globSync, writeFileSync } from 'node:fs'
import os from 'node:os'
import path from 'node:path'
import process from 'node:process'
import { parseArgs } from 'node:util'
import { kafkaVersion, startApacheKafka } from './lib/apache-kafka.ts'
import type { BrokerProcess } from './lib/broker-process.ts'
import type { Client, Command, Outcomes } from './lib/client.ts'
import { startKaska } from './lib/kaska.ts'
import { SkippedError } from './lib/maven.ts'
import { servesGroups } from './lib/raw-requests.ts'
import { runClient } from './lib/run-client.ts'
import { type Run, regressions, table } from './lib/table.ts'

const { values: options } = parseArgs({
  options: {
    quick: { type: 'boolean', default: false },
    only: { type: 'string' },
    check: { type: 'string' },
    'kaska-only': { type: 'boolean', default: false },
    save: { type: 'boolean', default: false },
  },
})
const started = performance.now()
const report = (line: string): void => console.log(line)
const runs: Run[] = []
const skipped: string[] = []
// An exit ends what was started.
for (const signal of ['SIGINT', 'SIGTERM']) process.once(signal, () => process.exit(1))

for (const client of await wantedClients()) {
  const prepared = await orSkipped(client.name, () => client.prepare())
  if (prepared === undefined) continue
  const commands = 'program' in prepared ? [prepared] : prepared
  const starts = { 'Apache Kafka': startWithGroups, Kaska: startKaska }
  for (const [name, start] of Object.entries(starts)) {
    if (name !== 'Kaska' && (options['kaska-only'] || client.isKaskaOnly)) continue
    const broker = await orSkipped(`${client.name} on ${name}`, () => start())
    if (broker !== undefined) runs.push(await run(client, commands, broker))
  }
}

const failed = regressions(runs)
const summary = [table(runs), ...skipped.map((line) => `- skipped: ${line}`)].join('\n')
console.log(`\n${summary}`)
if (options.save) save(summary)
const outcomes = runs.flatMap((run) => [...run.outcomes.values()])
const count = (kind: string): number => outcomes.filter((outcome) => outcome.kind === kind).length
for (const line of failed) console.log(`FAILED ${line}`)
console.log(`${count('passed')} passed, ${count('failed')} failed, ${count('skipped')} skipped`)
if (failed.length > 0 || runs.length === 0) process.exitCode = 1

/** Every folder's `clients.ts` names its own. */
async function wantedClients(): Promise<Client[]> {
  const files = globSync('*/clients.ts', { cwd: import.meta.dirname }).sort()
  const modules = await Promise.all(
    files.map((file) => import(path.join(import.meta.dirname, file)) as Promise<ClientsModule>),
  )
  const clients = modules.flatMap((module) => module.clients)
  const names = options.only?.split(',')
  const unknown = names?.filter((name) => !clients.some((client) => client.name === name)) ?? []
  if (unknown.length > 0) {
    const known = clients.map((client) => client.name).join(', ')
    throw new Error(`no such client: ${unknown.join(', ')}; there are ${known}`)
  }
  return clients.filter(
    (client) => names?.includes(client.name) ?? (!options.quick || client.isQuick),
  )
}

interface ClientsModule {
  readonly clients: readonly Client[]
}

async function orSkipped<T>(what: string, work: () => T | Promise<T>): Promise<T | undefined> {
  try {
    return await work()
  } catch (error) {
    if (!(error instanceof SkippedError)) throw error
    skipped.push(`${what}: ${error.message}`)
    report(`== ${what}: skipped: ${error.message}`)
    return undefined
  }
}

/** What is checked is not how long Apache Kafka takes to make its topic of offsets. */
async function startWithGroups(): Promise<BrokerProcess> {
  const broker = await startApacheKafka()
  while (!(await servesGroups(broker.port))) {
    await new Promise((resolve) => setTimeout(resolve, 100))
  }
  return broker
}

async function run(
  client: Client,
  commands: readonly Command[],
  broker: BrokerProcess,
): Promise<Run> {
  await using _stopped = broker
  const seconds = Math.round((performance.now() - started) / 1000)
  report(`== ${client.name} on ${broker.name} (after ${seconds} s)`)
  const { quick: isQuick, check } = options
  const outcomes: Outcomes = new Map()
  for (const command of commands) {
    const told = await runClient(client, command, { broker, isQuick, check, report })
    for (const [name, outcome] of told) outcomes.set(name, outcome)
  }
  const hasFailed = [...outcomes.values()].some((outcome) => outcome.kind === 'failed')
  if (hasFailed && broker.output !== '') report(broker.output.replaceAll(/^/gm, '    broker | '))
  return { client: client.name, broker: broker.name, outcomes }
}

function save(summary: string): void {
  const date = new Date().toISOString().slice(0, 10)
  const machine = `${os.type()} ${os.arch()}, ${os.cpus().length} cores, Node ${process.versions.node}`
  const text = `# Kafka clients, checked

Each check runs against Apache Kafka ${kafkaVersion} first, and then against Kaska. Written by
\`npm run compat -- --save\` on ${date} (${machine}).

${summary}`
  writeFileSync(path.join(import.meta.dirname, 'results.md'), text)
}
