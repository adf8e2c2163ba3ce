/**
 * One byte budget for the broker: received frames, unsent responses, reads under way, and the tails
 * of the logs, which fill what nobody needs and give it back, the oldest first, when somebody does.
 *
 *   | tails ............... | reserved .......... | free .......... | kept for small requests |
 *     the last 16 MiB                               large requests    (<= 16 KiB each)
 *     evicted on demand                             wait for this
 *
 * What is kept by reference is counted by its backing ArrayBuffer, once, however many views and
 * holders it has: a view of 10 bytes keeps all of its buffer in memory.
 *
 * A buffer that its first holder calls its own is given back to the system when the last holder lets
 * go, and not when the garbage collector finds it: a broker that receives 1 GB/s would else spend a
 * third of its time in collections (docs/decisions/0006-freed-buffers.md). So every holder of such a
 * buffer has to count itself for as long as it may touch it, and every write of it that is under way.
 */
import assert from 'node:assert/strict'
import { AppendQueue } from './append-queue.ts'
import { ByteGate } from './byte-gate.ts'

/** Something that can give memory back, its oldest piece first: the tail of a log. Its pieces are numbered. */
export interface Evictable {
  /** Gives its oldest piece back by calling `tailGaveBack`; false where the piece of this number is gone already. */
  evict(number: number): boolean
  isThere(number: number): boolean
}

interface Piece {
  readonly holder: Evictable
  readonly number: number
}

const smallBytesMax = 16 * 1024
/**
 * What the tails hold, however much memory there is: who reads at the end is served from there, and the page cache
 * has the rest. More makes collections longer, and memory that comes round late is in no cache of the processor
 * (docs/decisions/0013-throughput-beside-a-sink.md).
 */
const tailBytesDefault = 16 * 1024 * 1024
/**
 * Shorter buffers are not worth keeping, nor are those of Node's sockets, 64 KiB each: they come too often. All that are
 * kept are at most one part in so many of the budget.
 */
const spareBytesMin = 64 * 1024 + 1
const spareShare = 32

interface Held {
  holders: number
  readonly isOwned: boolean
}

export interface MemoryBudgetOptions {
  /** What the tails may hold: 16 MiB unless said, and never what takes more than half of the total. */
  readonly tailBytesMax?: number
  /**
   * Are buffers that somebody owns freed when nobody holds them any more? Not where the disk keeps
   * what is written to it by reference, uncounted: in memory.
   */
  readonly freesOwned?: boolean
}

interface Waiter {
  readonly bytes: number
  readonly grant: () => void
  cancelled: boolean
}

export class MemoryBudget {
  /** Bytes that may be in use. */
  readonly total: number
  readonly #tailBytesMax: number
  /** What the tails hold, without the rest of the buffers that it is in. */
  #tailBytes = 0
  /** For reads from the disk: what slow readers do not take leaves the rest of the budget alone. */
  readonly reads: ByteGate
  /** For large frames until all of them is there: slow senders leave the rest alone. */
  readonly largeFrames: ByteGate
  readonly #smallReserve: number
  #reserved = 0
  #retained = 0
  readonly #freesOwned: boolean
  readonly #buffers = new Map<ArrayBufferLike, Held>()
  /** Buffers of reads that are over, for the next ones. */
  readonly #spares: ArrayBuffer[] = []
  #spareBytes = 0
  #evictables = new AppendQueue<Piece>()
  /** How many of `#evictables` are gone. */
  #stale = 0
  readonly #largeWaiters = new AppendQueue<Waiter>()
  readonly #smallWaiters = new AppendQueue<Waiter>()

  constructor(total: number, options: MemoryBudgetOptions = {}) {
    this.total = total
    this.#freesOwned = options.freesOwned ?? false
    this.#tailBytesMax = options.tailBytesMax ?? tailBytesDefault
    this.reads = new ByteGate(total / 4)
    this.largeFrames = new ByteGate(total / 2)
    this.#smallReserve = Math.min(total / 16, 4 * 1024 * 1024)
  }

  /** Bytes reserved or kept now. */
  get used(): number {
    return this.#reserved + this.#retained
  }

