/** What is known here is said even where a cluster behind this address does not answer. */
import { ConnectionError } from '@kaska/protocol'

/** What `ask` resolves with, or what stands for it while the cluster does not answer. */
export async function ifReached<T, U>(ask: () => Promise<T>, otherwise: U): Promise<T | U> {
  try {
    return await ask()
  } catch (error) {
    if (error instanceof ConnectionError) return otherwise
    throw error
  }
}
