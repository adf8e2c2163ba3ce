/**
 * The memory of answers that are longer than what asks for them. All of them together may have a share of
 * the byte budget, so that answers which nobody reads do not take what sending needs; one that is longer
 * than the share is made where it is the only one. Compressed batches are expanded one after the other:
 * what they become nobody knows before.
 */
import type { ByteBudget } from '../transport/byte-budget.ts'

const budgetShare = 1 / 4

/** What one answer takes. */
export interface AnswerShare {
  /** False where there is nothing free for it, or the answer has ended. */
  take(bytes: number): boolean
  /** Gives back all that it took so far: at its end that is done without a word. */
  giveBack(): void
}

export class AnswerMemory {
  readonly #budget: Pick<ByteBudget, 'total' | 'tryReserve' | 'release'>
  #used = 0
  #expanding: Promise<unknown> = Promise.resolve()

  constructor(budget: Pick<ByteBudget, 'total' | 'tryReserve' | 'release'>) {
    this.#budget = budget
  }

  /** `ended` takes what is to be called when the answer has ended; it may be called at once. */
  of(ended: (callback: () => void) => void): AnswerShare {
    let taken = 0
    let hasEnded = false
    const giveBack = () => {
      this.#used -= taken
      this.#budget.release(taken)
      taken = 0
    }
    ended(() => {
      hasEnded = true
      giveBack()
    })
    const take = (bytes: number): boolean => {
      // Nobody would give back what is taken after the end.
      if (hasEnded) return false
      const isOnly = this.#used === taken
      const isFree = isOnly || this.#used + bytes <= this.#budget.total * budgetShare
      if (!isFree || !this.#budget.tryReserve(bytes)) return false
      taken += bytes
      this.#used += bytes
      return true
    }
    return { take, giveBack }
  }

  /** Expands when those before have been expanded. Settles as `expand` does. */
  async inTurn<T>(expand: () => Promise<T>): Promise<T> {
    const turn = this.#expanding.then(expand)
    this.#expanding = turn.catch(() => {})
    return await turn
  }
}
