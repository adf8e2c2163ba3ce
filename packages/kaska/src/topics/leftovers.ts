/**
 * What deleted topics have left on the disk, and its removal: what cannot be removed now is removed at the
 * next start.
 */
import type { PartitionOpener } from './partition-opener.ts'
import type { Topic } from './topic.ts'
import type { TopicStore } from './topic-store.ts'

export class Leftovers {
  readonly #topics: TopicStore
  readonly #opener: PartitionOpener
  readonly #report: (line: string) => void
  readonly #removing: Promise<void>
  #isClosed = false

  /** Begins to remove what topics that were deleted before this start have left. */
  constructor(topics: TopicStore, opener: PartitionOpener, report: (line: string) => void) {
    this.#topics = topics
    this.#opener = opener
    this.#report = report
    this.#removing = this.#removeAll()
  }

  /** Removes what the topic left. Never rejects. */
  async remove({ id, partitions }: Pick<Topic, 'id' | 'partitions'>): Promise<void> {
    try {
      await this.#opener.remove(id, partitions)
      this.#topics.leftNothing(id)
    } catch (cause) {
      this.#report(`what the deleted topic ${id} left cannot be removed: ${cause}`)
    }
  }

  /** Begins no other topic. */
  end(): void {
    this.#isClosed = true
  }

  /** Resolves when nothing is being removed that was there at the start. */
  removed(): Promise<void> {
    return this.#removing
  }

  async #removeAll(): Promise<void> {
    for (const leftover of this.#topics.leftovers()) {
      if (this.#isClosed) return
      await this.remove(leftover)
    }
  }
}
