/** What everything that asks an engine has in common: patience, and how much is asked at once. */
import { type Clock, KaskaError, type RequestContext } from '@kaska/protocol'

export const mirrorContext: RequestContext = {
  principal: null,
  clientId: 'kaska-mirror',
  address: 'in-process',
}

const pauseMsMin = 50
const pauseMsMax = 2000
/** How many requests of a kind are under way at once. */
const askedAtOnce = 16

/** A mirror's mistake, or something at one of the sides that it cannot go on with. */
export class MirrorError extends Error {
  override readonly name = 'MirrorError'
}

/** Resolves after the time; rejects with the signal's reason. */
export function pause(clock: Clock, delayMs: number, signal: AbortSignal): Promise<void> {
  return new Promise((resolve, reject) => {
    if (signal.aborted) {
      reject(signal.reason)
      return
    }
    const abort = () => {
      timer.cancel()
      reject(signal.reason)
    }
    const timer = clock.after(delayMs, () => {
      signal.removeEventListener('abort', abort)
      resolve()
    })
    signal.addEventListener('abort', abort, { once: true })
  })
}

export function isRetriable(error: unknown): error is KaskaError {
  return error instanceof KaskaError && error.retriable
}

export interface Patience {
  readonly clock: Clock
  readonly signal: AbortSignal
  /** Told once for each trouble that is waited out. */
  readonly report: (line: string) => void
}

/** Asks until it is answered: what may succeed later is asked again, for ever, with growing pauses. */
export async function patiently<T>(
  { clock, signal, report }: Patience,
  ask: (context: RequestContext) => Promise<T>,
): Promise<T> {
  const context = { ...mirrorContext, signal }
  for (let pauseMs = pauseMsMin; ; pauseMs = Math.min(pauseMs * 2, pauseMsMax)) {
    signal.throwIfAborted()
    try {
      return await ask(context)
    } catch (error) {
      if (!isRetriable(error)) throw error
      if (pauseMs === pauseMsMin) report(`trying again: ${error.message}`)
      await pause(clock, pauseMs, signal)
    }
  }
}

/** Runs for each item, some at once. The first rejection is the whole's, once none is under way. */
export async function forEachAtOnce<T>(
  items: Iterable<T>,
  run: (item: T) => Promise<void>,
): Promise<void> {
  const iterator = items[Symbol.iterator]()
  let failure: { readonly error: unknown } | undefined
  const work = async (): Promise<void> => {
    for (let next = iterator.next(); !next.done; next = iterator.next()) {
      if (failure !== undefined) return
      try {
        await run(next.value)
      } catch (error) {
        failure ??= { error }
      }
    }
  }
  await Promise.all(Array.from({ length: askedAtOnce }, work))
  if (failure !== undefined) throw failure.error
}

export function textOf(error: unknown): string {
  return error instanceof Error ? error.message : String(error)
}
