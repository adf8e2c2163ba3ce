/** A bare Kafka client over a socket, plain or TLS, which it takes with it when it is disposed of. */
import { connect, type Socket } from 'node:net'
import { joinChunks } from '@kaska/protocol'
import { KafkaTestClient } from './kafka-client.ts'

export interface KafkaSocketClient extends KafkaTestClient, Disposable {
  readonly socket: Socket
}

/** Over a socket that is connected, or about to be. Each request is one write. */
export function kafkaOver(socket: Socket, clientId?: string): KafkaSocketClient {
  const client = new KafkaTestClient((chunks) => socket.write(joinChunks(chunks)), clientId)
  socket.on('data', (chunk) => client.received(chunk))
  socket.on('error', () => {})
  socket.on('close', () => client.ended())
  return Object.assign(client, { socket, [Symbol.dispose]: () => void socket.destroy() })
}

/** Over a new connection to a port of this machine. */
export function dialKafkaPort(port: number, clientId?: string): KafkaSocketClient {
  return kafkaOver(connect(port, '127.0.0.1'), clientId)
}
