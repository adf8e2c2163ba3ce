/**
 * Keeps a commit that is made again from overtaking a later one of the same client: committed offsets
 * never go back on their own.
 *
 * While the connection lives, commits arrive in the order of the calls. When it breaks, those under
 * way are made again, each in its own time; one that a later call for the same partition and name has
 * overtaken is then left out, and settles as that later one does.
 */
interface Commits {
  /** How many are not settled. */
  pending: number
  newest: Promise<void>
  newestNumber: number
}

export class CommitQueue {
  readonly #byKey = new Map<string, Commits>()
  #count = 0

  /**
   * `run` is called once, and asks at each try whether it was overtaken: if so, it is to do nothing.
   */
  async add(key: string, run: (isOvertaken: () => boolean) => Promise<void>): Promise<void> {
    const number = ++this.#count
    const commits = this.#byKey.get(key) ?? {
      pending: 0,
      newest: Promise.resolve(),
      newestNumber: number,
    }
    this.#byKey.set(key, commits)
    commits.pending++
    commits.newestNumber = number
    let tries = 0
    let isLeftOut = false
    const done = run(() => {
      isLeftOut = tries++ > 0 && commits.newestNumber !== number
      return isLeftOut
    })
    commits.newest = done
    try {
      await done
      if (isLeftOut) await commits.newest
    } finally {
      if (--commits.pending === 0) this.#byKey.delete(key)
    }
  }
}
