/**
 * The errors that a client may meet while the broker is killed, its disk is full or fails, and the
 * network breaks. Every other one is a failure of the run: a reader of a durable log never hears that
 * it was truncated, nor that its position is out of range.
 */
import {
  ConnectionError,
  DeliveryTimeoutError,
  DiskFullError,
  OverloadedError,
  PartitionOfflineError,
} from '@kaska/client'

export function isExpectedError(error: unknown): boolean {
  return (
    error instanceof ConnectionError ||
    error instanceof DeliveryTimeoutError ||
    error instanceof DiskFullError ||
    error instanceof OverloadedError ||
    error instanceof PartitionOfflineError
  )
}
