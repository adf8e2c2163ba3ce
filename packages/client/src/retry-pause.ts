/** How long to wait between tries: twice as long after each failure, within bounds. */

/** The pauses of a connection that breaks, and of a delivery that fails. */
export const retryPauseMsMin = 20
export const retryPauseMsMax = 1000

/** The pause before the next try when `failureCount` have failed before the last one. */
export function retryPauseMs(failureCount: number): number {
  return Math.min(retryPauseMsMin * 2 ** failureCount, retryPauseMsMax)
}
