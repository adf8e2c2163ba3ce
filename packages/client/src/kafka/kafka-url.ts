/**
 * Where a cluster is: `kafka://b1:9092,b2:9092`, `kafkas://` for TLS, with a user and a password where the
 * brokers ask for them (SASL): `kafkas://user:password@b1:9092?sasl=SCRAM-SHA-512`. PLAIN unless said.
 */
import { InvalidArgumentError } from '@kaska/protocol'
import type { BrokerAddress } from './kafka-link.ts'

export const saslMechanisms = ['PLAIN', 'SCRAM-SHA-256', 'SCRAM-SHA-512'] as const
export type SaslMechanism = (typeof saslMechanisms)[number]

export interface Sasl {
  readonly mechanism: SaslMechanism
  readonly username: string
  readonly password: string
}

export interface KafkaUrl {
  readonly brokers: readonly BrokerAddress[]
  readonly isSecure: boolean
  readonly sasl: Sasl | undefined
}

export const kafkaPort = 9092

export function isKafkaUrl(text: string): boolean {
  return /^kafkas?:\/\//i.test(text)
}

/** Throws InvalidArgumentError, which never repeats the password. */
export function parseKafkaUrl(text: string): KafkaUrl {
  const match = /^(kafkas?):\/\/(?:([^@/?#]*)@)?([^@/?#]*)\/?(?:\?([^#]*))?$/i.exec(text)
  if (match === null) {
    throw new InvalidArgumentError('a cluster is named like kafka://b1:9092,b2:9092')
  }
  const [, scheme = '', user, hosts = '', query = ''] = match
  const brokers = hosts.split(',').map(addressOf)
  return { brokers, isSecure: scheme.toLowerCase() === 'kafkas', sasl: saslOf(user, query) }
}

function addressOf(text: string): BrokerAddress {
  let url: URL
  try {
    url = new URL(`tcp://${text}`)
  } catch {
    throw new InvalidArgumentError(`'${text}' names no broker: a name, or name:port`)
  }
  if (url.hostname === '') throw new InvalidArgumentError('a broker without a name')
  const host = url.hostname.startsWith('[') ? url.hostname.slice(1, -1) : url.hostname
  return { host, port: url.port === '' ? kafkaPort : Number(url.port) }
}

function saslOf(user: string | undefined, query: string): Sasl | undefined {
  const [, named] = /^sasl=([\w-]+)$/i.exec(query) ?? []
  if (query !== '' && named === undefined) {
    throw new InvalidArgumentError('a kafka:// URL has one parameter: ?sasl=SCRAM-SHA-512')
  }
  const mechanism = (named ?? 'PLAIN').toUpperCase()
  if (!isMechanism(mechanism)) {
    throw new InvalidArgumentError(`sasl is one of ${saslMechanisms.join(', ')}`)
  }
  if (user === undefined) {
    if (named !== undefined) throw new InvalidArgumentError('sasl needs user:password@')
    return undefined
  }
  const colon = user.indexOf(':')
  try {
    return {
      mechanism,
      username: decodeURIComponent(colon === -1 ? user : user.slice(0, colon)),
      password: colon === -1 ? '' : decodeURIComponent(user.slice(colon + 1)),
    }
  } catch {
    throw new InvalidArgumentError('the user or the password is not percent-encoded well')
  }
}

function isMechanism(text: string): text is SaslMechanism {
  return (saslMechanisms as readonly string[]).includes(text)
}