  /** Bytes that a large request could have now, the tails' memory included. */
  get available(): number {
    return Math.max(0, this.total - this.#smallReserve - this.#reserved)
  }

  /** Requests that wait. */
  get waiting(): number {
    return this.#largeWaiters.length + this.#smallWaiters.length
  }

  /** How many pieces are in the order of eviction, those that are gone already among them. */
  get evictables(): number {
    return this.#evictables.length
  }

  /** Takes the bytes if they are free, tails evicted as needed, and nobody waits before. */
  tryReserve(bytes: number): boolean {
    const waiters = bytes <= smallBytesMax ? this.#smallWaiters : this.#largeWaiters
    return waiters.length === 0 && this.#take(bytes)
  }

  /**
   * Waits until the bytes are free, large and small requests each in the order of the calls. A
   * request for more than there is waits until it has everything. Rejects with the signal's reason.
   */
  reserve(bytes: number, signal?: AbortSignal): Promise<void> {
    if (signal?.aborted) return Promise.reject(signal.reason)
    if (this.tryReserve(bytes)) return Promise.resolve()
    const waiters = bytes <= smallBytesMax ? this.#smallWaiters : this.#largeWaiters
    return new Promise((resolve, reject) => {
      const abort = () => {
        waiter.cancelled = true
        reject(signal?.reason)
        this.#grant()
      }
      const grant = () => {
        signal?.removeEventListener('abort', abort)
        resolve()
      }
      const waiter: Waiter = { bytes, grant, cancelled: false }
      waiters.push(waiter)
      signal?.addEventListener('abort', abort, { once: true })
    })
  }

  /** Gives reserved bytes back. */
  release(bytes: number): void {
    this.#reserved -= bytes
    assert(this.#reserved >= 0, 'more memory was released than was reserved')
    this.#grant()
  }

  /**
   * Counts a buffer that is kept in memory by reference: the first time, and never refused. `isOwned`
   * says, the first time, that nobody but those who are counted here refers to it.
   */
  retain(buffer: ArrayBufferLike, isOwned = false): void {
    const held = this.#buffers.get(buffer)
    if (held !== undefined) {
      held.holders++
      return
    }
    this.#buffers.set(buffer, { holders: 1, isOwned })
    this.#retained += buffer.byteLength
  }

  /** The opposite of one `retain`. */
  releaseBuffer(buffer: ArrayBufferLike): void {
    const held = this.#buffers.get(buffer)
    assert(held !== undefined, 'a buffer was released that nobody holds')
    held.holders--
    if (held.holders > 0) return
    this.#buffers.delete(buffer)
    this.#retained -= buffer.byteLength
    if (held.isOwned) this.free(buffer as ArrayBuffer)
    if (this.waiting > 0) this.#grant()
  }

  /** A buffer of this length for a read, its bytes whatever they are: one that `free` was given, or new. */
  allocate(bytes: number): Uint8Array<ArrayBuffer> {
    const index = this.#spares.findIndex(({ byteLength }) => byteLength === bytes)
    if (index < 0) return new Uint8Array(bytes)
    const [spare] = this.#spares.splice(index, 1) as [ArrayBuffer]
    this.#spareBytes -= bytes
    return new Uint8Array(spare)
  }

  /**
   * Frees a buffer that was never counted, and that nobody will touch any more. Some are kept for the next
   * reads, beside the budget: memory that the system gives anew is mapped and cleared page by page, which
   * costs as much as the read. Old views see nothing of what comes into them.
   */
  free(buffer: ArrayBuffer): void {
    if (!this.#freesOwned) return
    const bytes = buffer.byteLength
    const isKept = bytes >= spareBytesMin && bytes <= this.total / spareShare
    // A new buffer takes its memory over; an empty one gives it back at once.
    const taken = buffer.transfer(isKept ? bytes : 0)
    if (!isKept) return
    this.#spares.push(taken)
    this.#spareBytes += bytes
    while (this.#spareBytes > this.total / spareShare) {
      const oldest = this.#spares.shift() as ArrayBuffer
      this.#spareBytes -= oldest.byteLength
      oldest.transfer(0)
    }
  }

  /** Counts bytes that are kept beside buffers (objects), and never refused; negative to end it. */
  charge(bytes: number): void {
    this.#retained += bytes
    if (bytes < 0 && this.waiting > 0) this.#grant()
  }

  /**
   * Adds a piece of a tail behind all others in the order of eviction: `holder.evict(number)` will be called
   * for it once. Evicts the oldest ones beyond what the tails may hold.
   */
  addEvictable(holder: Evictable, number: number, bytes: number): void {
    this.#evictables.push({ holder, number })
    this.#tailBytes += bytes
    // A piece may be a small part of its buffer: so what is kept by reference counts too.
    const isTooMuch = () => this.#tailBytes > this.#tailBytesMax || this.#retained > this.total / 2
    while (isTooMuch() && this.#evictOldest());
  }

  /** A tail has let go of a piece of so many bytes, because it was told to or by itself. */
  tailGaveBack(bytes: number): void {
    this.#tailBytes -= bytes
  }

  /** Says that the holder gave back so many of its pieces by itself. */
  forget(piecesGone: number): void {
    this.#stale += piecesGone
    if (this.#stale < 1000 || this.#stale * 2 < this.#evictables.length) return
    const pieces = this.#evictables
    this.#evictables = new AppendQueue<Piece>()
    for (const piece of pieces) {
      if (piece.holder.isThere(piece.number)) this.#evictables.push(piece)
    }
    this.#stale = 0
  }

  #take(bytes: number): boolean {
    const limit = bytes <= smallBytesMax ? this.total : this.total - this.#smallReserve
    // A request for more than there is gets it when nothing else is reserved.
    const fits = () => this.used + bytes <= limit || (bytes > limit && this.#reserved === 0)
    if (this.#reserved + bytes > limit && !(bytes > limit && this.#reserved === 0)) return false
    while (!(this.used + bytes <= limit) && this.#evictOldest());
    if (!fits()) return false
    this.#reserved += bytes
    return true
  }

  #evictOldest(): boolean {
    for (;;) {
      const piece = this.#evictables.shift()
      if (piece === undefined) return false
      if (piece.holder.evict(piece.number)) return true
      if (this.#stale > 0) this.#stale--
    }
  }

  #grant(): void {
    this.#grantFrom(this.#smallWaiters)
    this.#grantFrom(this.#largeWaiters)
  }

  #grantFrom(waiters: AppendQueue<Waiter>): void {
    for (;;) {
      const waiter = waiters.first()
      if (waiter === undefined) return
      if (waiter.cancelled) {
        waiters.shift()
        continue
      }
      if (!this.#take(waiter.bytes)) return
      waiters.shift()
      waiter.grant()
    }
  }
}
