/** Trying again while a cluster is settling. */
import type { Clock } from '@kaska/protocol'
import { sleep } from '../abort.ts'
import { Moved } from './kafka-errors.ts'

const settleMsMax = 10_000
const pauseMsMin = 10
const pauseMsMax = 200

/** Attempts until one does not throw `Moved`, which says that another may help; rejects with its error when
 * it did not for some seconds, and with the signal's reason. */
export async function settled<T>(
  attempt: () => Promise<T>,
  clock: Clock,
  signal: AbortSignal,
): Promise<T> {
  const deadline = clock.monotonic() + settleMsMax
  for (let failures = 0; ; failures++) {
    try {
      return await attempt()
    } catch (error) {
      if (!(error instanceof Moved)) throw error
      if (clock.monotonic() > deadline) throw error.error
    }
    await sleep(clock, Math.min(pauseMsMin * 2 ** failures, pauseMsMax), signal)
  }
}
