/** A proxy that counts the bytes of the connections that go through it, each way. */
import { once } from 'node:events'
import { connect, createServer, type Socket } from 'node:net'

export interface CountingProxy extends AsyncDisposable {
  readonly port: number
  /** Bytes that the clients sent. */
  up: number
  /** Bytes that the broker sent. */
  down: number
  connections: number
}

export async function startCountingProxy(brokerPort: number): Promise<CountingProxy> {
  const sockets = new Set<Socket>()
  const server = createServer({ noDelay: true }, (near) => {
    const far = connect({ port: brokerPort, host: '127.0.0.1', noDelay: true })
    proxy.connections++
    near.on('data', (chunk) => {
      proxy.up += chunk.length
      far.write(chunk)
    })
    far.on('data', (chunk) => {
      proxy.down += chunk.length
      near.write(chunk)
    })
    for (const [socket, other] of [
      [near, far],
      [far, near],
    ] as const) {
      sockets.add(socket)
      socket.on('error', () => {})
      socket.on('close', () => {
        sockets.delete(socket)
        other.destroy()
      })
    }
  })
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')
  const address = server.address()
  if (typeof address !== 'object' || address === null) throw new Error('no port')
  const proxy: CountingProxy = {
    port: address.port,
    up: 0,
    down: 0,
    connections: 0,
    [Symbol.asyncDispose]: async () => {
      for (const socket of sockets) socket.destroy()
      server.close()
      await once(server, 'close')
    },
  }
  return proxy
}
