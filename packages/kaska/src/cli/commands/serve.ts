/** `kaska serve`: starts the broker, says when it is ready, and stops it when it is told to. */
import { InvalidArgumentError } from '@kaska/protocol'
import type { Command } from 'commander'
import { createBroker } from '../../broker.ts'
import { readBrokerConfig } from '../../config/broker-config.ts'
import type { Terminal } from '../../host/terminal.ts'
import { oneLine, UsageError } from '../failure.ts'
import type { TopicSpec } from '../values.ts'

interface ServeOptions {
  readonly port: number
  readonly host: string
  readonly advertise?: { readonly host: string; readonly port: number }
  readonly data: string
  readonly memory?: boolean
  readonly sync: 'always' | 'os'
  readonly topic?: readonly TopicSpec[]
  readonly config?: readonly (readonly [string, string])[]
  readonly memoryBytes?: number
}

/** Returns when the broker has stopped. */
export async function serve(command: Command, terminal: Terminal, version: string): Promise<void> {
  if (command.parent?.opts()['broker'] !== undefined) {
    throw new UsageError('serve starts a broker: it takes no -b', 'see `kaska serve --help`')
  }
  const options = command.opts<ServeOptions>()
  const isInMemory = keepsInMemory(command, options)
  const config = readConfig(options.config ?? [])
  // Asked for before the start: a signal that comes meanwhile waits for it, and then stops it cleanly.
  const stop = terminal.stopSignal()
  const broker = await createBroker({
    ...(isInMemory ? { memory: true } : { data: options.data }),
    sync: options.sync,
    ...(options.memoryBytes === undefined ? {} : { memoryBytesMax: options.memoryBytes }),
    config,
    topics: options.topic ?? [],
    report: (line) => terminal.say(oneLine(line)),
  })
  try {
    const { host, port, advertise } = options
    const { url } = await broker.listen({
      host,
      port,
      ...(advertise === undefined ? {} : { advertise }),
    })
    const place = isInMemory ? 'data in memory' : `data ${options.data}, sync ${options.sync}`
    const ms = Math.round(terminal.uptimeMs)
    terminal.output.text(`kaska ${version} ready on ${url}, ${place} (${ms} ms)\n`)
    // A broker does not stop because nobody listens to what it prints.
    await terminal.output.send().catch(() => {})
    await aborted(stop)
    if (terminal.isWatched) terminal.say('Stopping; once more ends it at once.')
  } finally {
    await broker.close()
  }
}

/** The broker's configuration; a mistake in it is one on the command line. */
function readConfig(pairs: readonly (readonly [string, string])[]): Record<string, string> {
  const config = Object.fromEntries(pairs)
  try {
    readBrokerConfig(config)
  } catch (error) {
    if (error instanceof InvalidArgumentError) throw new UsageError(`--config: ${error.message}`)
    throw error
  }
  return config
}

/** `--memory` and `--data` exclude each other; where both are given, the stronger source counts. */
function keepsInMemory(command: Command, options: ServeOptions): boolean {
  if (options.memory !== true) return false
  const strengthOf = (name: string): number =>
    ['default', 'config', 'env', 'cli'].indexOf(command.getOptionValueSource(name) ?? 'default')
  const memory = strengthOf('memory')
  const data = strengthOf('data')
  if (memory === data) {
    throw new UsageError('--memory and --data exclude each other', 'give one of them')
  }
  return memory > data
}

function aborted(signal: AbortSignal): Promise<void> {
  return new Promise((resolve) => {
    if (signal.aborted) resolve()
    else signal.addEventListener('abort', () => resolve(), { once: true })
  })
}
