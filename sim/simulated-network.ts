/**
 * A network in one process: connections between clients and one broker at a time, with delays, bytes
 * that come in other pieces than they were sent in, stalls, and connections that break, which may take
 * a request or an answer with them that was under way.
 *
 *   write --> [ unsent ] --leaves--> [ under way ] --arrives--> receiver     one such line a direction
 *               still the writer's      a copy       in order
 *
 * The order within a connection is kept; between connections there is none. Bytes are copied when
 * they leave, as a socket does it: a writer that changes them before `sent` sends the changed ones.
 */
import {
  type BufferReceiver,
  type Chunks,
  copyChunks,
  type Receiver,
  type Transport,
} from '@kaska/protocol'
import type { ManualClock } from './manual-clock.ts'
import type { SeededRandom } from './seeded-random.ts'

/** Milliseconds, and probabilities. Changed as a run goes on. */
export interface NetworkBehaviour {
  delayMsMax: number
  /** How often a connection breaks when something is written to it. */
  breakage: number
  /** How often a connection falls silent for good, without either end being told. */
  silence: number
  /** How often a delivery takes up to `stallMsMax`. */
  stall: number
  stallMsMax: number
  /** How often what arrives is cut into small pieces. */
  split: number
}

/** What takes connections: a broker's protocol. */
export type Accept = (transport: Transport) => Receiver

export class SimulatedNetwork {
  readonly #clock: ManualClock
  readonly #random: SeededRandom
  readonly behaviour: NetworkBehaviour
  readonly #connections = new Set<Connection>()
  #accept: Accept | undefined
  #connectionNumber = 0
  /** Counts what happened, to be printed and compared. */
  readonly counts = { dialled: 0, refused: 0, broken: 0, silenced: 0, bytes: 0 }

  constructor(clock: ManualClock, random: SeededRandom, behaviour: NetworkBehaviour) {
    this.#clock = clock
    this.#random = random
    this.behaviour = behaviour
  }

  /** From now on connections go here. */
  listen(accept: Accept): void {
    this.#accept = accept
  }

  /** New connections are refused; those that there are stay. */
  stopListening(): void {
    this.#accept = undefined
  }

  /** The broker's process has ended: its system ends all connections, and refuses new ones. */
  refuse(): void {
    this.#accept = undefined
    for (const connection of this.#connections) connection.loseBroker()
  }

  /** Breaks this share of the connections. */
  breakConnections(share: number): void {
    for (const connection of this.#connections) {
      if (this.#random.chance(share)) connection.break()
    }
  }

  async dial(receiver: BufferReceiver, signal: AbortSignal): Promise<Transport> {
    this.counts.dialled++
    await this.#clock.sleep(this.#delay())
    if (signal.aborted) throw signal.reason
    const accept = this.#accept
    if (accept === undefined) {
      this.counts.refused++
      throw Object.assign(new Error('connect ECONNREFUSED simulated:9092'), {
        code: 'ECONNREFUSED',
      })
    }
    const connection = new Connection({
      number: ++this.#connectionNumber,
      clock: this.#clock,
      random: this.#random,
      behaviour: this.behaviour,
      counts: this.counts,
      ended: (ended) => this.#connections.delete(ended),
    })
    this.#connections.add(connection)
    connection.client.receiver = receiver
    connection.broker.receiver = accept(connection.broker)
    return connection.client
  }

  #delay(): number {
    return this.#random.between(0, this.behaviour.delayMsMax * 1000) / 1000
  }
}

interface ConnectionOptions {
  readonly number: number
  readonly clock: ManualClock
  readonly random: SeededRandom
  readonly behaviour: NetworkBehaviour
  readonly counts: SimulatedNetwork['counts']
  readonly ended: (connection: Connection) => void
}

class Connection {
  readonly client: Side
  readonly broker: Side
  readonly options: ConnectionOptions
  /** Nothing arrives any more, and nobody is told. */
  isSilent = false

  constructor(options: ConnectionOptions) {
    this.options = options
    this.client = new Side(this, 'simulated:9092')
    this.broker = new Side(this, `simulated:${10_000 + options.number}`)
    this.client.peer = this.broker
    this.broker.peer = this.client
  }

  /** Breaks: what is under way may be lost in either direction; both ends hear of it, each later. */
  break(): void {
    this.options.counts.broken++
    this.client.loseUnderWay()
    this.broker.loseUnderWay()
    const error = Object.assign(new Error('read ECONNRESET'), { code: 'ECONNRESET' })
    this.client.closeLater(error)
    this.broker.closeLater(error)
  }

  /** The broker's process is gone: nobody is told there; the client is told unless it is silent. */
  loseBroker(): void {
    this.broker.receiver = undefined
    this.broker.isClosed = true
    this.broker.isProcessGone = true
    this.broker.loseUnderWay()
    if (this.isSilent) return
    this.client.closeLater(Object.assign(new Error('read ECONNRESET'), { code: 'ECONNRESET' }))
  }

  sideEnded(): void {
    if (this.client.isClosed && this.broker.isClosed) this.options.ended(this)
  }
}

interface PendingWrite {
  readonly chunks: Chunks
  readonly sent: (() => void) | undefined
}

/** One end. What it writes goes to its peer's receiver. */
class Side implements Transport {
  readonly remoteAddress: string
  /** What it delivers is a copy of its own, as from a socket. */
  readonly givesBuffers = true
  readonly #connection: Connection
  peer: Side | undefined
  receiver: (Receiver & Partial<BufferReceiver>) | undefined
  isClosed = false
  /** The process at this end was killed. */
  isProcessGone = false
  #isPaused = false
  #isDestroyed = false
  /** Nothing leaves any more. */
  #isCut = false
  #isEnding = false
  #isLeaving = false
  #isArriving = false
  readonly #unsent: PendingWrite[] = []
  #unsentBytes = 0
  /** What left this side and has not arrived at the peer. */
  #underWay: Uint8Array[] = []

