/**
 * A `Transport` over an accepted socket, plain or TLS.
 *
 * What is written within one turn of the event loop leaves together, as one gathered write: one
 * system call wherever the kernel takes it whole (contract 12). While a write is under way the next
 * ones gather. The views go to the kernel by identity.
 *
 *   write write write | end of the turn: one writev | done: sent sent sent, and the next writev
 *
 * Over TLS it leaves in parts: what is given to a TLS socket is encrypted at once, into memory that nobody
 * counts, and how much of that has left is not told.
 */
import type { Socket } from 'node:net'
import { nextTick } from 'node:process'
import { type Chunks, chunksLength, type Receiver, type Transport } from '@kaska/protocol'

/** What was written together. */
class Batch {
  readonly chunks: Uint8Array[] = []
  readonly sent: (() => void)[] = []
  length = 0
}

/** What a TLS socket is given at a time. */
const tlsPartBytes = 128 * 1024

export class SocketTransport implements Transport {
  readonly remoteAddress: string
  readonly localAddress: { readonly host: string; readonly port: number } | undefined
  /** Node reads each chunk into a buffer of its own, and forgets it. */
  readonly givesBuffers = true
  readonly isSecure: boolean
  readonly #socket: Socket
  readonly #isTls: boolean
  #gathered = new Batch()
  #leaving: Batch | undefined
  #isScheduled = false
  #isEnding = false
  #isClosed = false
  #error: Error | undefined

  constructor(socket: Socket) {
    this.#socket = socket
    this.#isTls = 'encrypted' in socket
    this.remoteAddress = formatAddress(socket.remoteAddress, socket.remotePort)
    this.localAddress = reachedAt(socket)
    // As TLSSocket has it: node:tls itself is loaded where it is needed.
    this.isSecure = (socket as { readonly encrypted?: boolean }).encrypted === true
  }

  /** From now on the receiver is told of everything. To be called once, before bytes arrive. */
  attach(receiver: Receiver): void {
    const socket = this.#socket
    socket.on('data', (chunk: Uint8Array) => receiver.received(chunk))
    socket.on('error', (error) => {
      this.#error = error
    })
    socket.on('close', () => {
      this.#isClosed = true
      this.#settle()
      receiver.closed(this.#error)
    })
  }

  get unsentBytes(): number {
    const { length } = this.#gathered
    if (this.#leaving === undefined) return length
    if (this.#isTls) return length + this.#leaving.length
    // How much of a long write is left only the handle knows, as Node's own time-out asks it.
    const { _handle: handle } = this.#socket as { _handle?: { writeQueueSize?: number } | null }
    return length + Math.min(this.#leaving.length, handle?.writeQueueSize ?? this.#leaving.length)
  }

  write(chunks: Chunks, sent?: () => void): void {
    if (this.#isClosed || this.#isEnding) {
      if (sent !== undefined) nextTick(sent)
      return
    }
    const batch = this.#gathered
    for (const chunk of chunks) batch.chunks.push(chunk)
    batch.length += chunksLength(chunks)
    if (sent !== undefined) batch.sent.push(sent)
    this.#flushSoon()
  }

  pause(): void {
    this.#socket.pause()
  }

  resume(): void {
    this.#socket.resume()
  }

  end(): void {
    this.#isEnding = true
    this.#flushSoon()
  }

  destroy(reason?: Error): void {
    this.#isEnding = true
    this.#socket.destroy(reason)
  }

  #flushSoon(): void {
    if (this.#isScheduled || this.#leaving !== undefined) return
    this.#isScheduled = true
    // A tick runs after all the microtasks of this turn: each answer that they make ready is in it.
    nextTick(() => {
      this.#isScheduled = false
      this.#flush()
    })
  }

  #flush(): void {
    if (this.#isClosed || this.#leaving !== undefined) return
    const batch = this.#gathered
    if (batch.chunks.length === 0) {
      this.#runSent(batch)
      if (this.#isEnding) this.#socket.end()
      return
    }
    this.#gathered = new Batch()
    this.#leaving = batch
    this.#send(batch, this.#isTls ? takePart(batch.chunks, tlsPartBytes) : batch.chunks)
  }

  #send(batch: Batch, chunks: Uint8Array[]): void {
    const socket = this.#socket
    const length = this.#isTls ? chunksLength(chunks) : 0
    const last = chunks.pop() as Uint8Array
    const isMany = chunks.length > 0
    if (isMany) socket.cork()
    for (const chunk of chunks) socket.write(chunk)
    chunks.length = 0
    socket.write(last, () => {
      if (this.#leaving !== batch) return
      batch.length -= length
      if (batch.chunks.length > 0) {
        this.#send(batch, takePart(batch.chunks, tlsPartBytes))
        return
      }
      this.#leaving = undefined
      this.#runSent(batch)
      if (this.#gathered.chunks.length > 0 || this.#isEnding) this.#flush()
    })
    if (isMany) socket.uncork()
  }

  /** The connection has ended: nothing more will leave. */
  #settle(): void {
    const { sent } = this.#gathered
    const leaving = this.#leaving
    this.#leaving = undefined
    this.#gathered = new Batch()
    for (const each of leaving?.sent ?? []) each()
    for (const each of sent) each()
  }

  #runSent(batch: Batch): void {
    for (const each of batch.sent.splice(0)) each()
  }
}

/** Takes the first `bytesMax` bytes away, or all there are. */
function takePart(chunks: Uint8Array[], bytesMax: number): Uint8Array[] {
  let count = 0
  let left = bytesMax
  while (count < chunks.length && (chunks[count] as Uint8Array).length <= left) {
    left -= (chunks[count] as Uint8Array).length
    count++
  }
  const part = chunks.splice(0, count)
  const next = chunks[0]
  if (next === undefined || left === 0) return part
  part.push(next.subarray(0, left))
  chunks[0] = next.subarray(left)
  return part
}

/** Where the peer has reached this side: by the name that it gave in its TLS hello, else the address. */
function reachedAt(
  socket: Socket & { readonly servername?: string | false | null },
): { readonly host: string; readonly port: number } | undefined {
  const { servername, localAddress: host, localPort: port } = socket
  if (host === undefined || port === undefined) return undefined
  if (typeof servername === 'string' && hostNamePattern.test(servername)) {
    return { host: servername, port }
  }
  return { host: plainAddress(host), port }
}

/** What a peer may call us: nothing that would be more than a host's name elsewhere. */
const hostNamePattern = /^[a-zA-Z0-9_](?:[a-zA-Z0-9._-]{0,252})$/

/** Is it an address of this machine that others cannot come from? */
export function isLoopback(address: string | undefined): boolean {
  if (address === undefined) return false
  const plain = plainAddress(address)
  return plain === '::1' || plain.startsWith('127.')
}

/** `127.0.0.1:9092`, `[::1]:9092`; an IPv4 address in IPv6 form is shown as what it is. */
export function formatAddress(address: string | undefined, port: number | undefined): string {
  if (address === undefined) return 'unknown'
  const plain = plainAddress(address)
  return plain.includes(':') ? `[${plain}]:${port}` : `${plain}:${port}`
}

export function plainAddress(address: string): string {
  return address.startsWith('::ffff:') && address.includes('.') ? address.slice(7) : address
}
