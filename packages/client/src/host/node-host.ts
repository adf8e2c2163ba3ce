/** What Node gives to a client: its clock, random bytes, codecs, and a hold on the process. */
import { randomBytes } from 'node:crypto'
import type { Random } from '@kaska/protocol'
import type { ClientHost, KeepAlive } from '../seams.ts'
import { nodeClock } from './node-clock.ts'
import { createNodeCodecs } from './node-codecs.ts'

const nodeRandom: Random = {
  // A small buffer of Node's is a view of its pool: the copy is not.
  bytes: (length) => new Uint8Array(randomBytes(length)),
}

/** One timer that never does anything, counted by those that wait. */
class NodeKeepAlive implements KeepAlive {
  #timer: NodeJS.Timeout | undefined
  #holds = 0

  hold(): void {
    if (this.#holds++ > 0) return
    if (this.#timer === undefined) this.#timer = setInterval(() => {}, 0x7fffffff)
    else this.#timer.ref()
  }

  release(): void {
    if (--this.#holds === 0) this.#timer?.unref()
  }
}

export function createNodeHost(): ClientHost {
  return {
    clock: nodeClock,
    random: nodeRandom,
    codecs: createNodeCodecs(),
    keepAlive: new NodeKeepAlive(),
  }
}
