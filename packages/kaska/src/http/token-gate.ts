/**
 * How often somebody may show a wrong token: some times at once, then once a second, by the address that
 * it comes from (by the network of 64 bits, for IPv6). Who was wrong too often is not told whether a
 * token is right. Addresses that were wrong long ago are forgotten, and so are the oldest of too many.
 */
import type { Clock } from '@kaska/protocol'

/** Wrong tokens that are free, and the time after which one more is. */
const freeMax = 20
const refillMs = 1000
const sourcesMax = 10_000

interface Source {
  free: number
  at: number
}

export class TokenGate {
  readonly #clock: Pick<Clock, 'monotonic'>
  /** Those that were wrong, the longest ago first. */
  readonly #sources = new Map<string, Source>()

  constructor(clock: Pick<Clock, 'monotonic'>) {
    this.#clock = clock
  }

  /** Was it wrong too often just now? */
  isShut(address: string): boolean {
    const source = this.#sources.get(sourceOf(address))
    return source !== undefined && this.#freeOf(source) < 1
  }

  wasWrong(address: string): void {
    const name = sourceOf(address)
    const source = this.#sources.get(name)
    const free = source === undefined ? freeMax : this.#freeOf(source)
    this.#sources.delete(name)
    this.#sources.set(name, { free: free - 1, at: this.#clock.monotonic() })
    for (const [oldest, { free, at }] of this.#sources) {
      const isForgotten = this.#freeOf({ free, at }) >= freeMax
      if (!isForgotten && this.#sources.size <= sourcesMax) return
      this.#sources.delete(oldest)
    }
  }

  #freeOf({ free, at }: Source): number {
    return Math.min(freeMax, free + (this.#clock.monotonic() - at) / refillMs)
  }
}

/** `127.0.0.1` of `127.0.0.1:51234`; `2001:db8:0:0` of `[2001:db8::1]:51234`. */
function sourceOf(address: string): string {
  const host = address.replace(/:\d+$/, '')
  if (!host.startsWith('[')) return host
  const [front = '', back] = host.slice(1, -1).split('::')
  const groups = front === '' ? [] : front.split(':')
  if (back !== undefined) {
    const rest = back === '' ? 0 : back.split(':').length
    while (groups.length + rest < 8) groups.push('0')
  }
  return groups.slice(0, 4).join(':')
}
