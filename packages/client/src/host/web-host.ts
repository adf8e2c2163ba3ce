/** What a browser gives to a client. It has no codecs, and no process to keep running. */
import { type Clock, noCodecs, type Random, type Timer } from '@kaska/protocol'
import type { ClientHost } from '../seams.ts'

/** The longest delay that `setTimeout` knows. */
const delayMsMax = 0x7fffffff

const webClock: Clock = {
  now: () => Date.now(),
  monotonic: () => performance.now(),
  after: (delayMs, callback): Timer => {
    const timer = setTimeout(callback, Math.min(Math.max(delayMs, 0), delayMsMax))
    return { cancel: () => clearTimeout(timer) }
  },
  yield: () => new Promise((resolve) => setTimeout(resolve, 0)),
}

const webRandom: Random = {
  bytes: (length) => crypto.getRandomValues(new Uint8Array(length)),
}

export function createWebHost(): ClientHost {
  return {
    clock: webClock,
    random: webRandom,
    codecs: noCodecs,
    keepAlive: { hold: () => {}, release: () => {} },
  }
}
