/** The clock of this process. Its timers never keep the process alive by themselves. */
import type { Clock, Timer } from '@kaska/protocol'

/** The longest delay that `setTimeout` knows; a longer one would become one of a millisecond. */
const delayMsMax = 0x7fffffff

export const nodeClock: Clock = {
  now: () => Date.now(),
  monotonic: () => performance.now(),
  after: (delayMs, callback): Timer => {
    const timer = setTimeout(callback, Math.min(Math.max(delayMs, 0), delayMsMax))
    timer.unref()
    return { cancel: () => clearTimeout(timer) }
  },
  yield: () => new Promise((resolve) => setImmediate(resolve)),
}
