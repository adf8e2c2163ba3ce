/** The ports of a broker, or of a gateway: opened one by one, closed together. */
import { ClosedError } from '@kaska/protocol'
import type { Listening, ListenOptions } from './listen-options.ts'
import type { PortParts } from './port-parts.ts'

export class Ports {
  readonly #listening = new Set<Listening>()
  #isClosed = false

  /** Rejects as `Broker.listen`; `parts` is called when what listening takes is loaded. */
  async open(options: ListenOptions, parts: () => Promise<PortParts>): Promise<Listening> {
    this.#refuseClosed()
    const { openListener } = await import('./listen.ts')
    const listening = await openListener(options, await parts())
    let closing: Promise<void> | undefined
    const entry: Listening = {
      ...listening,
      close: () => {
        // What a port waits for when it closes, it waits for once.
        closing ??= listening.close().finally(() => this.#listening.delete(entry))
        return closing
      },
    }
    this.#listening.add(entry)
    // It was closed meanwhile.
    if (this.#isClosed) await entry.close()
    this.#refuseClosed()
    return entry
  }

  async close(): Promise<void> {
    this.#isClosed = true
    await Promise.all(Array.from(this.#listening, (listening) => listening.close()))
  }

  #refuseClosed(): void {
    if (this.#isClosed) throw new ClosedError('the broker was closed')
  }
}
