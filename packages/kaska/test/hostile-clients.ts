/**
 * A process full of clients that mean harm: so many send half of a 64 MiB frame and stop, so many ask
 * for megabytes and never read them. It prints a line when all of that is under way, and ends with
 * its standard input.
 *
 *     node hostile-clients.ts PORT HALVES DEAF TOPIC
 */
import { type ChildProcess, spawn } from 'node:child_process'
import { once } from 'node:events'
import { connect, type Socket } from 'node:net'
import process from 'node:process'
import { createInterface } from 'node:readline'
import { native, topicNameOf } from '@kaska/protocol'
import { preamble } from './raw-client.ts'

const frameBytes = 64 * 1024 * 1024

export interface HostileClients extends AsyncDisposable {
  /** Resolves when all of them are connected and have sent what they mean to. */
  readonly ready: Promise<void>
}

export function startHostileClients(
  port: number,
  counts: { halves: number; deaf: number; topic: string },
): HostileClients {
  const argv = [port, counts.halves, counts.deaf, counts.topic].map(String)
  const node = [process.execPath, '--conditions=source', import.meta.filename, ...argv]
  const script = 'ulimit -n $(ulimit -Hn) 2>/dev/null; exec "$@"'
  const child: ChildProcess = spawn('/bin/sh', ['-c', script, 'sh', ...node], {
    stdio: ['pipe', 'pipe', 'inherit'],
  })
  const { stdin, stdout } = child
  if (stdin === null || stdout === null) throw new Error('a child without pipes')
  return {
    ready: createInterface(stdout)
      [Symbol.asyncIterator]()
      .next()
      .then(() => {}),
    [Symbol.asyncDispose]: async () => {
      const exit = once(child, 'exit')
      stdin.end()
      await exit
    },
  }
}

async function dial(port: number): Promise<Socket> {
  const socket = connect({ port, host: '127.0.0.1', noDelay: true })
  await once(socket, 'connect')
  // The broker closes it sooner or later.
  socket.on('error', () => {})
  return socket
}

async function main(port: number, halves: number, deaf: number, topic: string): Promise<void> {
  const head = native.encodeRequest(native.operation.send, 1, (writer) =>
    writer.view(new Uint8Array(frameBytes)),
  )[0] as Uint8Array
  const half = new Uint8Array(frameBytes / 2)
  const resolve = native.encodeRequest(native.operation.resolve, 1, (writer) =>
    native.writeResolveRequest(writer, [topicNameOf(topic)]),
  )
  const poll = native.encodeRequest(native.operation.poll, 2, (writer) =>
    native.writePollRequest(writer, {
      waitMs: 1000,
      bytesMax: frameBytes,
      parts: [{ ref: 1, partition: 0, offset: 0 }],
    }),
  )
  const sockets: Socket[] = []
  for (let index = 0; index < Math.max(halves, deaf); index++) {
    if (index < halves) {
      const socket = await dial(port)
      sockets.push(socket)
      for (const bytes of [preamble, head, half]) socket.write(bytes)
    }
    if (index < deaf) {
      const socket = await dial(port)
      sockets.push(socket)
      for (const bytes of [preamble, ...resolve]) socket.write(bytes)
      await once(socket, 'data')
      socket.pause()
      for (const bytes of poll) socket.write(bytes)
    }
  }
  process.stdout.write('ready\n')
  process.stdin.resume()
  await once(process.stdin, 'end')
  process.exit()
}

if (process.argv[1] === import.meta.filename) {
  const [port, halves, deaf] = process.argv.slice(2, 5).map(Number) as [number, number, number]
  await main(port, halves, deaf, process.argv[5] as string)
}
