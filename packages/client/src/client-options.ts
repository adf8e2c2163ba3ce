/** What a client can be told when it is made, with what is assumed otherwise, and at each call. */
import { type Codecs, InvalidArgumentError } from '@kaska/protocol'

export interface ClientOptions {
  /** What the client calls itself, for the broker's people; '' unless said. */
  readonly clientId?: string | undefined
  /**
   * Where a reader goes on whose position is outside of what the partition holds (its messages were
   * deleted by retention, or the log was cut back): at the start, or at the end. Unless said, `poll`
   * rejects with OffsetOutOfRangeError or LogTruncatedError, and the position stays. With either,
   * a reader whose log was cut back goes on where what it has seen ends.
   */
  readonly onOutOfRange?: 'start' | 'end' | undefined
  /** How long `connect`, and the making of each later connection, may take: 5,000. */
  readonly connectTimeoutMs?: number | undefined
  /**
   * How long a request is tried again while there is no connection, or the broker has no memory
   * free, before it rejects: 30,000. An outage of that length ends a waiting `poll` as well.
   */
  readonly requestTimeoutMs?: number | undefined
  /** After how long a `send` that is not acknowledged is given up: 120,000. */
  readonly deliveryTimeoutMs?: number | undefined
  /** How long `close` waits for sends under way: 5,000. */
  readonly closeTimeoutMs?: number | undefined
  /**
   * After how long a silence of the broker, while an answer is awaited, it is asked for a sign of
   * life; after as long again the connection is given up and made anew: 10,000.
   */
  readonly silenceTimeoutMs?: number | undefined
  /**
   * How many bytes of messages are fetched ahead, half of it in one request; one batch always is,
   * whatever its size: 4 MiB.
   */
  readonly readAheadBytes?: number | undefined
  /** About how many bytes of small messages go into one batch: 256 KiB. A larger one goes alone. */
  readonly batchBytes?: number | undefined
  /** How many bytes of messages are encoded and under way at once; others wait: 32 MiB. */
  readonly sendBufferBytes?: number | undefined
  /** The longest answer that is taken from a broker: 256 MiB. */
  readonly receiveBytesMax?: number | undefined
  /** What a compressed batch may expand to: 256 MiB. */
  readonly expandedBytesMax?: number | undefined
  /** Codecs for compressed batches. In Node gzip and zstd are there; a browser has none. */
  readonly codecs?: Codecs | undefined
}

/** What every method that waits takes as its last argument. */
export interface WaitOptions {
  readonly signal?: AbortSignal | undefined
}

export interface CreateTopicOptions extends WaitOptions {
  /** 1 unless said. */
  readonly partitions?: number | undefined
  /** Settings by Kafka's names: `{ 'max.message.bytes': '1048576' }`. */
  readonly config?: Readonly<Record<string, string>> | undefined
}

export interface PollOptions extends WaitOptions {
  /**
   * How long to wait for a message, in milliseconds; for ever unless said. 0 makes one round trip,
   * unless a message is here already.
   */
  readonly timeoutMs?: number | undefined
}

/** The options with all defaults put in. */
export interface ClientSettings {
  readonly clientId: string
  readonly onOutOfRange: 'start' | 'end' | undefined
  readonly connectTimeoutMs: number
  readonly requestTimeoutMs: number
  readonly deliveryTimeoutMs: number
  readonly closeTimeoutMs: number
  readonly silenceTimeoutMs: number
  readonly readAheadBytes: number
  readonly batchBytes: number
  readonly sendBufferBytes: number
  readonly receiveBytesMax: number
  readonly expandedBytesMax: number
}

const defaults: ClientSettings = {
  clientId: '',
  onOutOfRange: undefined,
  connectTimeoutMs: 5_000,
  requestTimeoutMs: 30_000,
  deliveryTimeoutMs: 120_000,
  closeTimeoutMs: 5_000,
  silenceTimeoutMs: 10_000,
  readAheadBytes: 4 << 20,
  batchBytes: 256 << 10,
  sendBufferBytes: 32 << 20,
  receiveBytesMax: 256 << 20,
  expandedBytesMax: 256 << 20,
}

/** Checks the options and puts the defaults in. Throws InvalidArgumentError. */
export function settingsOf(options: ClientOptions): ClientSettings {
  const settings = { ...defaults }
  for (const [name, value] of Object.entries(options)) {
    if (value === undefined || name === 'codecs') continue
    if (!(name in defaults)) throw new InvalidArgumentError(`the client has no option '${name}'`)
    check(name, value)
    Object.assign(settings, { [name]: value })
  }
  return settings
}

function check(name: string, value: unknown): void {
  if (name === 'clientId') {
    if (typeof value === 'string' && value.isWellFormed()) return
    throw new InvalidArgumentError('clientId is a well-formed string')
  }
  if (name === 'onOutOfRange') {
    if (value === 'start' || value === 'end') return
    throw new InvalidArgumentError("onOutOfRange is 'start' or 'end'")
  }
  if (typeof value === 'number' && value > 0) return
  throw new InvalidArgumentError(`${name} is a number above 0, not ${String(value)}`)
}
