/**
 * A row of the listener's table whose protocol is loaded with the first connection that speaks it: a broker
 * that nobody asks for it starts, and stays, without.
 */
import type { Socket } from 'node:net'
import type { PortProtocol } from './listener.ts'

export interface OnDemandOptions {
  readonly name: string
  matches(firstByte: number): boolean
  load(): Promise<PortProtocol>
  readonly report: (line: string) => void
}

export function onDemand({ name, matches, load, report }: OnDemandOptions): PortProtocol {
  let loading: Promise<PortProtocol> | undefined
  let loaded: PortProtocol | undefined
  return {
    name,
    matches,
    accept(socket, firstBytes) {
      if (loaded !== undefined) {
        loaded.accept(socket, firstBytes)
        return
      }
      const giveUp = holdBack(socket)
      loading ??= load()
      loading.then(
        (protocol) => {
          loaded = protocol
          giveUp()
          if (!socket.destroyed) protocol.accept(socket, firstBytes)
        },
        (error: Error) => {
          // The next connection tries again.
          loading = undefined
          report(`${name}: ${error.message}`)
          socket.destroy()
        },
      )
    },
    async close() {
      await (await loading?.catch(() => undefined))?.close()
    },
  }
}

/** Reads nothing for now; returns what ends that. A reset meanwhile concerns nobody. */
function holdBack(socket: Socket): () => void {
  const ignore = () => {}
  socket.pause()
  socket.on('error', ignore)
  return () => {
    socket.off('error', ignore)
    socket.resume()
  }
}
