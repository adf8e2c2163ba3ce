/**
 * A small state (topics, committed offsets, producer ids) kept as a log of its changes, bounded by
 * snapshots.
 */

import type { Chunks } from '@kaska/protocol'

/** What is kept: the owner's maps, changed only by `apply`. */
export interface State {
  /**
   * Applies one entry. Called when the entry is appended, at once, and again for each entry at a
   * start. Must be idempotent: at a start, the entries that were appended while the snapshot was
   * written are applied a second time, in order.
   */
  apply(entry: Chunks): void
  /**
   * Entries that rebuild the state in a new one. Iterated in slices while `apply` goes on (a Map's own
   * iterator allows that).
   */
  entries(): Iterable<Chunks>
}

export class StateLog {
  /**
   * Applies the entries to the state at once and appends them as one batch: all or none survive.
   * `acknowledged` resolves under the rule of the sync mode. If it rejects with DiskFullError, the
   * entries are not in the log: the owner undoes what it applied. The views go to the disk by identity
   * (a topic's name as it was received: contract 11) and must not change. `urgent` gives up the reserve of the
   * disk for it (deletions).
   */
  append(
    _entries: readonly Chunks[],
    _options?: { readonly urgent?: boolean },
  ): { readonly acknowledged: Promise<void> } {
    throw new Error('not built yet')
  }

  /** Why the state takes no more changes. */
  get offline(): string | undefined {
    throw new Error('not built yet')
  }

  close(): Promise<void> {
    throw new Error('not built yet')
  }
}
