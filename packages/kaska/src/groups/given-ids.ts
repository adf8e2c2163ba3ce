/** The ids that a group has given to new members, which have yet to join with them (KIP-394). */

/** What an id takes in memory beside its characters, about. */
const idBytes = 256

export interface GivenIdsOwner {
  /** They take so much more memory. */
  counted(bytes: number): void
  added(id: string): void
  removed(id: string): void
}

export class GivenIds {
  readonly #owner: GivenIdsOwner
  /** Until when each may be used, in monotonic time. */
  readonly #ends = new Map<string, number>()

  constructor(owner: GivenIdsOwner) {
    this.#owner = owner
  }

  get size(): number {
    return this.#ends.size
  }

  /** When the first of them expires; infinity where there is none. */
  get end(): number {
    let first = Number.POSITIVE_INFINITY
    for (const end of this.#ends.values()) first = Math.min(first, end)
    return first
  }

  has(id: string): boolean {
    return this.#ends.has(id)
  }

  add(id: string, end: number): void {
    this.#ends.set(id, end)
    this.#owner.counted(idBytes + 2 * id.length)
    this.#owner.added(id)
  }

  /** It was used, or is not waited for any more; false: it is none of them. */
  delete(id: string): boolean {
    if (!this.#ends.delete(id)) return false
    this.#owner.counted(-idBytes - 2 * id.length)
    this.#owner.removed(id)
    return true
  }

  expire(now: number): void {
    for (const [id, end] of this.#ends) if (end <= now) this.delete(id)
  }

  clear(): void {
    for (const id of this.#ends.keys()) this.delete(id)
  }
}
