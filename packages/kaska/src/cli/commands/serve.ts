/** `kaska serve`: starts the broker, or the gateway to a cluster, says when it is ready, and stops it when it is
 * told to. */
import { InvalidArgumentError } from '@kaska/protocol'
import type { Command } from 'commander'
import { createBroker } from '../../broker.ts'
import { readBrokerConfig } from '../../config/broker-config.ts'
import { isInContainer } from '../../host/container.ts'
import { isLoopback } from '../../host/socket-transport.ts'
import type { Terminal } from '../../host/terminal.ts'
import type { HttpOptions } from '../../listen-options.ts'
import { CommandError, oneLine, UsageError } from '../failure.ts'
import { strengthOf } from '../settings.ts'
import type { TopicSpec } from '../values.ts'
import type { Start } from './start.ts'

interface ServeOptions {
  readonly port: number
  readonly host: string
  readonly advertise?: { readonly host: string; readonly port: number }
  readonly tlsCert?: string
  readonly tlsKey?: string
  readonly plaintext?: boolean
  readonly http?: boolean
  readonly httpToken?: string
  readonly httpHost?: readonly string[]
  readonly httpOrigin?: readonly string[]
  readonly engine?: string
  readonly data: string
  readonly memory?: boolean
  readonly sync: 'always' | 'os'
  readonly topic?: readonly TopicSpec[]
  readonly config?: readonly (readonly [string, string])[]
  readonly memoryBytes?: number
}

/** A certificate with all that sign it is some KiB. */
const pemBytesMax = 1024 * 1024

/** Returns when the broker has stopped. */
export async function serve(command: Command, terminal: Terminal, version: string): Promise<void> {
  if (command.parent?.opts()['broker'] !== undefined) {
    throw new UsageError('serve starts a broker: it takes no -b', 'see `kaska serve --help`')
  }
  const options = command.opts<ServeOptions>()
  const start =
    options.engine === undefined ? brokerOf(command, options) : await gatewayOf(command, options)
  const tls = await readTls(options, terminal)
  const http = httpOptions(options)
  // Asked for before the start: a signal that comes meanwhile waits for it, and then stops it cleanly.
  const stop = terminal.stopSignal()
  const { started, place } = await start((line) => terminal.say(oneLine(line)))
  try {
    const { host, port, advertise, plaintext } = options
    const { url } = await started.listen({
      host,
      port,
      ...(advertise === undefined ? {} : { advertise }),
      ...(tls === undefined ? {} : { tls }),
      ...(plaintext === undefined ? {} : { plaintext }),
      http,
    })
    const ms = Math.round(terminal.uptimeMs)
    const advice = options.engine === undefined ? adviceFor(options) : ''
    terminal.output.text(`kaska ${version} ready on ${url}, ${place} (${ms} ms)${advice}\n`)
    // A broker does not stop because nobody listens to what it prints.
    await terminal.output.send().catch(() => {})
    await aborted(stop)
    if (terminal.isWatched) terminal.say('Stopping; once more ends it at once.')
  } finally {
    await started.close()
  }
}

/** Loaded when it is needed: a start is quick. */
async function gatewayOf(command: Command, options: ServeOptions): Promise<Start> {
  const { startGateway } = await import('./start-gateway.ts')
  return startGateway(command, options)
}

function brokerOf(command: Command, options: ServeOptions): Start {
  const isInMemory = keepsInMemory(command, options)
  const config = readConfig(options.config ?? [])
  return async (report) => {
    const started = await createBroker({
      ...(isInMemory ? { memory: true } : { data: options.data }),
      sync: options.sync,
      ...(options.memoryBytes === undefined ? {} : { memoryBytesMax: options.memoryBytes }),
      config,
      topics: options.topic ?? [],
      report,
    })
    const place = isInMemory ? 'data in memory' : `data ${options.data}, sync ${options.sync}`
    return { started, place }
  }
}

/** Whoever reaches the port could read and write everything from a script: that has to be meant. */
function httpOptions(options: ServeOptions): HttpOptions | false {
  const { host, http, httpToken, httpHost, httpOrigin } = options
  if (http === false) return false
  if (httpToken === undefined && !isLoopback(host) && host !== 'localhost') {
    throw new UsageError(
      `--host ${host} opens HTTP to other machines`,
      'give a token with --http-token, or go without with --no-http',
    )
  }
  const token = httpToken === undefined ? {} : { token: httpToken }
  return { hosts: httpHost ?? [], origins: httpOrigin ?? [], ...token }
}

/** What stands in the files that the options name. */
async function readTls(
  { tlsCert, tlsKey, plaintext }: ServeOptions,
  terminal: Terminal,
): Promise<{ cert: Uint8Array; key: Uint8Array } | undefined> {
  if (tlsCert === undefined && tlsKey === undefined) {
    if (plaintext !== true) return undefined
    throw new UsageError('--plaintext goes with --tls-cert', 'without a certificate all is plain')
  }
  if (tlsCert === undefined || tlsKey === undefined) {
    throw new UsageError('--tls-cert and --tls-key go together', 'give both files')
  }
  const read = async (what: string, path: string) => {
    try {
      return await terminal.readFile(path, pemBytesMax)
    } catch (cause) {
      throw new CommandError(`${what} cannot be read: ${(cause as Error).message}`)
    }
  }
  return { cert: await read('--tls-cert', tlsCert), key: await read('--tls-key', tlsKey) }
}

/** Behind a port mapping nothing tells which address clients came to. */
function adviceFor({ host, advertise }: ServeOptions): string {
  const isEverywhere = host === '0.0.0.0' || host === '::'
  if (!isEverywhere || advertise !== undefined || !isInContainer()) return ''
  return '; in a container Kafka clients need --advertise host:port, the address that they connect to'
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
  const memory = strengthOf(command, 'memory')
  const data = strengthOf(command, 'data')
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
