/**
 * The append-only queue (contract 14): items get consecutive sequence numbers as they are pushed, the
 * oldest leave at the front, and a number means the same item for ever. Iteration stays valid while
 * the queue grows and while its front is dropped.
 *
 *     start            end
 *       v               v
 *   - - 4  5  6  7  8   9        at(4) is the first item, push gives 9
 */
export class AppendQueue<T> implements Iterable<T> {
  /** `#items[#head]` is item number `#start`. */
  #items: (T | undefined)[] = []
  #head = 0
  #start = 0

  get length(): number {
    return this.#items.length - this.#head
  }

  /** The number of the oldest item, which is `end` when there is none. */
  get start(): number {
    return this.#start
  }

  /** The number that the next item gets. */
  get end(): number {
    return this.#start + this.length
  }

  push(item: T): number {
    this.#items.push(item)
    return this.end - 1
  }

  /** The item of this number; undefined where it is not there (any more, or yet). */
  at(number: number): T | undefined {
    return number < this.#start ? undefined : this.#items[number - this.#start + this.#head]
  }

  first(): T | undefined {
    return this.#items[this.#head]
  }

  last(): T | undefined {
    return this.length === 0 ? undefined : this.#items[this.#items.length - 1]
  }

  /** Drops the oldest item and returns it. */
  shift(): T | undefined {
    if (this.length === 0) return undefined
    const item = this.#items[this.#head]
    this.#items[this.#head] = undefined
    this.#head++
    this.#start++
    if (this.#head === this.#items.length) {
      this.#items = []
      this.#head = 0
    } else if (this.#head >= 64 && this.#head * 2 > this.#items.length) {
      this.#items.splice(0, this.#head)
      this.#head = 0
    }
    return item
  }

  /** Takes the newest item back; its number is given again. */
  pop(): T | undefined {
    return this.length === 0 ? undefined : this.#items.pop()
  }

  /**
   * The number of the last item for which `isBefore` holds, where it holds for all items up to some
   * place and for none behind it; `start - 1` where it holds for none.
   */
  lastWhere(isBefore: (item: T) => boolean): number {
    let low = this.#start - 1
    let high = this.end - 1
    while (low < high) {
      const middle = Math.ceil((low + high) / 2)
      if (isBefore(this.at(middle) as T)) low = middle
      else high = middle - 1
    }
    return low
  }

  *[Symbol.iterator](): Iterator<T> {
    for (let number = this.#start; number < this.end; number++) {
      if (number < this.#start) number = this.#start
      if (number < this.end) yield this.at(number) as T
    }
  }
}
