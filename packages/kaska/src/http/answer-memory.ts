/**
 * The memory of answers that are longer than what asks for them. All of them together may have a share of
 * the byte budget, so that answers which nobody reads do not take what sending needs; one that is longer
 * than the share is made where it is the only one. Compressed batches are expanded one after the other:
 * what they become nobody knows before.
 */
import type { ByteBudget } from '../transport/byte-budget.ts'

const budgetShare = 1 / 4

export class AnswerMemory {
  readonly #budget: Pick<ByteBudget, 'total' | 'tryReserve' | 'release'>
  #used = 0
  #expanding: Promise<unknown> = Promise.resolve()

  constructor(budget: Pick<ByteBudget, 'total' | 'tryReserve' | 'release'>) {
    this.#budget = budget
  }

  /** What one answer takes: false where there is nothing free for it; given back when it has ended. */
  of(ended: (callback: () => void) => void): (bytes: number) => boolean {
    let taken = 0
    return (bytes) => {
      const isOnly = this.#used === taken
      const isFree = isOnly || this.#used + bytes <= this.#budget.total * budgetShare
      if (!isFree || !this.#budget.tryReserve(bytes)) return false
      if (taken === 0) {
        ended(() => {
          this.#used -= taken
          this.#budget.release(taken)
        })
      }
      taken += bytes
      this.#used += bytes
      return true
    }
  }

  /** Expands when those before have been expanded. Settles as `expand` does. */
  async inTurn<T>(expand: () => Promise<T>): Promise<T> {
    const turn = this.#expanding.then(expand)
    this.#expanding = turn.catch(() => {})
    return await turn
  }
}
