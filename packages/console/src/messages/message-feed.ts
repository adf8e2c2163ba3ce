/**
 * Fills a list from a topic, for as long as somebody looks at it:
 *
 *     opening ──> reading <──> waiting (all is read)      reading, waiting <──> paused, full (enough is there
 *                                                                               for now), lost (no connection)
 *     failed: for good
 *
 * While it pauses, or is full, nothing is asked for: what comes meanwhile stays in the log, and is read when it goes
 * on. So no burst is dropped, and none takes more memory than the list may. A turn of the event loop is given back
 * after some milliseconds, however much there is to read.
 */
import { ConnectionError } from '@kaska/client'
import type { StoredMessage } from '@kaska/protocol'
import { byTime, KeptMessages } from './kept-messages.ts'
import type { TopicReader } from './topic-reader.ts'

export type FeedPhase = 'opening' | 'reading' | 'waiting' | 'full' | 'paused' | 'lost' | 'failed'

export interface FeedOptions {
  /** Opens the reader; called once. */
  readonly open: (signal: AbortSignal) => Promise<TopicReader>
  /** After each change of the phase or of what is kept; `dropped` many went at the front of the list. */
  readonly changed: (dropped: number) => void
  readonly kept?: KeptMessages
}

/** For so long messages are taken before others have their turn. */
const sliceMs = 8
/** So long a message may wait to be shown with others. */
const gatherMs = 25
/** So long without a message means that all is read. */
const idleMs = 100
/** One wait at the broker: its end shows whether the broker is there. */
const waitMs = 5000
const retryMs = 500

export class MessageFeed {
  readonly kept: KeptMessages
  readonly #options: FeedOptions
  readonly #ended = new AbortController()
  #phase: FeedPhase = 'opening'
  #error: Error | undefined
  #reader: TopicReader | undefined
  #isPaused = false
  /** How many messages are wanted in the list, those included that are no longer kept. */
  #wanted = 0
  #gathered: StoredMessage[] = []
  #timer: ReturnType<typeof setTimeout> | undefined
  #idle: ReturnType<typeof setTimeout> | undefined
  /** Messages that came. */
  #count = 0
  #wake = () => {}
  /** Ends a wait at the broker. */
  #waiting = new AbortController()

  constructor(options: FeedOptions) {
    this.#options = options
    this.kept = options.kept ?? new KeptMessages()
    void this.#run()
  }

  get phase(): FeedPhase {
    return this.#phase
  }

  get error(): Error | undefined {
    return this.#error
  }

  get starts(): ReadonlyMap<number, number> | undefined {
    return this.#reader?.starts
  }

  /** The offsets of the next messages; undefined until it is open. */
  positions(): Map<number, number> | undefined {
    if (this.#reader === undefined || this.#ended.signal.aborted) return undefined
    try {
      return this.#reader.positions()
    } catch {
      return undefined
    }
  }

  /** Says how many messages of the list are wanted; infinite: all that come. */
  want(length: number): void {
    this.#wanted = length + this.kept.dropped
    if (this.#mayRead()) this.#wake()
    else this.#waiting.abort()
  }

  pause(): void {
    if (this.#isPaused) return
    this.#isPaused = true
    this.#waiting.abort()
    this.#wake()
  }

  resume(): void {
    this.#isPaused = false
    this.#wake()
  }

  /** For good. */
  end(): void {
    this.#ended.abort()
    this.#waiting.abort()
    clearTimeout(this.#timer)
    clearTimeout(this.#idle)
    this.#wake()
  }

  #mayRead(): boolean {
    const { kept } = this
    return !this.#isPaused && kept.dropped + kept.length + this.#gathered.length < this.#wanted
  }

  async #run(): Promise<void> {
    const { signal } = this.#ended
    try {
      const reader = await this.#options.open(signal)
      this.#reader = reader
      let sliceEnd = performance.now() + sliceMs
      while (!signal.aborted) {
        if (!this.#mayRead()) {
          this.#flush()
          this.#enter(this.#isPaused ? 'paused' : 'full')
          await this.#woken()
          continue
        }
        const message = await this.#next(reader)
        if (message === undefined) continue
        this.#gathered.push(message)
        this.#timer ??= setTimeout(() => this.#flush(), gatherMs)
        if (performance.now() < sliceEnd) continue
        await turn()
        sliceEnd = performance.now() + sliceMs
      }
    } catch (error) {
      if (signal.aborted) return
      this.#flush()
      this.#error = error as Error
      this.#enter('failed')
    }
  }

  /** Until it may read again, or ends. */
  #woken(): Promise<void> {
    return new Promise((resolve) => {
      this.#wake = resolve
      // What heard of the change may have wanted more at once.
      if (this.#mayRead() || this.#ended.signal.aborted) resolve()
    })
  }

  /** The next message; undefined where the wait was ended, took long, or could not be made. */
  async #next(reader: TopicReader): Promise<StoredMessage | undefined> {
    const { signal } = this.#waiting
    if (signal.aborted) {
      this.#waiting = new AbortController()
      return undefined
    }
    if (this.#phase !== 'lost' && this.#phase !== 'waiting') this.#enter('reading')
    this.#watchIdle()
    try {
      const message = await reader.next(this.#phase === 'lost' ? 0 : waitMs, signal)
      if (message === undefined) {
        if (this.#phase === 'lost') this.#enter('waiting')
        return undefined
      }
      this.#count++
      this.#enter('reading')
      return message
    } catch (error) {
      if (this.#ended.signal.aborted) throw error
      if (signal.aborted) return undefined
      if (!(error instanceof ConnectionError)) throw error
      this.#flush()
      this.#error = error
      this.#enter('lost')
      await new Promise((resolve) => setTimeout(resolve, retryMs))
      return undefined
    }
  }

  /** Looks, now and then while it reads, whether there was anything to read. */
  #watchIdle(): void {
    if (this.#idle !== undefined || this.#phase !== 'reading') return
    const count = this.#count
    this.#idle = setTimeout(() => {
      this.#idle = undefined
      if (this.#phase !== 'reading') return
      if (this.#count !== count) this.#watchIdle()
      else this.#enter('waiting')
    }, idleMs)
  }

  #flush(): void {
    clearTimeout(this.#timer)
    this.#timer = undefined
    if (this.#gathered.length === 0) return
    const dropped = this.kept.push(byTime(this.#gathered))
    this.#gathered = []
    if (!this.#ended.signal.aborted) this.#options.changed(dropped)
  }

  #enter(phase: FeedPhase): void {
    if (this.#phase === phase || this.#ended.signal.aborted) return
    this.#phase = phase
    this.#options.changed(0)
  }
}

/** Lets everything else have its turn, without the 4 ms that a timer of a page takes. */
export function turn(): Promise<void> {
  return new Promise((resolve) => {
    const { port1, port2 } = new MessageChannel()
    const done = () => {
      port1.close()
      resolve()
    }
    port1.addEventListener('message', done, { once: true })
    port1.start()
    port2.postMessage(null)
  })
}