  constructor(connection: Connection, remoteAddress: string) {
    this.#connection = connection
    this.remoteAddress = remoteAddress
  }

  get unsentBytes(): number {
    return this.#unsentBytes
  }

  write(chunks: Chunks, sent?: () => void): void {
    const { clock, random, behaviour, counts } = this.#connection.options
    if (this.isClosed || this.#isEnding || this.#isDestroyed) {
      if (sent !== undefined) clock.after(0, sent)
      return
    }
    this.#unsent.push({ chunks, sent })
    for (const chunk of chunks) this.#unsentBytes += chunk.length
    this.#leaveSoon()
    if (random.chance(behaviour.breakage)) {
      clock.after(this.#delay(), () => {
        if (!this.isClosed) this.#connection.break()
      })
    }
    if (random.chance(behaviour.silence) && !this.#connection.isSilent) {
      counts.silenced++
      this.#connection.isSilent = true
    }
  }

  pause(): void {
    this.#isPaused = true
  }

  resume(): void {
    if (!this.#isPaused) return
    this.#isPaused = false
    this.peer?.arriveSoon()
  }

  end(): void {
    if (this.#isEnding) return
    this.#isEnding = true
    this.#leaveSoon()
  }

  destroy(reason?: Error): void {
    if (this.isClosed || this.#isDestroyed) return
    const { clock } = this.#connection.options
    this.#isDestroyed = true
    this.loseUnderWay()
    clock.after(0, () => this.close(reason))
    if (!this.#connection.isSilent) this.peer?.closeLater(undefined)
  }

  /** What is under way is lost, from some byte on. */
  loseUnderWay(): void {
    const { clock, random } = this.#connection.options
    this.#underWay.length = random.between(0, this.#underWay.length)
    // What has not left never will, nor what is written from now on: there are no gaps.
    this.#isCut = true
    for (const { sent } of this.#unsent.splice(0)) {
      if (sent !== undefined && !this.isProcessGone) clock.after(0, sent)
    }
    this.#unsentBytes = 0
  }

  /** The end of the connection arrives here, behind what is under way to here. */
  closeLater(error: Error | undefined): void {
    const { clock } = this.#connection.options
    const wait = (): void => {
      if (this.isClosed) return
      const peer = this.peer
      const isFlowing = peer !== undefined && peer.#underWay.length > 0 && !this.#isPaused
      if (isFlowing && !this.#connection.isSilent) {
        peer.arriveSoon()
        clock.after(this.#delay(), wait)
      } else {
        this.close(error)
      }
    }
    clock.after(this.#delay(), wait)
  }

  close(error: Error | undefined): void {
    if (this.isClosed) return
    this.isClosed = true
    const receiver = this.receiver
    this.receiver = undefined
    for (const { sent } of this.#unsent.splice(0)) sent?.()
    this.#unsentBytes = 0
    receiver?.closed(error)
    this.#connection.sideEnded()
  }

  arriveSoon(): void {
    if (this.#isArriving || this.#underWay.length === 0) return
    this.#isArriving = true
    const { clock, random, behaviour } = this.#connection.options
    const isStalled = random.chance(behaviour.stall)
    const delay = isStalled ? random.between(0, behaviour.stallMsMax) : this.#delay()
    clock.after(delay, () => {
      this.#isArriving = false
      this.#arrive()
    })
  }

  #leaveSoon(): void {
    if (this.#isLeaving) return
    this.#isLeaving = true
    const { clock } = this.#connection.options
    clock.after(this.#delay() / 8, () => {
      this.#isLeaving = false
      this.#leave()
    })
  }

  /** Everything written so far leaves, copied, in pieces of any size. */
  #leave(): void {
    const { random, behaviour, counts } = this.#connection.options
    this.#unsentBytes = 0
    for (const { chunks, sent } of this.#unsent.splice(0)) {
      const bytes = copyChunks(this.#isCut ? [] : chunks)
      counts.bytes += bytes.length
      const pieceMax = random.chance(behaviour.split) ? random.spread(512, 8000) : 65_536
      for (let position = 0; position < bytes.length; ) {
        const length = Math.min(bytes.length - position, random.between(1, pieceMax))
        this.#underWay.push(bytes.slice(position, position + length))
        position += length
      }
      sent?.()
    }
    this.arriveSoon()
    if (this.#isEnding && !this.#connection.isSilent) {
      this.peer?.closeLater(undefined)
      this.closeLater(undefined)
    }
  }

  #arrive(): void {
    const { random } = this.#connection.options
    const peer = this.peer
    if (peer === undefined || this.#connection.isSilent) return
    for (let count = random.between(1, 8); count > 0; count--) {
      if (peer.#isPaused || peer.isClosed || peer.#isDestroyed) return
      const piece = this.#underWay.shift()
      if (piece === undefined) return
      peer.#take(piece)
    }
    this.arriveSoon()
  }

  /** Into the receiver's own buffer where it has one. */
  #take(piece: Uint8Array): void {
    const receiver = this.receiver
    if (receiver?.buffer === undefined || receiver.filled === undefined) {
      receiver?.received(piece)
      return
    }
    for (let position = 0; position < piece.length && !this.#isDestroyed; ) {
      const into = receiver.buffer()
      const length = Math.min(into.length, piece.length - position)
      into.set(piece.subarray(position, position + length))
      receiver.filled(length)
      position += length
    }
  }

  #delay(): number {
    const { random, behaviour } = this.#connection.options
    return random.between(0, behaviour.delayMsMax * 1000) / 1000
  }
}
