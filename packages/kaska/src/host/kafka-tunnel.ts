/**
 * Kafka clients of a port with a cluster behind it: each connection is joined, byte for byte, with one to a
 * broker of the cluster. So what it is told is the cluster's own: the versions, who may come in, and who leads
 * what, which sends it to the cluster's own brokers (docs/decisions/0024-a-gateway-tunnels-kafka-clients.md).
 *
 *   accepted --> dialing: one broker after the other --> joined --> one side ends: what it said is
 *      |            |                                      |        passed on, then the other ends
 *      |            +--> none answers: closed, reported    +--> nothing moves for `idleMs`: closed
 *
 * A side that does not take what is passed on stops the reading of the other, so that a tunnel holds what the two
 * sockets hold: some 128 KiB each way at most, nothing when it is idle.
 */
import { connect as connectSocket, isIP, type Socket } from 'node:net'
import { connect as connectTls } from 'node:tls'
import type { BrokerAddress, TlsOptions } from '@kaska/client'
import type { Clock, Timer } from '@kaska/protocol'
import type { Connection, ConnectionBytes, ConnectionLog } from '../figures/connection-log.ts'
import type { PortProtocol } from './listener.ts'
import { formatAddress } from './socket-transport.ts'

export interface KafkaTunnelOptions {
  /** Whom to dial, the first that answers is taken: asked anew for each connection. */
  brokers(): readonly BrokerAddress[]
  /** Undefined: without TLS. */
  readonly tls?: TlsOptions | undefined
  readonly connections: ConnectionLog
  readonly clock: Clock
  /** What a person who runs it should hear of: one line of text each. */
  readonly report: (line: string) => void
  /** How long one broker is given to take a connection; 3 s unless given. */
  readonly dialMs?: number
  /** Nothing moves for so long: as `connections.max.idle.ms` of a broker, 10 minutes unless given. */
  readonly idleMs?: number
  /** How long the other side may take for what is left when one has ended; 5 s unless given. */
  readonly endMs?: number
}

interface Limits {
  readonly dialMs: number
  readonly idleMs: number
  readonly endMs: number
}

/** Tunnels are looked at so often within `idleMs`. */
const checksPerIdle = 4
/** What a client may take to hear that the port is closed. */
const closeMs = 1_000

export function createKafkaTunnel(options: KafkaTunnelOptions): PortProtocol {
  return new Tunnels(options)
}

class Tunnels implements PortProtocol {
  readonly name = 'kafka'
  readonly options: KafkaTunnelOptions
  readonly limits: Limits
  readonly #tunnels = new Set<Tunnel>()
  #dialed = 0
  #isWatching = false
  #isClosed = false
  #allEnded: (() => void) | undefined

  constructor(options: KafkaTunnelOptions) {
    const { dialMs = 3_000, idleMs = 600_000, endMs = 5_000 } = options
    this.options = options
    this.limits = { dialMs, idleMs, endMs }
  }

  /** A connection begins with the length of a request, an int32 below 16 MiB. */
  matches(firstByte: number): boolean {
    return firstByte === 0
  }

  accept(socket: Socket, firstBytes: Uint8Array): void {
    if (this.#isClosed) {
      socket.destroy()
      return
    }
    const tunnel = new Tunnel(this, socket)
    this.#tunnels.add(tunnel)
    this.#watchSoon()
    tunnel.open(firstBytes)
  }

