/**
 * Apache Kafka as it is released, from Maven Central: one node in KRaft mode, on loopback, in a directory of
 * its own. What Kaska is compared with, in behaviour and in speed.
 */
import { spawnSync } from 'node:child_process'
import { existsSync, mkdirSync, renameSync, writeFileSync } from 'node:fs'
import path from 'node:path'
import { BrokerProcess, createDirectory, freePorts } from './broker-process.ts'
import { cacheDirectory, mavenJar, SkippedError } from './maven.ts'
import { answersMetadata } from './raw-requests.ts'

export const kafkaVersion = '4.3.1'
const artifacts = ['kafka_2.13', 'kafka-tools']

/** The class path of the broker, the client and the tools; fetched once. Throws SkippedError. */
export function kafkaClassPath(): string {
  const directory = path.join(cacheDirectory, `kafka-${kafkaVersion}`)
  const jars = path.join(directory, 'lib')
  if (existsSync(jars)) return path.join(jars, '*')
  // Filled under another name first, so that what is there is whole.
  const filling = path.join(directory, `lib-${process.pid}`)
  mkdirSync(filling, { recursive: true })
  const pom = path.join(directory, 'pom.xml')
  writeFileSync(pom, projectModel())
  const goal = ['dependency:copy-dependencies', `-DoutputDirectory=${filling}`]
  const { error, status, stdout } = spawnSync('mvn', ['-q', '-B', '-f', pom, ...goal], {
    encoding: 'utf8',
    timeout: 600_000,
  })
  if (error !== undefined) throw new SkippedError(`mvn does not run here: ${error.message}`)
  if (status !== 0) throw new SkippedError(`Maven did not get Kafka: ${stdout.split('\n')[0]}`)
  if (!existsSync(jars)) renameSync(filling, jars)
  return path.join(jars, '*')
}

export interface ApacheKafkaOptions {
  /** Added to the server's properties, or instead of them. */
  readonly properties?: Readonly<Record<string, string>>
  /** The most that the heap of the JVM may take, as `-Xmx` has it. */
  readonly heap?: string
  /** Further options of the JVM. */
  readonly jvm?: readonly string[]
  /** Where it and its controller listen, if others have to know beforehand. */
  readonly port?: number
  readonly controllerPort?: number
}

/** Starts one. Throws SkippedError where it cannot run. */
export async function startApacheKafka(options: ApacheKafkaOptions = {}): Promise<BrokerProcess> {
  const broker = await prepareApacheKafka(options)
  await broker.start()
  return broker
}

/** All but the start, for who measures that; `stop` removes its directory. Throws SkippedError. */
export async function prepareApacheKafka(options: ApacheKafkaOptions = {}): Promise<BrokerProcess> {
  const kafka = kafkaClassPath()
  const classPath = `${kafka}${path.delimiter}${mavenJar('org.slf4j:slf4j-simple:1.7.36')}`
  const [freePort = 0, otherPort = 0] = await freePorts(2)
  const { port = freePort, controllerPort = otherPort } = options
  const directory = createDirectory('kafka')
  const properties = { ...serverProperties(directory, port, controllerPort), ...options.properties }
  const file = path.join(directory, 'server.properties')
  const lines = Object.entries(properties).map(([name, value]) => `${name}=${value}\n`)
  writeFileSync(file, lines.join(''))
  format(classPath, file)
  return new BrokerProcess({
    name: 'Apache Kafka',
    port,
    directory,
    program: 'java',
    argv: [
      `-Xmx${options.heap ?? '512m'}`,
      ...(options.jvm ?? []),
      '-Dorg.slf4j.simpleLogger.defaultLogLevel=error',
      '-cp',
      classPath,
      'kafka.Kafka',
      file,
    ],
    startMsMax: 60_000,
    ready: () => answersMetadata(port),
  })
}

/** What a cluster of one needs, and no waiting for members that may come. */
function serverProperties(directory: string, port: number, controllerPort: number) {
  return {
    'process.roles': 'broker,controller',
    'node.id': '1',
    'controller.quorum.voters': `1@127.0.0.1:${controllerPort}`,
    listeners: `PLAINTEXT://127.0.0.1:${port},CONTROLLER://127.0.0.1:${controllerPort}`,
    'controller.listener.names': 'CONTROLLER',
    'log.dirs': path.join(directory, 'data'),
    'offsets.topic.replication.factor': '1',
    'offsets.topic.num.partitions': '4',
    'transaction.state.log.replication.factor': '1',
    'transaction.state.log.min.isr': '1',
    'transaction.state.log.num.partitions': '4',
    'share.coordinator.state.topic.replication.factor': '1',
    'share.coordinator.state.topic.min.isr': '1',
    'group.initial.rebalance.delay.ms': '0',
    // After a kill it is its own predecessor's registration that a new start has to wait out.
    'broker.session.timeout.ms': '2000',
    'broker.heartbeat.interval.ms': '500',
  }
}

function format(classPath: string, propertiesFile: string): void {
  const clusterId = 'a2Fza2EtY29tcGF0LXRlcw'
  const argv = ['-cp', classPath, 'kafka.tools.StorageTool']
  const { error, status, stdout, stderr } = spawnSync(
    'java',
    [...argv, 'format', '--cluster-id', clusterId, '--config', propertiesFile],
    { encoding: 'utf8' },
  )
  if (error !== undefined) throw new SkippedError(`java does not run here: ${error.message}`)
  if (status !== 0) throw new SkippedError(`Kafka's storage is not formatted: ${stdout}${stderr}`)
}

function projectModel(): string {
  const dependencies = artifacts.map(
    (artifact) => `
    <dependency>
      <groupId>org.apache.kafka</groupId>
      <artifactId>${artifact}</artifactId>
      <version>${kafkaVersion}</version>
    </dependency>`,
  )
  return `<project>
  <modelVersion>4.0.0</modelVersion>
  <groupId>kaska</groupId>
  <artifactId>compat</artifactId>
  <version>1</version>
  <dependencies>${dependencies.join('')}
  </dependencies>
</project>
`
}
