/**
 * A cluster of Apache Kafka: three brokers, each of them a controller too, on loopback. What is
 * acknowledged is on two of them at least, so one may be killed.
 */
import { type ApacheKafkaOptions, prepareApacheKafka } from './apache-kafka.ts'
import { type BrokerProcess, freePorts } from './broker-process.ts'

const brokerCount = 3

export class ApacheKafkaCluster implements AsyncDisposable {
  readonly brokers: readonly BrokerProcess[]

  constructor(brokers: readonly BrokerProcess[]) {
    this.brokers = brokers
  }

  /** `127.0.0.1:1,127.0.0.1:2,127.0.0.1:3` */
  get bootstrap(): string {
    return this.brokers.map(({ bootstrap }) => bootstrap).join(',')
  }

  async stop(): Promise<void> {
    await Promise.all(this.brokers.map((broker) => broker.stop()))
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.stop()
  }
}

/** Starts one; `options` are for each broker. Throws SkippedError where it cannot run. */
export async function startApacheKafkaCluster(
  options: ApacheKafkaOptions = {},
): Promise<ApacheKafkaCluster> {
  const controllerPorts = await freePorts(brokerCount)
  const voters = controllerPorts.map((port, index) => `${index + 1}@127.0.0.1:${port}`).join(',')
  const brokers: BrokerProcess[] = []
  try {
    for (const [index, controllerPort] of controllerPorts.entries()) {
      const properties = {
        ...clusterProperties(index + 1, voters),
        ...options.properties,
      }
      brokers.push(
        await prepareApacheKafka({ heap: '384m', ...options, properties, controllerPort }),
      )
    }
    const cluster = new ApacheKafkaCluster(brokers)
    await Promise.all(brokers.map((broker) => broker.start()))
    return cluster
  } catch (error) {
    await Promise.all(brokers.map((broker) => broker.stop()))
    throw error
  }
}

function clusterProperties(nodeId: number, voters: string): Record<string, string> {
  return {
    'node.id': String(nodeId),
    'controller.quorum.voters': voters,
    'default.replication.factor': '3',
    'min.insync.replicas': '2',
    'offsets.topic.replication.factor': '3',
    'transaction.state.log.replication.factor': '3',
    'transaction.state.log.min.isr': '2',
    'share.coordinator.state.topic.replication.factor': '3',
    'share.coordinator.state.topic.min.isr': '2',
    'auto.create.topics.enable': 'false',
    // Thousands of topics on one machine: their indexes begin small.
    'log.index.size.max.bytes': '65536',
    'replica.lag.time.max.ms': '5000',
    'broker.session.timeout.ms': '3000',
    // As topics of a Kaska broker have it: messages of 1970 stay.
    'log.retention.ms': '-1',
  }
}