  /** Ends all: what a client has no answer to it asks another broker. */
  async close(): Promise<void> {
    this.#isClosed = true
    if (this.#tunnels.size === 0) return
    const allEnded = new Promise<void>((resolve) => {
      this.#allEnded = resolve
    })
    for (const tunnel of [...this.#tunnels]) tunnel.end()
    const timer = this.options.clock.after(closeMs, () => {
      for (const tunnel of [...this.#tunnels]) tunnel.destroy()
    })
    await allEnded
    timer.cancel()
  }

  /** Each broker once, each time from another one on, so that no one of them has all the connections. */
  candidates(): BrokerAddress[] {
    const byAddress = new Map<string, BrokerAddress>()
    for (const one of this.options.brokers()) byAddress.set(formatAddress(one.host, one.port), one)
    const brokers = [...byAddress.values()]
    const first = this.#dialed++ % Math.max(1, brokers.length)
    return [...brokers.slice(first), ...brokers.slice(0, first)]
  }

  ended(tunnel: Tunnel): void {
    this.#tunnels.delete(tunnel)
    if (this.#tunnels.size === 0) this.#allEnded?.()
  }

  /** The timer runs while there are tunnels. */
  #watchSoon(): void {
    if (this.#isWatching) return
    this.#isWatching = true
    this.options.clock.after(this.limits.idleMs / checksPerIdle, () => {
      this.#isWatching = false
      const now = this.options.clock.monotonic()
      for (const tunnel of [...this.#tunnels]) tunnel.check(now)
      if (this.#tunnels.size > 0 && !this.#isClosed) this.#watchSoon()
    })
  }
}

class Tunnel implements ConnectionBytes {
  /** From the client, and to it. */
  bytesIn = 0
  bytesOut = 0
  readonly #all: Tunnels
  readonly #near: Socket
  readonly #connection: Connection
  #far: Socket | undefined
  #isJoined = false
  #isDone = false
  #endTimer: Timer | undefined
  #movedBytes = -1
  #movedAt = 0

  constructor(all: Tunnels, near: Socket) {
    this.#all = all
    this.#near = near
    this.#connection = all.options.connections.open({
      protocol: 'kafka',
      address: formatAddress(near.remoteAddress, near.remotePort),
      isTls: 'encrypted' in near,
      bytes: this,
    })
  }

  open(firstBytes: Uint8Array): void {
    this.#near.pause()
    // A reset is told by the close that follows it.
    this.#near.on('error', () => {})
    this.#near.on('close', () => this.#closed(this.#far))
    void this.#open(firstBytes)
  }

  /** Says the end to both sides, and takes nothing more. */
  end(): void {
    if (!this.#isJoined) {
      this.destroy()
      return
    }
    for (const socket of [this.#near, this.#far]) {
      socket?.removeAllListeners('data')
      socket?.end()
      socket?.resume()
    }
  }

  destroy(): void {
    this.#near.destroy()
    this.#far?.destroy()
    this.#finish()
  }

  /** Looks whether bytes have moved; called now and then. */
  check(now: number): void {
    const moved = this.bytesIn + this.bytesOut
    if (moved !== this.#movedBytes) {
      this.#movedBytes = moved
      this.#movedAt = now
    } else if (now - this.#movedAt >= this.#all.limits.idleMs) {
      this.destroy()
    }
  }

  async #open(firstBytes: Uint8Array): Promise<void> {
    let reason = 'the cluster names none'
    for (const address of this.#all.candidates()) {
      try {
        const far = await this.#dial(address)
        if (!this.#isDone) this.#join(far, firstBytes)
        return
      } catch (error) {
        if (this.#isDone) return
        reason = `${formatAddress(address.host, address.port)}: ${(error as Error).message}`
      }
    }
    const text = `no broker of the cluster takes its connection: ${reason}`
    this.#connection.refused(text)
    this.#all.options.report(`kafka ${this.#connection.address}: closed: ${text}`)
    this.destroy()
  }

  #dial({ host, port }: BrokerAddress): Promise<Socket> {
    const { options, limits } = this.#all
    const { clock, tls } = options
    const servername = isIP(host) === 0 ? host : ''
    const far: Socket =
      tls === undefined
        ? connectSocket({ host, port })
        : connectTls({ servername, ...tls, host, port })
    this.#far = far
    far.setNoDelay(true)
    return new Promise((resolve, reject) => {
      const timer = clock.after(limits.dialMs, () => {
        far.destroy(new Error(`no answer in ${limits.dialMs} ms`))
      })
      let failure = new Error('it was closed at once')
      far.on('error', (error) => {
        failure = error
      })
      const closed = () => {
        timer.cancel()
        reject(failure)
      }
      far.once('close', closed)
      far.once(tls === undefined ? 'connect' : 'secureConnect', () => {
        timer.cancel()
        far.off('close', closed)
        resolve(far)
      })
    })
  }

  #join(far: Socket, firstBytes: Uint8Array): void {
    const near = this.#near
    this.#isJoined = true
    far.on('close', () => this.#closed(near))
    near.on('data', (chunk: Uint8Array) => {
      this.bytesIn += chunk.length
      if (!far.write(chunk)) near.pause()
    })
    far.on('data', (chunk: Uint8Array) => {
      this.bytesOut += chunk.length
      if (!near.write(chunk)) far.pause()
    })
    far.on('drain', () => near.resume())
    near.on('drain', () => far.resume())
    near.on('end', () => far.end())
    far.on('end', () => near.end())
    this.bytesIn += firstBytes.length
    if (far.write(firstBytes)) near.resume()
  }

  /** One side has gone: the other is given what was said, and some time to take it. */
  #closed(other: Socket | undefined): void {
    if (this.#isDone) return
    if (!this.#isJoined || other === undefined || other.destroyed) {
      this.destroy()
      return
    }
    // Nobody is left to hear what it may still say: that is read and dropped.
    other.removeAllListeners('data')
    other.end()
    other.resume()
    this.#endTimer ??= this.#all.options.clock.after(this.#all.limits.endMs, () => this.destroy())
  }

  #finish(): void {
    if (this.#isDone) return
    this.#isDone = true
    this.#endTimer?.cancel()
    this.#all.options.connections.close(this.#connection)
    this.#all.ended(this)
  }
}
