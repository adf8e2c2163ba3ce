/** `kafkas://`: TLS, and who one is by PLAIN and SCRAM, on a broker of Apache Kafka that wants both. */
import assert from 'node:assert/strict'
import { after, test } from 'node:test'
import { ConnectionError, connect, NotAuthorizedError } from '@kaska/client'
import { Producer } from '@platformatic/kafka'
import { kafkaClassPath, startApacheKafka } from '../../../compat/lib/apache-kafka.ts'
import { freePorts } from '../../../compat/lib/broker-process.ts'
import { runJdk, SkippedError } from '../../../compat/lib/maven.ts'
import { certificate, privateKey } from '../../client/test/test-certificate.ts'
import { createGateway } from '../src/gateway.ts'
import { textOf } from './client-modes.ts'

const user = 'ada'
const password = 'p@ss/word'
const secret = encodeURIComponent(password)

async function start() {
  const [port = 0, securePort = 0, controllerPort = 0] = await freePorts(3)
  const plain = 'org.apache.kafka.common.security.plain.PlainLoginModule required'
  const scram = 'org.apache.kafka.common.security.scram.ScramLoginModule required;'
  const broker = await startApacheKafka({
    controllerPort,
    port,
    properties: {
      listeners: `PLAINTEXT://127.0.0.1:${port},SECURE://127.0.0.1:${securePort},CONTROLLER://127.0.0.1:${controllerPort}`,
      'listener.security.protocol.map': 'PLAINTEXT:PLAINTEXT,CONTROLLER:PLAINTEXT,SECURE:SASL_SSL',
      'sasl.enabled.mechanisms': 'PLAIN,SCRAM-SHA-256,SCRAM-SHA-512',
      'listener.name.secure.plain.sasl.jaas.config': `${plain} user_${user}="${password}";`,
      'listener.name.secure.scram-sha-256.sasl.jaas.config': scram,
      'listener.name.secure.scram-sha-512.sasl.jaas.config': scram,
      'ssl.keystore.type': 'PEM',
      'ssl.keystore.certificate.chain': oneLine(certificate),
      'ssl.keystore.key': oneLine(privateKey),
    },
  })
  for (const mechanism of ['SCRAM-SHA-256', 'SCRAM-SHA-512']) {
    runJdk('java', [
      ...['-cp', kafkaClassPath(), 'kafka.admin.ConfigCommand'],
      ...['--bootstrap-server', broker.bootstrap, '--alter', '--entity-type', 'users'],
      ...['--entity-name', user, '--add-config', `${mechanism}=[password=${password}]`],
    ])
  }
  return { broker, address: `127.0.0.1:${securePort}` }
}

/** As a file of properties has it. */
function oneLine(pem: string): string {
  return pem.trimEnd().replaceAll('\n', '\\n')
}

async function startOrSkip() {
  try {
    return await start()
  } catch (error) {
    if (error instanceof SkippedError) return error.message
    throw error
  }
}

const started = await startOrSkip()
if (typeof started === 'string') test('kafkas://', { skip: started }, () => {})
else {
  const { broker, address } = started
  const tls = { ca: certificate }
  // The first handshakes of a new machine for Java take their time.
  const patient = { tls, connectTimeoutMs: 60_000 }
  after(() => broker.stop())

  for (const mechanism of ['PLAIN', 'SCRAM-SHA-256', 'SCRAM-SHA-512']) {
    test(`who one is by ${mechanism}, over TLS`, async () => {
      const url = `kafkas://${user}:${secret}@${address}?sasl=${mechanism}`
      await using client = await connect(url, patient)
      const topic = `of-${mechanism}`
      await client.createTopic(topic)
      await client.subscribe([topic])
      await client.send(topic, 'hello')
      assert.equal(textOf(await client.poll({ timeoutMs: 60_000 })), 'hello')
    })

    test(`a wrong password is refused by ${mechanism}`, async () => {
      const url = `kafkas://${user}:wrong@${address}?sasl=${mechanism}`
      await assert.rejects(connect(url, patient), (error) => {
        assert.ok(error instanceof NotAuthorizedError, `${error}`)
        assert.doesNotMatch(error.message, /wrong/)
        return true
      })
    })
  }

  test('a gateway is let in by its URL; a Kafka client that comes through it by its own name', async () => {
    const engine = `kafkas://${user}:${secret}@${address}?sasl=SCRAM-SHA-512`
    await using gateway = await createGateway({ engine, ...patient, topics: [{ name: 'gated' }] })
    assert.equal(gateway.engineUrl, `kafkas://${address}`)
    const identity = { cert: certificate, key: privateKey }
    const { port, url } = await gateway.listen({ port: 0, tls: identity })
    await using client = await connect(url, { tls })
    await client.subscribe(['gated'])
    const bootstrapBrokers = [`127.0.0.1:${port}`]
    const base = { clientId: 'test', bootstrapBrokers, tls, retries: 0, connectTimeout: 60_000 }
    const sasl = { mechanism: 'PLAIN', username: user, password } as const
    const producer = new Producer({ ...base, sasl })
    await producer.send({ messages: [{ topic: 'gated', value: Buffer.from('hello') }] })
    await producer.close()
    assert.equal(textOf(await client.poll({ timeoutMs: 60_000 })), 'hello')

    const stranger = new Producer({ ...base, sasl: { ...sasl, password: 'wrong' } })
    const messages = [{ topic: 'gated', value: Buffer.from('no') }]
    await assert.rejects(stranger.send({ messages }))
    await stranger.close()
  })

  test('whom nobody vouches for is not spoken to', async () => {
    const untrusting = connect(`kafkas://${user}:${secret}@${address}`, {
      connectTimeoutMs: 60_000,
    })
    await assert.rejects(untrusting, (error) => {
      assert.ok(error instanceof ConnectionError, `${error}`)
      assert.match(error.message, /self-signed certificate/)
      return true
    })
  })

  test('a broker that wants TLS is not waited for without', async () => {
    await assert.rejects(
      connect(`kafka://${user}:${secret}@${address}`, { connectTimeoutMs: 2_000 }),
      (error) => error instanceof ConnectionError,
    )
  })
}
