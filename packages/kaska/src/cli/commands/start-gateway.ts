/** `kaska serve --engine`: the gateway to a cluster. */
import { parseKafkaUrl } from '@kaska/client'
import { ConnectionError } from '@kaska/protocol'
import type { Command } from 'commander'
import { createGateway } from '../../gateway.ts'
import { CommandError, UsageError } from '../failure.ts'
import { strengthOf } from '../settings.ts'
import type { TopicSpec } from '../values.ts'
import type { Start } from './start.ts'

export interface GatewayCommandOptions {
  readonly engine?: string
  readonly memoryBytes?: number
  readonly topic?: readonly TopicSpec[]
}

/** Options that say how a broker with logs of its own is to be; and why a gateway has no use for them. */
const brokerOnly: Readonly<Record<string, string>> = {
  data: 'nothing is kept here, the messages are on the cluster',
  memory: 'nothing is kept here, the messages are on the cluster',
  sync: "the cluster's min.insync.replicas says what an acknowledgement promises",
  config: "the cluster's brokers have their own configuration",
  advertise: "Kafka clients are told the addresses of the cluster's own brokers",
}

/** Throws UsageError for what goes with a broker alone, where it was said at least as strongly as --engine. */
export function startGateway(
  command: Command,
  { engine = '', memoryBytes, topic }: GatewayCommandOptions,
): Start {
  const said = strengthOf(command, 'engine')
  for (const [name, reason] of Object.entries(brokerOnly)) {
    const value = command.getOptionValue(name)
    // What is weaker is there for another broker, in a file or an environment that both have.
    if (value === undefined || value === false || strengthOf(command, name) < said) continue
    throw new UsageError(`--${name} does not go with --engine: ${reason}`, 'leave one of them out')
  }
  try {
    parseKafkaUrl(engine)
  } catch (error) {
    throw new UsageError(`--engine: ${(error as Error).message}`)
  }
  return async (report) => {
    const options = { engine, topics: topic ?? [], report }
    const started = await createGateway(
      memoryBytes === undefined ? options : { ...options, memoryBytesMax: memoryBytes },
    ).catch(failedToConnect)
    return { started, place: `engine ${started.engineUrl}` }
  }
}

function failedToConnect(error: unknown): never {
  if (error instanceof ConnectionError) {
    const advice =
      'see that the cluster runs, and that --engine names brokers as this machine reaches them'
    throw new CommandError(error.message, advice, { cause: error })
  }
  throw error
}
