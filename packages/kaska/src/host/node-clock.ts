/** The clock of this process. Its timers never keep the process alive by themselves. */
import type { Clock, Timer } from '@kaska/protocol'

export const nodeClock: Clock = {
  now: () => Date.now(),
  monotonic: () => performance.now(),
  after: (delayMs, callback): Timer => {
    // Node turns a longer delay into one of a millisecond.
    const timer = setTimeout(callback, Math.min(Math.max(delayMs, 0), 0x7fffffff))
    timer.unref()
    return { cancel: () => clearTimeout(timer) }
  },
  yield: () => new Promise((resolve) => setImmediate(resolve)),
}
