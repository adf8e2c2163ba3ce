/**
 * State logs without a disk, for tests of what keeps its state in one: acknowledgements can be held
 * back and made to fail, and what was acknowledged can be opened again.
 */
import { type Chunks, joinChunks } from '@kaska/protocol'
import type { State, StateLog } from '../src/log/state-log.ts'

interface Waiting {
  readonly name: string
  readonly entries: readonly Uint8Array[]
  readonly resolve: () => void
  readonly reject: (error: Error) => void
}

export class StateDouble {
  /** What a restart would find, by the name of the state. */
  readonly logs = new Map<string, Uint8Array[]>()
  /** The views that were appended, as they came. */
  readonly appended: Chunks[] = []
  readonly #states = new Map<string, State>()
  #held: Waiting[] | undefined = undefined

  async openState(name: string, state: State): Promise<StateLog> {
    const log = this.logs.get(name) ?? []
    this.logs.set(name, log)
    this.#states.set(name, state)
    for (const entry of log) state.apply([entry])
    const append: StateLog['append'] = (entries, options) => {
      if (!options?.isApplied) for (const entry of entries) state.apply(entry)
      this.appended.push(...entries)
      const copies = entries.map((entry) => Uint8Array.from(joinChunks(entry)))
      return { acknowledged: this.#acknowledge(name, copies) }
    }
    return { append, offline: undefined, close: async () => {} } as unknown as StateLog
  }

  /** Holds acknowledgements back from now on. */
  hold(): void {
    this.#held ??= []
  }

  /** Acknowledges the oldest that is held back, or fails it. */
  async settle(error?: Error): Promise<void> {
    const waiting = this.#held?.shift()
    if (waiting === undefined) throw new Error('nothing is held back')
    if (error === undefined) this.#keep(waiting)
    else waiting.reject(error)
    await new Promise((resolve) => setImmediate(resolve))
  }

  /** The same logs as a new start finds them; `snapshot` replaces them by snapshots first. */
  reopened(options: { snapshot?: boolean } = {}): StateDouble {
    const double = new StateDouble()
    for (const [name, log] of this.logs) {
      const state = this.#states.get(name)
      const snapshot = Array.from(state?.entries() ?? [], (each) =>
        Uint8Array.from(joinChunks(each)),
      )
      double.logs.set(name, options.snapshot ? snapshot : [...log])
    }
    return double
  }

  #acknowledge(name: string, entries: readonly Uint8Array[]): Promise<void> {
    return new Promise((resolve, reject) => {
      const waiting = { name, entries, resolve, reject }
      if (this.#held === undefined) this.#keep(waiting)
      else this.#held.push(waiting)
    })
  }

  #keep({ name, entries, resolve }: Waiting): void {
    this.logs.get(name)?.push(...entries)
    resolve()
  }
}
