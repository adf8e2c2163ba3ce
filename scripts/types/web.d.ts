/**
 * The globals that the pure code of `@kaska/protocol` and the core of `@kaska/client` may use: those
 * that Node and every browser have, and that reach nothing outside the program. Only what is used is
 * declared. Where Node's types or the DOM's are seen, this file is not.
 */

declare class TextEncoder {
  encode(input?: string): Uint8Array<ArrayBuffer>
  encodeInto(source: string, destination: Uint8Array): { read: number; written: number }
}

declare class TextDecoder {
  constructor(label?: string, options?: { fatal?: boolean; ignoreBOM?: boolean })
  decode(input?: ArrayBuffer | ArrayBufferView, options?: { stream?: boolean }): string
}

interface EventTarget {
  addEventListener(type: string, listener: () => void, options?: { once?: boolean }): void
  removeEventListener(type: string, listener: () => void): void
}

declare class AbortSignal implements EventTarget {
  readonly aborted: boolean
  readonly reason: unknown
  throwIfAborted(): void
  addEventListener(type: 'abort', listener: () => void, options?: { once?: boolean }): void
  removeEventListener(type: 'abort', listener: () => void): void
  static any(signals: Iterable<AbortSignal>): AbortSignal
  static abort(reason?: unknown): AbortSignal
}

declare class AbortController {
  readonly signal: AbortSignal
  abort(reason?: unknown): void
}

declare function queueMicrotask(callback: () => void): void
declare function btoa(binary: string): string
declare function atob(text: string): string

declare class URL {
  constructor(url: string, base?: string)
  readonly protocol: string
  readonly hostname: string
  readonly host: string
  readonly port: string
  readonly pathname: string
  readonly username: string
  readonly password: string
  readonly searchParams: URLSearchParams
  readonly href: string
}

declare class URLSearchParams implements Iterable<[string, string]> {
  get(name: string): string | null
  has(name: string): boolean
  [Symbol.iterator](): Iterator<[string, string]>
}
