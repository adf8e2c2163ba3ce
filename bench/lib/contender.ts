/** The brokers that the Kafka suite compares, each in a process of its own, all driven by bench/franz. */
import { connect } from 'node:net'
import path from 'node:path'
import { prepareApacheKafka } from '../../compat/lib/apache-kafka.ts'
import { BrokerProcess, createDirectory, freePorts } from '../../compat/lib/broker-process.ts'
import { prepareKaska } from '../../compat/lib/kaska.ts'
import { SkippedError } from '../../compat/lib/maven.ts'
import type { SyncMode } from './target.ts'

export type ContenderName = 'Kaska' | 'Apache Kafka' | 'kfake'

/** What Kafka's own start script gives the JVM. */
const kafkaHeap = '1G'
const kafkaJvm = [
  '-Xms1G',
  '-server',
  '-XX:+UseG1GC',
  '-XX:MaxGCPauseMillis=20',
  '-XX:InitiatingHeapOccupancyPercent=35',
  '-XX:+ExplicitGCInvokesConcurrent',
]

/** Kafka's defaults, where compat/ has other values for the sake of its tests. */
const kafkaDefaults = {
  'broker.session.timeout.ms': '9000',
  'broker.heartbeat.interval.ms': '2000',
  'offsets.topic.num.partitions': '50',
  'transaction.state.log.num.partitions': '50',
  // Deleted topics leave the page cache soon: it is not the disk that is measured.
  'log.segment.delete.delay.ms': '1000',
}

export interface Contenders extends AsyncDisposable {
  readonly brokers: ReadonlyMap<ContenderName, BrokerProcess>
  /** Who is not there, and why. */
  readonly skipped: ReadonlyMap<ContenderName, string>
}

/** Makes each of them, not started; `stop` ends it. `kaska` is its program, unless that of the clone. Kafka may throw SkippedError. */
export async function prepareContender(
  name: ContenderName,
  sync: SyncMode,
  franz: string,
  kaska?: string,
): Promise<BrokerProcess> {
  if (name === 'Kaska') return await prepareKaska(['--sync', sync], kaska)
  if (name === 'Apache Kafka') {
    const flush = sync === 'always' ? { 'log.flush.interval.messages': '1' } : {}
    const properties = { ...kafkaDefaults, ...flush }
    return await prepareApacheKafka({ heap: kafkaHeap, jvm: kafkaJvm, properties })
  }
  const [port = 0] = await freePorts(1)
  const directory = createDirectory('kfake')
  const data = path.join(directory, 'data')
  const argv = ['serve', '--port', String(port), '--data', data]
  return new BrokerProcess({
    name,
    port,
    directory,
    program: franz,
    argv: sync === 'always' ? [...argv, '--synced'] : argv,
    startMsMax: 10_000,
    ready: () => isOpen(port),
  })
}

/** Starts all that can run here. */
export async function startContenders(sync: SyncMode, franz: string): Promise<Contenders> {
  const brokers = new Map<ContenderName, BrokerProcess>()
  const skipped = new Map<ContenderName, string>()
  const stop = async () => {
    for (const broker of brokers.values()) await broker.stop()
  }
  try {
    for (const name of ['Kaska', 'Apache Kafka', 'kfake'] as const) {
      try {
        const broker = await prepareContender(name, sync, franz)
        brokers.set(name, broker)
        await broker.start()
      } catch (error) {
        if (!(error instanceof SkippedError)) throw error
        skipped.set(name, error.message)
      }
    }
  } catch (error) {
    await stop()
    throw error
  }
  return { brokers, skipped, [Symbol.asyncDispose]: stop }
}

function isOpen(port: number): Promise<boolean> {
  return new Promise((resolve) => {
    const socket = connect(port, '127.0.0.1')
    socket.once('connect', () => {
      socket.destroy()
      resolve(true)
    })
    socket.once('error', () => resolve(false))
  })
}
