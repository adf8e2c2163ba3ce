/**
 * The broker: joins the log, the topics, the offsets and the protocols. Several may live in one
 * process; nothing is shared between them.
 */
import type { Clock, Codecs, Crc32c, Engine, Random } from '@kaska/protocol'
import type { Disk } from './log/disk.ts'
import type { SyncMode } from './log/log-config.ts'

/** A topic that is to exist when the broker has started. */
export interface TopicOption {
  readonly name: string
  /** 1 unless said. */
  readonly partitions?: number
  readonly config?: Readonly<Record<string, string>>
}

export interface BrokerOptions {
  /** The data directory, made where it is missing. Either this, or `memory`, or `disk`. */
  readonly data?: string
  /** Keeps everything in memory, and nothing when it is closed. */
  readonly memory?: boolean
  /** A disk of one's own. */
  readonly disk?: Disk
  /** What an acknowledgement promises: `always` (default) is on the disk, `os` is written. */
  readonly sync?: SyncMode
  /** The byte budget: frames received, answers unsent, reads, and the logs' tails. */
  readonly memoryBytesMax?: number
  /** Created at the start where they do not exist yet. */
  readonly topics?: readonly TopicOption[]
  /** What a person who runs the broker should hear of: one line of text each. */
  readonly report?: (line: string) => void
  /** The seams, for tests: Node's unless given. */
  readonly clock?: Clock
  readonly random?: Random
  readonly crc32c?: Crc32c
  readonly codecs?: Codecs
}

export interface ListenOptions {
  /** 127.0.0.1 unless said. */
  readonly host?: string
  /** 9092 unless said; 0 takes a free one. */
  readonly port?: number
}

/** Where a broker listens. */
export interface Listening {
  readonly host: string
  readonly port: number
  /** `kaska://127.0.0.1:9092` */
  readonly url: string
  /** Takes no more connections, and ends those that it has. */
  close(): Promise<void>
}

export interface Broker extends AsyncDisposable {
  /** 22 characters of base64url, made when the data directory was. */
  readonly clusterId: string
  /** `kaska 0.1.0` */
  readonly software: string
  /**
   * What the protocols' sessions call: views go in and out by identity (contract 11), and nobody may
   * change them. Programs in this process use `inProcess`.
   */
  readonly engine: Engine
  /**
   * An engine for a client in this process (`connect(broker)`). It makes the one copy that a socket
   * otherwise makes: a sender may use its bytes again once its promise has settled, and no reader can
   * change what another one sees. Closing it leaves the broker as it is.
   */
  inProcess(): Engine
  /** Rejects with AddressInUseError. May be called several times. */
  listen(options?: ListenOptions): Promise<Listening>
  /** Ends what is under way with ClosedError, makes everything durable, and unlocks the directory. */
  close(): Promise<void>
}

/**
 * Opens the data directory, and recovers. Rejects with InvalidArgumentError,
 * DataDirectoryLockedError, DataDirectoryError.
 */
export function createBroker(_options: BrokerOptions): Promise<Broker> {
  throw new Error('not built yet')
}
