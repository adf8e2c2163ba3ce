/** What is said of a port, and what is said back: for programs, so nothing of how it is done is here. */

/** How HTTP is served on the port. */
export interface HttpOptions {
  /** Names, beside addresses and localhost, that browsers may call this broker by. */
  readonly hosts?: readonly string[]
  /** Pages of other origins that may use HTTP and WebSocket here: `https://app.example`. */
  readonly origins?: readonly string[]
  /** What has to be shown to be served; nothing unless given. */
  readonly token?: string
}

export interface ListenOptions {
  /** 127.0.0.1 unless said. */
  readonly host?: string
  /** 9092 unless said; 0 takes a free one. */
  readonly port?: number
  /** The address that Kafka clients are told; the one that they came to unless said. */
  readonly advertise?: { readonly host: string; readonly port: number }
  /**
   * A certificate and its key, as PEM: the port takes TLS too, and from other machines nothing else.
   * Behind the certificate may follow those that sign it.
   */
  readonly tls?: { readonly cert: string | Uint8Array; readonly key: string | Uint8Array }
  /** With `tls`: may connections from other machines be plain all the same? */
  readonly plaintext?: boolean
  /**
   * HTTP and WebSocket on the same port: false is without. At an address other than a loopback one it has
   * to be said, with a token: whoever reaches the port could else read and write everything from a script.
   */
  readonly http?: HttpOptions | false
}

/** Where a broker listens. */
export interface Listening {
  readonly host: string
  readonly port: number
  /** `kaska://127.0.0.1:9092`, or `kaskas://...` where TLS is taken. */
  readonly url: string
  /** Takes no more connections, and ends those that it has. */
  close(): Promise<void>
}
