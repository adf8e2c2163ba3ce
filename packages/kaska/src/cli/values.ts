/**
 * Readers for the values of options. Each takes the text and what errors call it, and throws
 * UsageError where the text is not what it has to be.
 */
import { UsageError } from './failure.ts'

const unitBytes: Readonly<Record<string, number>> = {
  '': 1,
  k: 1024,
  m: 1024 ** 2,
  g: 1024 ** 3,
  t: 1024 ** 4,
}

/** A whole number from `min` to `max`. */
export function readInteger(text: string, what: string, min: number, max: number): number {
  const value = /^\d{1,16}$/.test(text) ? Number(text) : Number.NaN
  if (!(value >= min && value <= max)) {
    const range = max === Number.MAX_SAFE_INTEGER ? `from ${min}` : `from ${min} to ${max}`
    throw new UsageError(`${what} is a whole number ${range}, not '${text}'`)
  }
  return value
}

export function readPort(text: string, what: string): number {
  return readInteger(text, what, 0, 65_535)
}

export function readPartition(text: string, what: string): number {
  return readInteger(text, what, 0, 0x7fff_ffff)
}

/** `0` or `0,2,5` */
export function readPartitions(text: string, what: string): number[] {
  return text.split(',').map((part) => readPartition(part, what))
}

export function readCount(text: string, what: string): number {
  return readInteger(text, what, 0, Number.MAX_SAFE_INTEGER)
}

export function readPositive(text: string, what: string): number {
  return readInteger(text, what, 1, Number.MAX_SAFE_INTEGER)
}

/** A size in bytes: `1048576`, `64k`, `512MiB`, `1g`; units count by 1,024. */
export function readBytes(text: string, what: string): number {
  const [, digits = '', unit = ''] = /^(\d{1,16})\s*([kmgt]?)(?:i?b)?$/i.exec(text) ?? []
  const bytes = digits === '' ? Number.NaN : Number(digits) * (unitBytes[unit.toLowerCase()] ?? 1)
  if (!Number.isSafeInteger(bytes)) {
    throw new UsageError(`${what} is a size such as 1048576, 64k or 512MiB, not '${text}'`)
  }
  return bytes
}

export function readBoolean(text: string, what: string): boolean {
  if (/^(1|true|yes|on)$/i.test(text)) return true
  if (/^(0|false|no|off)$/i.test(text)) return false
  throw new UsageError(`${what} is true or false, not '${text}'`)
}

export function readText(text: string, what: string): string {
  if (text === '') throw new UsageError(`${what} cannot be empty`)
  return text
}

/** A reader for one of the given words. */
export function readChoice<T extends string>(...choices: readonly T[]) {
  return (text: string, what: string): T => {
    const found = choices.find((choice) => choice === text)
    if (found === undefined) {
      throw new UsageError(`${what} is ${choices.join(' or ')}, not '${text}'`)
    }
    return found
  }
}

export interface TopicSpec {
  readonly name: string
  readonly partitions: number
}

const partitionsMax = 10_000

/**
 * `name` or `name:partitions`. What follows the last colon is the number of partitions if it is one:
 * a name that ends that way is written with its number of partitions behind it (`a:1:1`).
 */
export function readTopicSpec(text: string, what: string): TopicSpec {
  const [, name, digits] = /^(.*):(\d+)$/s.exec(text) ?? []
  if (name === undefined || digits === undefined)
    return { name: readText(text, what), partitions: 1 }
  const partitions = readInteger(digits, `the number of partitions in ${what}`, 1, partitionsMax)
  return { name: readText(name, what), partitions }
}

export function readPartitionCount(text: string, what: string): number {
  return readInteger(text, what, 1, partitionsMax)
}

/** `name=value`: what stands before the first `=`, and all behind it. */
export function readPair(text: string, what: string): [string, string] {
  const equals = text.indexOf('=')
  if (equals <= 0) throw new UsageError(`${what} is name=value, not '${text}'`)
  return [text.slice(0, equals), text.slice(equals + 1)]
}

export const defaultPort = 9092
const defaultHost = '127.0.0.1'

/** A broker's address as a URL: `host`, `host:port`, `[::1]:9092` or a URL, which stays as it is. */
export function readBrokerUrl(text: string, what: string): string {
  // A cluster's names several brokers, which no URL does: whoever connects takes it apart.
  if (/^kafkas?:\/\/./i.test(text)) return text
  if (/^[a-z][a-z0-9+.-]*:\/\//i.test(text)) {
    if (!URL.canParse(text)) throw new UsageError(`${what} is not an address: '${text}'`)
    return text
  }
  const [, host, port = String(defaultPort)] =
    /^(\[[0-9a-f:.%]+\]|[^\s:/[\]@]+)(?::(\d+))?$/i.exec(text) ?? []
  if (host === undefined) {
    throw new UsageError(`${what} is host:port or kaska://host:port, not '${text}'`)
  }
  return `kaska://${host}:${readPort(port, `the port in ${what}`)}`
}

/**
 * The broker that a client command speaks to: as given, else by BROKER_HOST and BROKER_PORT, else the
 * one on this machine. (KASKA_URL is the option's own environment variable, and was looked at before.)
 */
export function brokerUrl(
  given: string | undefined,
  environment: Readonly<Record<string, string | undefined>>,
): string {
  if (given !== undefined) return given
  const host = environment['BROKER_HOST'] || defaultHost
  const port = environment['BROKER_PORT'] || String(defaultPort)
  const isBareIpv6 = host.includes(':') && !host.startsWith('[')
  return readBrokerUrl(
    `${isBareIpv6 ? `[${host}]` : host}:${readPort(port, 'BROKER_PORT')}`,
    'BROKER_HOST',
  )
}

/** `host:port`, an IPv6 address in brackets. */
export function readEndpoint(text: string, what: string): { host: string; port: number } {
  const [, host = '', port = ''] = /^(\[[0-9a-fA-F:.]+\]|[^\s:/[\]]+):(\d{1,5})$/.exec(text) ?? []
  if (host === '' || !(Number(port) >= 1 && Number(port) <= 65_535)) {
    throw new UsageError(`${what} is host:port, not '${text}'`)
  }
  return { host: host.replace(/^\[|\]$/g, ''), port: Number(port) }
}
